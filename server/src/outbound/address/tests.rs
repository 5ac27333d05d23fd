use super::*;

fn kinds(address: &str) -> String {
    let address: IpAddr = address.parse().expect("an address");
    let found = objections(address);
    let words: Vec<_> = found
        .iter()
        .map(|objection| format!("{:?} {}", objection.kind, objection.address))
        .collect();
    words.join(", ")
}

#[test]
fn first_and_last_of_each_range_and_their_neighbours() {
    for (kind, inside, outside) in [
        ("ThisHost", "0.0.0.0 0.255.255.255", "1.0.0.0"),
        (
            "Private",
            "10.0.0.0 10.255.255.255",
            "9.255.255.255 11.0.0.0",
        ),
        (
            "Private",
            "172.16.0.0 172.31.255.255",
            "172.15.255.255 172.32.0.0",
        ),
        (
            "Private",
            "192.168.0.0 192.168.255.255",
            "192.167.255.255 192.169.0.0",
        ),
        (
            "CarrierNat",
            "100.64.0.0 100.127.255.255",
            "100.63.255.255 100.128.0.0",
        ),
        (
            "Loopback",
            "127.0.0.0 127.255.255.255",
            "126.255.255.255 128.0.0.0",
        ),
        (
            "LinkLocal",
            "169.254.0.0 169.254.255.255",
            "169.253.255.255 169.255.0.0",
        ),
        (
            "Metadata",
            "169.254.169.254 168.63.129.16 100.100.100.200",
            "168.63.129.17",
        ),
        (
            "Reserved",
            "192.0.0.0 192.0.0.255 192.88.99.1",
            "192.0.1.0 192.88.98.255",
        ),
        (
            "Documentation",
            "192.0.2.0 198.51.100.9 203.0.113.255",
            "192.0.3.0 203.0.114.0",
        ),
        (
            "Benchmarking",
            "198.18.0.0 198.19.255.255",
            "198.17.255.255 198.20.0.0",
        ),
        ("Multicast", "224.0.0.0 239.255.255.255", "223.255.255.255"),
        ("Reserved", "240.0.0.0 255.255.255.254", "8.8.8.8"),
        ("Broadcast", "255.255.255.255", "1.1.1.1"),
        ("ThisHost", "::", "2606:4700::1111"),
        ("Loopback", "::1", "2001:4860:4860::8888"),
        ("Private", "fc00:: fdff:ffff:: fec0::1 feff::1", "2a00::1"),
        ("LinkLocal", "fe80:: febf:ffff::", "2a00::1"),
        ("Metadata", "fd00:ec2::254", "2a00::1"),
        ("Multicast", "ff00:: ff02::1 ffff::", "2a00::1"),
        (
            "Documentation",
            "2001:db8:: 2001:db8:ffff:: 3fff:fff::",
            "2001:db7:: 2001:db9:: 3fff:1000::",
        ),
        ("Benchmarking", "2001:2::1", "2001:200::1"),
        (
            "Reserved",
            "2001:1::1 2001:1ff::1 100::1 4000:: 5f00::1 1fff::",
            "2001:200:: 2000:: 3ffe::",
        ),
    ] {
        for address in inside.split(' ') {
            assert_eq!(kinds(address), format!("{kind} {address}"), "{address}");
        }
        for address in outside.split(' ') {
            assert_eq!(kinds(address), "", "{address}");
        }
    }
}

#[test]
fn an_address_in_another_answers_for_both() {
    for (address, found) in [
        (
            "::ffff:127.0.0.1",
            "Mapped ::ffff:127.0.0.1, Loopback 127.0.0.1",
        ),
        ("::ffff:8.8.8.8", "Mapped ::ffff:8.8.8.8"),
        ("::127.0.0.1", "Mapped ::7f00:1, Loopback 127.0.0.1"),
        ("::2", "Mapped ::2, ThisHost 0.0.0.2"),
        (
            "::ffff:0:10.0.0.1",
            "Mapped ::ffff:0:a00:1, Private 10.0.0.1",
        ),
        (
            "64:ff9b::169.254.169.254",
            "Translated 64:ff9b::a9fe:a9fe, Metadata 169.254.169.254",
        ),
        ("64:ff9b::8.8.8.8", "Translated 64:ff9b::808:808"),
        (
            "64:ff9b:1::10.0.0.1",
            "Translated 64:ff9b:1::a00:1, Private 10.0.0.1",
        ),
        ("2002:7f00:1::", "Tunnel 2002:7f00:1::"),
        ("2002:a9fe:a9fe::1", "Tunnel 2002:a9fe:a9fe::1"),
        ("2002:808:808::1", ""),
        // Teredo: 8.8.8.8 serves, and ~f5ff:~fffe is 10.0.0.1; then a server inside; then both outside.
        (
            "2001:0:808:808::f5ff:fffe",
            "Tunnel 2001:0:808:808::f5ff:fffe",
        ),
        ("2001:0:a00:1::f7f7:f7f7", "Tunnel 2001:0:a00:1::f7f7:f7f7"),
        ("2001:0:808:808::f7f7:f7f7", ""),
    ] {
        assert_eq!(kinds(address), found, "{address}");
    }
}
