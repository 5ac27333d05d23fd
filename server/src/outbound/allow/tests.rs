use super::*;
use crate::outbound::address;

/// Whether `list` lets a request to `url` through to `address`.
fn lets(list: &str, url: &str, address: &str) -> bool {
    let list: AllowList = list.parse().expect("a list");
    let target = Target::parse(url).expect("a target");
    address::objections(address.parse().expect("an address"))
        .into_iter()
        .all(|objection| list.lifts(&target, objection))
}

#[test]
fn an_entry_opens_what_it_says_and_nothing_else() {
    for (list, url, address, is_open) in [
        ("", "http://a.test", "10.0.0.1", false),
        ("", "http://a.test", "8.8.8.8", true),
        ("a.test", "http://a.test", "10.0.0.1", true),
        ("A.Test.", "http://a.test./", "127.0.0.1", true),
        ("a.test", "http://b.a.test", "10.0.0.1", false),
        ("a.test:8080", "http://a.test:8080", "10.0.0.1", true),
        ("a.test:8080", "http://a.test", "10.0.0.1", false),
        ("a.test:443", "https://a.test", "10.0.0.1", true),
        ("bücher.test", "http://b%C3%BCcher.test", "10.0.0.1", true),
        // A name does not open metadata, whatever its DNS says; an address does.
        ("a.test", "http://a.test", "169.254.169.254", false),
        ("169.254.169.254", "http://a.test", "169.254.169.254", true),
        ("10.0.0.1", "http://10.0.0.1", "10.0.0.1", true),
        ("10.0.0.1", "http://a.test", "10.0.0.1", true),
        ("10.0.0.1", "http://10.0.0.2", "10.0.0.2", false),
        ("10.0.0.1:81", "http://10.0.0.1:81", "10.0.0.1", true),
        ("10.0.0.1:81", "http://10.0.0.1", "10.0.0.1", false),
        ("0x7f.1", "http://localhost", "127.0.0.1", true),
        ("10.0.0.0/8", "http://a.test", "10.255.0.1", true),
        ("10.0.0.0/8", "http://a.test", "11.0.0.1", true),
        ("10.0.0.0/8", "http://a.test", "172.16.0.1", false),
        ("0.0.0.0/0", "http://a.test", "127.0.0.1", true),
        ("0.0.0.0/0", "http://[::1]", "::1", false),
        ("::1", "http://[::1]:99", "::1", true),
        ("[::1]", "http://[::1]:99", "::1", true),
        ("[::1]:99", "http://[::1]:99", "::1", true),
        ("[::1]:99", "http://[::1]", "::1", false),
        ("fd00::/8", "http://a.test", "fd12::1", true),
        ("[fd00::]/8", "http://a.test", "fc12::1", false),
        // What holds an address needs an entry for itself and one for what it holds.
        ("127.0.0.1", "http://a.test", "::ffff:127.0.0.1", false),
        ("::ffff:0:0/96", "http://a.test", "::ffff:127.0.0.1", false),
        (
            "::ffff:0:0/96, 127.0.0.1",
            "http://a.test",
            "::ffff:127.0.0.1",
            true,
        ),
        ("64:ff9b::/96", "http://a.test", "64:ff9b::8.8.8.8", true),
        ("64:ff9b::/96", "http://a.test", "64:ff9b::10.0.0.1", false),
        (
            " a.test , , 10.0.0.0/8 ,",
            "http://b.test",
            "10.1.1.1",
            true,
        ),
    ] {
        assert_eq!(
            lets(list, url, address),
            is_open,
            "{list} / {url} / {address}"
        );
    }
}

#[test]
fn what_cannot_be_meant_is_refused_with_its_rule() {
    for (list, rule) in [
        ("ok.test,http://a.test", "it is a URL"),
        ("*.a.test", "wildcards are not understood"),
        ("*", "wildcards are not understood"),
        ("10.0.0.0/33", "its prefix has to be 0 to 32"),
        ("10.0.0.0/", "its prefix has to be 0 to 32"),
        ("10.0.0.0/-1", "its prefix has to be 0 to 32"),
        ("fd00::/129", "its prefix has to be 0 to 128"),
        ("10.0.0.7/8", "the address has bits behind its prefix of 8"),
        ("a.test/8", "what stands before the slash is no IP address"),
        ("a.test:0", "its port \"0\" is not 1 to 65535"),
        ("a.test:http", "its port \"http\" is not 1 to 65535"),
        ("a.test:", "its port \"\" is not 1 to 65535"),
        ("a.test:65536", "its port \"65536\" is not 1 to 65535"),
        ("fd00::1::2", "an IPv6 address with a port needs brackets"),
        (
            "a b",
            "its host is none (invalid international domain name)",
        ),
        (
            "user@a.test",
            "its host is none (invalid international domain name)",
        ),
        ("[::1", "an IPv6 address with a port needs brackets"),
    ] {
        let bad = list.parse::<AllowList>().expect_err(list);
        assert_eq!(bad.rule, rule, "{list}");
        assert!(bad.to_string().contains("TROUPE_HTTP_ALLOW"), "{bad}");
    }
}
