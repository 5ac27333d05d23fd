//! From a name to its addresses. A port, so that the guard is tested without a network. Judges nothing.

use std::{
    collections::HashMap,
    io,
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use futures::{FutureExt, future::BoxFuture};

/// Where addresses come from. Its twin for tests is [`FixedResolver`].
pub trait Resolver: Send + Sync + 'static {
    /// All addresses of `name`.
    fn lookup(&self, name: &str) -> BoxFuture<'static, io::Result<Vec<IpAddr>>>;
}

/// The machine's own resolver: its hosts file and its name servers.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemResolver;

impl Resolver for SystemResolver {
    fn lookup(&self, name: &str) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        let name = name.to_owned();
        async move {
            // The port is only there because the function wants one.
            let found = tokio::net::lookup_host((name, 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        }
        .boxed()
    }
}

/// A table. A name with several lists gives one after the other, and the last for ever: that is how DNS
/// rebinding looks.
#[derive(Debug, Clone, Default)]
pub struct FixedResolver {
    names: Arc<HashMap<String, Named>>,
}

#[derive(Debug, Default)]
struct Named {
    lists: Vec<Vec<IpAddr>>,
    asked: AtomicUsize,
}

impl FixedResolver {
    /// Of pairs of name and addresses.
    pub fn of<'a>(pairs: impl IntoIterator<Item = (&'a str, Vec<IpAddr>)>) -> Self {
        let mut names = HashMap::<String, Named>::new();
        for (name, list) in pairs {
            names.entry(name.to_owned()).or_default().lists.push(list);
        }
        Self {
            names: Arc::new(names),
        }
    }

    /// How often `name` was asked for.
    pub fn asked(&self, name: &str) -> usize {
        self.names
            .get(name)
            .map_or(0, |named| named.asked.load(Ordering::Relaxed))
    }
}

impl Resolver for FixedResolver {
    fn lookup(&self, name: &str) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        let found = self.names.get(name).and_then(|named| {
            let turn = named.asked.fetch_add(1, Ordering::Relaxed);
            named.lists.get(turn).or(named.lists.last()).cloned()
        });
        let found = found.ok_or_else(|| io::Error::other("no such name"));
        std::future::ready(found).boxed()
    }
}
