//! The operator's list of addresses that workflows may call although they are not public: `TROUPE_HTTP_ALLOW`,
//! hosts, `host:port` pairs and networks separated by commas. Refuses wildcards and URLs, which look more exact
//! than they are. The list only adds; what is public needs no entry.

use std::{net::IpAddr, str::FromStr};

use url::Host;

use super::{address::Objection, target::Target};

/// Who may be called although the guard objects. Empty by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AllowList {
    entries: Vec<Entry>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    place: Place,
    /// `None`: every port.
    port: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    /// In lower case and without the last dot.
    Name(String),
    /// One address is a network of all its bits.
    Net { base: IpAddr, bits: u8 },
}

/// An entry that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "TROUPE_HTTP_ALLOW has an entry that cannot be used, {entry:?}: {rule}. The server does not start with it. \
     Write hosts, host:port or networks, separated by commas: intranet.example, 10.0.0.7:8080, 10.1.0.0/16, [::1]:8080."
)]
pub struct BadAllow {
    /// The entry as it was written.
    pub entry: String,
    /// What is wrong with it.
    pub rule: String,
}

impl FromStr for AllowList {
    type Err = BadAllow;

    fn from_str(raw: &str) -> Result<Self, BadAllow> {
        let entries = raw
            .split(',')
            .map(str::trim)
            .filter(|entry| !entry.is_empty())
            .map(|entry| {
                Entry::parse(entry).map_err(|rule| BadAllow {
                    entry: entry.to_owned(),
                    rule,
                })
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { entries })
    }
}

impl AllowList {
    /// Whether an entry outweighs the objection, for this host and port.
    pub fn lifts(&self, target: &Target, objection: Objection) -> bool {
        self.entries
            .iter()
            .filter(|entry| entry.port.is_none_or(|port| port == target.port()))
            .any(|entry| entry.covers(target, objection))
    }

    /// Whether an entry says host or address together with this very port.
    pub fn names_port(&self, target: &Target, objection: Objection) -> bool {
        self.entries
            .iter()
            .filter(|entry| entry.port == Some(target.port()))
            .any(|entry| entry.covers(target, objection))
    }
}

impl Entry {
    fn covers(&self, target: &Target, objection: Objection) -> bool {
        match &self.place {
            Place::Name(name) => {
                objection.kind.may_serve() && target.name().is_some_and(|host| host == name)
            }
            Place::Net { base, bits } => is_within(objection.address, *base, *bits),
        }
    }

    fn parse(entry: &str) -> Result<Self, String> {
        if entry.contains("://") {
            return Err("it is a URL".to_owned());
        }
        if entry.contains('*') {
            return Err("wildcards are not understood".to_owned());
        }
        if let Some((base, bits)) = entry.split_once('/') {
            return Ok(Self {
                place: network(base, bits)?,
                port: None,
            });
        }
        if let Ok(address) = entry.parse::<IpAddr>() {
            return Ok(Self {
                place: single(address),
                port: None,
            });
        }
        let (host, port) = split_port(entry)?;
        let place =
            match Host::parse(host).map_err(|error| format!("its host is none ({error})"))? {
                Host::Domain(name) => Place::Name(name.trim_end_matches('.').to_owned()),
                Host::Ipv4(address) => single(address.into()),
                Host::Ipv6(address) => single(address.into()),
            };
        Ok(Self { place, port })
    }
}

fn split_port(entry: &str) -> Result<(&str, Option<u16>), String> {
    let colons = entry
        .rfind(']')
        .map_or(entry, |end| &entry[end..])
        .matches(':')
        .count();
    match colons {
        0 => Ok((entry, None)),
        1 => {
            let (host, port) = entry.rsplit_once(':').unwrap_or((entry, ""));
            match port.parse::<u16>() {
                Ok(port) if port > 0 => Ok((host, Some(port))),
                Ok(_) | Err(_) => Err(format!("its port {port:?} is not 1 to 65535")),
            }
        }
        _ => Err("an IPv6 address with a port needs brackets".to_owned()),
    }
}

fn network(base: &str, bits: &str) -> Result<Place, String> {
    let inner = base
        .strip_prefix('[')
        .and_then(|base| base.strip_suffix(']'));
    let base: IpAddr = inner
        .unwrap_or(base)
        .parse()
        .map_err(|_| "what stands before the slash is no IP address".to_owned())?;
    let most = width(base);
    let bits = bits
        .parse::<u8>()
        .ok()
        .filter(|bits| *bits <= most)
        .ok_or_else(|| format!("its prefix has to be 0 to {most}"))?;
    // 10.0.0.7/8 is more likely a slip than the whole of 10.0.0.0/8.
    if number(base) & !mask(bits, most) != 0 {
        return Err(format!("the address has bits behind its prefix of {bits}"));
    }
    Ok(Place::Net { base, bits })
}

fn single(address: IpAddr) -> Place {
    Place::Net {
        base: address,
        bits: width(address),
    }
}

fn is_within(address: IpAddr, base: IpAddr, bits: u8) -> bool {
    address.is_ipv4() == base.is_ipv4()
        && (number(address) ^ number(base)) & mask(bits, width(base)) == 0
}

fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(v4.to_bits()),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

/// The first `bits` of `width` bits.
fn mask(bits: u8, width: u8) -> u128 {
    let full = u128::MAX >> (128 - width);
    full & !full.checked_shr(u32::from(bits)).unwrap_or(0)
}

#[cfg(test)]
mod tests;
