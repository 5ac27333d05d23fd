//! HTTP clients that know one name: the addresses which the guard has looked at, and nothing else, so no second
//! lookup can lead elsewhere. They follow no redirect, use no proxy, keep no connection, unpack nothing and try
//! once. A client for https is kept for the next request to the very same addresses, because reading the
//! machine's certificates takes longer than everything else here.

use std::{collections::VecDeque, net::SocketAddr, sync::Arc, time::Duration};

use reqwest::{
    Client,
    dns::{Addrs, Name, Resolve, Resolving},
    redirect::Policy,
};
use tokio::sync::Mutex;

use super::{error::OutboundError, headers::MAX_HEADERS};

/// As many servers as workflows talk to at the same time, roughly; one more only costs milliseconds.
const MAX_KEPT: usize = 16;

/// A host and where it may be found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pin {
    /// As it stands in the URL.
    pub host: String,
    /// Looked at, in the order of the resolver.
    pub addresses: Vec<SocketAddr>,
}

/// Makes clients.
pub struct Clients {
    connect: Duration,
    /// Newest last, at most [`MAX_KEPT`]. Locked while a client is made: of many requests to one server only the
    /// first has to wait for the certificates.
    kept: Mutex<VecDeque<(Arc<Pin>, Client)>>,
}

impl Clients {
    /// Clients that wait so long for a connection.
    pub fn new(connect_ms: u64) -> Self {
        Self {
            connect: Duration::from_millis(connect_ms),
            kept: Mutex::default(),
        }
    }

    /// A client that goes where `pin` says.
    pub async fn client(&self, mut pin: Pin, is_secure: bool) -> Result<Client, OutboundError> {
        if !is_secure {
            // Without certificates it takes microseconds.
            let builder = self.builder(Arc::new(pin)).tls_certs_only([]);
            return builder.build().map_err(no_client);
        }
        // Name servers like to turn their lists round.
        pin.addresses.sort_unstable();
        let mut kept = self.kept.lock().await;
        let client = match kept.iter().position(|(known, _)| **known == pin) {
            Some(at) => kept.remove(at),
            None => None,
        };
        let (pin, client) = match client {
            Some(known) => known,
            None => {
                let pin = Arc::new(pin);
                let builder = self.builder(pin.clone());
                let made = tokio::task::spawn_blocking(move || builder.build()).await;
                let made = made.map_err(|error| OutboundError::NoClient {
                    detail: error.to_string(),
                })?;
                (pin, made.map_err(no_client)?)
            }
        };
        kept.push_back((pin, client.clone()));
        if kept.len() > MAX_KEPT {
            kept.pop_front();
        }
        Ok(client)
    }

    fn builder(&self, pin: Arc<Pin>) -> reqwest::ClientBuilder {
        Client::builder()
            .dns_resolver(Pinned(pin))
            .no_proxy()
            .redirect(Policy::none())
            .referer(false)
            .retry(reqwest::retry::never())
            .no_gzip()
            .no_brotli()
            .no_deflate()
            .no_zstd()
            .http1_only()
            .http1_max_headers(MAX_HEADERS)
            .pool_max_idle_per_host(0)
            .connect_timeout(self.connect)
    }
}

fn no_client(error: reqwest::Error) -> OutboundError {
    OutboundError::NoClient {
        detail: super::hop::causes(&error.without_url()),
    }
}

struct Pinned(Arc<Pin>);

impl Resolve for Pinned {
    fn resolve(&self, name: Name) -> Resolving {
        let found = if name.as_str() == self.0.host {
            Ok(Box::new(self.0.addresses.clone().into_iter()) as Addrs)
        } else {
            Err(format!("{} was not looked at", name.as_str()).into())
        };
        Box::pin(std::future::ready(found))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pin(host: &str, addresses: &[&str]) -> Pin {
        let addresses = addresses.iter().map(|raw| raw.parse().expect("an address"));
        Pin {
            host: host.to_owned(),
            addresses: addresses.collect(),
        }
    }

    #[tokio::test]
    async fn a_client_is_used_again_for_the_very_same_addresses_only() {
        let clients = Clients::new(1_000);
        for (pin, count) in [
            (pin("a.test", &["1.1.1.1:443", "8.8.8.8:443"]), 1),
            (pin("a.test", &["8.8.8.8:443", "1.1.1.1:443"]), 1),
            (pin("a.test", &["1.1.1.1:443"]), 2),
            (pin("a.test", &["1.1.1.1:444"]), 3),
            (pin("b.test", &["1.1.1.1:443"]), 4),
            (pin("a.test", &["1.1.1.1:443"]), 4),
        ] {
            clients.client(pin, true).await.expect("a client");
            assert_eq!(clients.kept.lock().await.len(), count);
        }
        let newest = clients.kept.lock().await.back().map(|(pin, _)| pin.clone());
        assert_eq!(newest.as_deref(), Some(&pin("a.test", &["1.1.1.1:443"])));
        for port in 1..20 {
            let address = format!("1.1.1.1:{port}");
            let pin = pin("c.test", &[&address]);
            clients.client(pin, true).await.expect("a client");
        }
        assert_eq!(clients.kept.lock().await.len(), MAX_KEPT);
    }

    #[tokio::test]
    async fn a_name_that_was_not_looked_at_has_no_address() {
        let pinned = Pinned(Arc::new(pin("a.test", &["1.1.1.1:80"])));
        let known = pinned.resolve("a.test".parse().expect("a name")).await;
        assert_eq!(known.expect("addresses").count(), 1);
        let other = pinned.resolve("b.test".parse().expect("a name")).await;
        assert!(other.is_err());
    }
}
