//! Where a request may go. Resolves a name once, looks at every address it has, and hands on exactly those.
//! Refuses a name as soon as one of its addresses is refused: which one a connection would take is chance.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use super::{
    address::{self, Kind, Objection},
    allow::AllowList,
    error::OutboundError,
    patience::Patience,
    resolver::Resolver,
    target::Target,
};

/// The most addresses of one name that are looked at; no honest name has more.
const MAX_ADDRESSES: usize = 64;

/// Says where a request may go.
#[derive(Clone)]
pub struct Guard {
    resolver: Arc<dyn Resolver>,
    allowed: AllowList,
    own_ports: Vec<u16>,
}

impl Guard {
    /// Lets requests out to the public internet, and to what is allowed besides.
    pub fn new(resolver: Arc<dyn Resolver>, allowed: AllowList) -> Self {
        Self {
            resolver,
            allowed,
            own_ports: Vec::new(),
        }
    }

    /// Ports this server listens on. On local addresses they are refused even where the address is allowed,
    /// unless an entry says that port: a workflow that talks to its own server has that server's rights.
    pub fn with_own_ports(mut self, ports: impl IntoIterator<Item = u16>) -> Self {
        self.own_ports.extend(ports);
        self
    }

    /// Where to connect for `target`. Every address in the list has been looked at.
    pub async fn addresses(
        &self,
        target: &Target,
        connect_ms: u64,
    ) -> Result<Vec<SocketAddr>, OutboundError> {
        let found = match target.literal() {
            Some(address) => vec![address],
            None => self.resolve(target, connect_ms).await?,
        };
        for address in &found {
            self.check(target, *address)?;
        }
        let port = target.port();
        Ok(found
            .into_iter()
            .map(|address| SocketAddr::new(address, port))
            .collect())
    }

    async fn resolve(
        &self,
        target: &Target,
        connect_ms: u64,
    ) -> Result<Vec<IpAddr>, OutboundError> {
        let host = target.host().to_string();
        let patience = Duration::from_millis(connect_ms);
        let unresolved = |detail: String| OutboundError::Unresolved {
            host: host.clone(),
            detail,
        };
        let found = tokio::time::timeout(patience, self.resolver.lookup(&host))
            .await
            .map_err(|_| OutboundError::TimedOut {
                origin: target.origin(),
                waited_for: Patience::Name,
                after_ms: connect_ms,
            })?
            .map_err(|error| unresolved(error.to_string()))?;
        match found.len() {
            0 => Err(unresolved("it has no address".to_owned())),
            1..=MAX_ADDRESSES => Ok(found),
            count => Err(unresolved(format!("it has {count} addresses"))),
        }
    }

    fn check(&self, target: &Target, address: IpAddr) -> Result<(), OutboundError> {
        let objections = address::objections(address);
        let refused = |objection: Objection, kind| OutboundError::Refused {
            host: target.host().to_string(),
            port: target.port(),
            address: objection.address,
            kind,
        };
        for objection in objections {
            if !self.allowed.lifts(target, objection) {
                return Err(refused(objection, objection.kind));
            }
            if self.own_ports.contains(&target.port())
                && !self.allowed.names_port(target, objection)
            {
                return Err(refused(objection, Kind::Ourselves));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
