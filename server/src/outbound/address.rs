//! What an IP address is for. One table for both families; knows nothing about names, ports or permission.
//! Refuses to guess: an IPv6 address outside the part that is handed out for the public internet is `Reserved`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Why an address is none for workflows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// 0.0.0.0/8 and `::`, which systems take for themselves.
    ThisHost,
    /// 127.0.0.0/8 and `::1`.
    Loopback,
    /// 10/8, 172.16/12, 192.168/16, fc00::/7, fec0::/10.
    Private,
    /// 100.64.0.0/10.
    CarrierNat,
    /// 169.254.0.0/16 and fe80::/10.
    LinkLocal,
    /// Where clouds hand out keys: 169.254.169.254, fd00:ec2::254, 168.63.129.16, 100.100.100.200.
    Metadata,
    /// Many machines at once.
    Multicast,
    /// 255.255.255.255.
    Broadcast,
    /// Examples in books.
    Documentation,
    /// 198.18.0.0/15 and 2001:2::/48.
    Benchmarking,
    /// Everything else that nobody on the internet has.
    Reserved,
    /// An IPv4 address in IPv6 clothes: ::ffff:0:0/96, ::ffff:0:0:0/96, ::/96.
    Mapped,
    /// An IPv4 address behind a translator: 64:ff9b::/96, 64:ff9b:1::/48.
    Translated,
    /// A 6to4 or Teredo address around an IPv4 address that is refused itself.
    Tunnel,
    /// A port of this very server. No table tells that; the guard adds it.
    Ourselves,
}

impl Kind {
    /// What such an address is, to follow "which is".
    pub fn words(self) -> &'static str {
        match self {
            Kind::ThisHost => "an address that stands for this machine",
            Kind::Loopback => "this machine itself (loopback)",
            Kind::Private => "an address of a private network",
            Kind::CarrierNat => "a provider's internal address (100.64.0.0/10)",
            Kind::LinkLocal => "an address of the local link",
            Kind::Metadata => "where clouds hand out keys (metadata)",
            Kind::Multicast => "a multicast address",
            Kind::Broadcast => "the broadcast address",
            Kind::Documentation => "an address for documentation",
            Kind::Benchmarking => "an address for benchmarks",
            Kind::Reserved => "a reserved address",
            Kind::Mapped => "an IPv4 address written as IPv6",
            Kind::Translated => "an IPv4 address behind a translator",
            Kind::Tunnel => "a tunnel to an IPv4 address that is refused",
            Kind::Ourselves => "a port of this server itself",
        }
    }

    /// Whether somebody may well run a service there. For these a listed name is enough; for the others the
    /// operator has to list the address, so that a name whose DNS is taken over does not reach metadata.
    pub fn may_serve(self) -> bool {
        match self {
            Kind::Loopback | Kind::Private | Kind::CarrierNat => true,
            Kind::ThisHost
            | Kind::LinkLocal
            | Kind::Metadata
            | Kind::Multicast
            | Kind::Broadcast
            | Kind::Documentation
            | Kind::Benchmarking
            | Kind::Reserved
            | Kind::Mapped
            | Kind::Translated
            | Kind::Tunnel
            | Kind::Ourselves => false,
        }
    }
}

/// Something against an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Objection {
    /// The address meant: the one asked about, or the IPv4 address inside it.
    pub address: IpAddr,
    /// What is against it.
    pub kind: Kind,
}

/// Everything against `address`; empty for the public internet. An address that holds another one has to
/// answer for both.
pub fn objections(address: IpAddr) -> Vec<Objection> {
    let mut found = Vec::new();
    match address {
        IpAddr::V4(v4) => found.extend(kind_of_v4(v4).map(|kind| (address, kind))),
        IpAddr::V6(v6) => {
            let kind = kind_of_v6(v6);
            found.extend(kind.map(|kind| (address, kind)));
            if matches!(kind, Some(Kind::Mapped | Kind::Translated)) {
                let inner = last_v4(v6);
                found.extend(kind_of_v4(inner).map(|kind| (inner.into(), kind)));
            }
        }
    }
    found
        .into_iter()
        .map(|(address, kind)| Objection { address, kind })
        .collect()
}

fn kind_of_v4(address: Ipv4Addr) -> Option<Kind> {
    Some(match address.octets() {
        [169, 254, 169, 254] | [168, 63, 129, 16] | [100, 100, 100, 200] => Kind::Metadata,
        [0, ..] => Kind::ThisHost,
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => Kind::Private,
        [100, 64..=127, ..] => Kind::CarrierNat,
        [127, ..] => Kind::Loopback,
        [169, 254, ..] => Kind::LinkLocal,
        [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => Kind::Documentation,
        // Protocol assignments, and the old way to 6to4 relays.
        [192, 0, 0, _] | [192, 88, 99, _] => Kind::Reserved,
        [198, 18..=19, ..] => Kind::Benchmarking,
        [224..=239, ..] => Kind::Multicast,
        [255, 255, 255, 255] => Kind::Broadcast,
        [240..=255, ..] => Kind::Reserved,
        _ => return None,
    })
}

fn kind_of_v6(address: Ipv6Addr) -> Option<Kind> {
    let segments = address.segments();
    Some(match segments {
        [0, 0, 0, 0, 0, 0, 0, 0] => Kind::ThisHost,
        [0, 0, 0, 0, 0, 0, 0, 1] => Kind::Loopback,
        [0, 0, 0, 0, 0, 0 | 0xffff, ..] | [0, 0, 0, 0, 0xffff, 0, ..] => Kind::Mapped,
        [0x64, 0xff9b, 0, 0, 0, 0, ..] | [0x64, 0xff9b, 1, ..] => Kind::Translated,
        [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254] => Kind::Metadata,
        [0xfc00..=0xfdff, ..] | [0xfec0..=0xfeff, ..] => Kind::Private,
        [0xfe80..=0xfebf, ..] => Kind::LinkLocal,
        [0xff00..=0xffff, ..] => Kind::Multicast,
        [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => Kind::Documentation,
        [0x2001, 2, 0, ..] => Kind::Benchmarking,
        // Teredo: the server's address as it is, the client's with every bit turned.
        [0x2001, 0, server_high, server_low, _, _, high, low] => {
            let ends = [v4(server_high, server_low), v4(!high, !low)];
            return ends.into_iter().find_map(kind_of_v4).map(|_| Kind::Tunnel);
        }
        [0x2001, 1..=0x1ff, ..] => Kind::Reserved,
        [0x2002, high, low, ..] => return kind_of_v4(v4(high, low)).map(|_| Kind::Tunnel),
        [0x2000..=0x3fff, ..] => return None,
        _ => Kind::Reserved,
    })
}

fn last_v4(address: Ipv6Addr) -> Ipv4Addr {
    let [.., high, low] = address.segments();
    v4(high, low)
}

fn v4(high: u16, low: u16) -> Ipv4Addr {
    let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
    Ipv4Addr::new(a, b, c, d)
}

#[cfg(test)]
mod tests;
