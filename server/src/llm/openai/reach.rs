//! Where the address of a model server may lead. Whoever starts the server may name any address; an
//! address that is typed into a page must be public, unless the person says that a machine of their own
//! is meant. Every address that a name resolves to is looked at, each time a connection is made.

use std::net::{IpAddr, SocketAddr};

use reqwest::{
    Url,
    dns::{Addrs, Name, Resolve, Resolving},
};
use url::Host;

use crate::outbound::{Resolver, SystemResolver, address::objections};

/// Where an address may lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Anywhere: the address was set where the server is started.
    Anywhere,
    /// To the public internet, and to this machine and its networks.
    Private,
    /// To the public internet alone.
    Public,
}

impl Reach {
    /// What is wrong with an address that is written in numbers; names are looked at when they are resolved.
    pub fn check(self, base: &Url) -> Result<(), String> {
        let address = match base.host() {
            Some(Host::Ipv4(address)) => IpAddr::from(address),
            Some(Host::Ipv6(address)) => IpAddr::from(address),
            Some(Host::Domain("localhost")) => IpAddr::from([127, 0, 0, 1]),
            Some(Host::Domain(_)) | None => return Ok(()),
        };
        self.objection(address).map_or(Ok(()), Err)
    }

    fn objection(self, address: IpAddr) -> Option<String> {
        let refused = |kind: &crate::outbound::address::Kind| match self {
            Reach::Anywhere => false,
            Reach::Private => !kind.may_serve(),
            Reach::Public => true,
        };
        let found = objections(address).into_iter().map(|found| found.kind);
        let kind = found.into_iter().find(refused)?;
        let way_out = if kind.may_serve() {
            "If a model server of your own is there, confirm that."
        } else {
            "No model server can be there; correct the address."
        };
        Some(format!("{address} is {}. {way_out}", kind.words()))
    }

    /// What resolves its names; `None` where nothing has to be looked at.
    pub fn resolver(self) -> Option<Guarded> {
        match self {
            Reach::Anywhere => None,
            Reach::Private | Reach::Public => Some(Guarded(self)),
        }
    }
}

/// Resolves names and hands on nothing but addresses that may be called.
#[derive(Debug, Clone, Copy)]
pub struct Guarded(Reach);

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let reach = self.0;
        let name = name.as_str().to_owned();
        Box::pin(async move {
            let found = SystemResolver.lookup(&name).await?;
            for address in &found {
                if let Some(rule) = reach.objection(*address) {
                    return Err(
                        format!("{name} leads to an address that is refused: {rule}").into(),
                    );
                }
            }
            let sockets: Vec<SocketAddr> = found
                .into_iter()
                .map(|address| SocketAddr::new(address, 0))
                .collect();
            Ok(Box::new(sockets.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(url: &str, anywhere: bool, private: bool, public: bool) {
        let url = Url::parse(url).expect("a URL");
        let fits = |reach: Reach| reach.check(&url).is_ok();
        let found = [Reach::Anywhere, Reach::Private, Reach::Public].map(fits);
        assert_eq!(found, [anywhere, private, public], "{url}");
    }

    #[test]
    fn a_typed_address_leads_to_the_public_unless_confirmed() {
        check("https://1.1.1.1/v1", true, true, true);
        check("http://127.0.0.1:11434/v1", true, true, false);
        check("http://localhost:11434/v1", true, true, false);
        check("http://192.168.1.7:8000/v1", true, true, false);
        check("http://[::1]:8000/v1", true, true, false);
    }

    #[test]
    fn metadata_and_its_disguises_stay_closed_after_a_confirmation_too() {
        check("http://169.254.169.254/latest", true, false, false);
        check("http://[fd00:ec2::254]/", true, false, false);
        check("http://[::ffff:169.254.169.254]/", true, false, false);
        check("http://0.0.0.0:8000/", true, false, false);
    }
}
