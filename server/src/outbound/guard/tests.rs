use super::*;
use crate::outbound::resolver::FixedResolver;

fn ip(address: &str) -> IpAddr {
    address.parse().expect("an address")
}

fn resolver() -> FixedResolver {
    FixedResolver::of([
        ("localhost", vec![ip("::1"), ip("127.0.0.1")]),
        ("localhost.", vec![ip("127.0.0.1")]),
        ("public.test", vec![ip("93.184.216.34")]),
        ("public.test.", vec![ip("93.184.216.34")]),
        (
            "six.test",
            vec![ip("2606:2800:220::1"), ip("93.184.216.34")],
        ),
        ("xn--bcher-kva.test", vec![ip("93.184.216.34")]),
        ("mixed.test", vec![ip("93.184.216.34"), ip("10.0.0.1")]),
        ("mapped.test", vec![ip("::ffff:127.0.0.1")]),
        ("nat64.test", vec![ip("64:ff9b::a9fe:a9fe")]),
        ("zero.test", vec![ip("0.0.0.0")]),
        ("metadata.google.internal", vec![ip("169.254.169.254")]),
        ("empty.test", vec![]),
        ("flood.test", vec![ip("93.184.216.34"); 65]),
    ])
}

/// Where a request to `url` would go, or why it would not.
async fn leads(guard: &Guard, url: &str) -> String {
    let target = match Target::parse(url) {
        Ok(target) => target,
        Err(error) => return format!("bad: {error}"),
    };
    match guard.addresses(&target, 1_000).await {
        Ok(addresses) => {
            let addresses: Vec<_> = addresses.iter().map(ToString::to_string).collect();
            format!("to {}", addresses.join(" "))
        }
        Err(OutboundError::Refused { address, kind, .. }) => format!("{kind:?} {address}"),
        Err(error) => format!("bad: {error}"),
    }
}

#[tokio::test]
async fn every_spelling_leads_where_it_should_or_nowhere() {
    let guard = Guard::new(Arc::new(resolver()), AllowList::default());
    for (url, end) in [
        // What has to work.
        ("http://public.test", "to 93.184.216.34:80"),
        ("HTTPS://PUBLIC.test", "to 93.184.216.34:443"),
        ("https://public.test:8443/a?b#c", "to 93.184.216.34:8443"),
        ("http://public.test./", "to 93.184.216.34:80"),
        (
            "http://six.test",
            "to [2606:2800:220::1]:80 93.184.216.34:80",
        ),
        ("http://bücher.test", "to 93.184.216.34:80"),
        ("http://8.8.8.8:22", "to 8.8.8.8:22"),
        ("http://[2606:4700::1111]", "to [2606:4700::1111]:80"),
        (" http://public.test ", "to 93.184.216.34:80"),
        // This machine, in all its spellings.
        ("http://127.0.0.1", "Loopback 127.0.0.1"),
        ("http://127.1", "Loopback 127.0.0.1"),
        ("http://127.0.1", "Loopback 127.0.0.1"),
        ("http://2130706433", "Loopback 127.0.0.1"),
        ("http://0x7f000001", "Loopback 127.0.0.1"),
        ("http://0X7F.0.0.1", "Loopback 127.0.0.1"),
        ("http://0177.0.0.1", "Loopback 127.0.0.1"),
        ("http://017700000001", "Loopback 127.0.0.1"),
        ("http://0x7f.0.1", "Loopback 127.0.0.1"),
        ("http://127.0.0.1.", "Loopback 127.0.0.1"),
        ("http://127.0.0.1:80/x", "Loopback 127.0.0.1"),
        ("http://%31%32%37.0.0.1", "Loopback 127.0.0.1"),
        ("http://１２７.０.０.１", "Loopback 127.0.0.1"),
        ("http://127。0。0。1", "Loopback 127.0.0.1"),
        ("http://127．0．0．1", "Loopback 127.0.0.1"),
        ("http://①②⑦.⓪.⓪.①", "Loopback 127.0.0.1"),
        ("http://0", "ThisHost 0.0.0.0"),
        ("http://0.0.0.0:3000", "ThisHost 0.0.0.0"),
        ("http://[::]", "ThisHost ::"),
        ("http://[::1]:3000", "Loopback ::1"),
        ("http://[0:0:0:0:0:0:0:1]", "Loopback ::1"),
        ("http://localhost", "Loopback ::1"),
        ("http://LOCALHOST:22", "Loopback ::1"),
        ("http://localhost.", "Loopback 127.0.0.1"),
        ("http://ⓛocalhost", "Loopback ::1"),
        ("http://zero.test", "ThisHost 0.0.0.0"),
        // Networks behind us, and where clouds hand out keys.
        ("http://10.1.2.3", "Private 10.1.2.3"),
        ("http://192.168.1.1", "Private 192.168.1.1"),
        ("http://172.16.5.4", "Private 172.16.5.4"),
        ("http://100.64.0.1", "CarrierNat 100.64.0.1"),
        ("http://169.254.1.1", "LinkLocal 169.254.1.1"),
        (
            "http://169.254.169.254/latest/meta-data/",
            "Metadata 169.254.169.254",
        ),
        ("http://2852039166", "Metadata 169.254.169.254"),
        ("http://0xa9fea9fe", "Metadata 169.254.169.254"),
        ("http://0251.0376.0251.0376", "Metadata 169.254.169.254"),
        (
            "http://metadata.google.internal",
            "Metadata 169.254.169.254",
        ),
        ("http://168.63.129.16", "Metadata 168.63.129.16"),
        ("http://[fd00:ec2::254]", "Metadata fd00:ec2::254"),
        ("http://[fe80::1]", "LinkLocal fe80::1"),
        ("http://[fc00::1]", "Private fc00::1"),
        ("http://224.0.0.1", "Multicast 224.0.0.1"),
        ("http://255.255.255.255", "Broadcast 255.255.255.255"),
        ("http://198.18.0.1", "Benchmarking 198.18.0.1"),
        ("http://240.0.0.1", "Reserved 240.0.0.1"),
        // IPv4 in IPv6 clothes.
        ("http://[::ffff:127.0.0.1]", "Mapped ::ffff:127.0.0.1"),
        ("http://[::ffff:7f00:1]", "Mapped ::ffff:127.0.0.1"),
        ("http://[::127.0.0.1]", "Mapped ::7f00:1"),
        (
            "http://[64:ff9b::169.254.169.254]",
            "Translated 64:ff9b::a9fe:a9fe",
        ),
        ("http://[2002:7f00:1::]", "Tunnel 2002:7f00:1::"),
        ("http://[2001:0:a00:1::]", "Tunnel 2001:0:a00:1::"),
        ("http://mapped.test", "Mapped ::ffff:127.0.0.1"),
        ("http://nat64.test", "Translated 64:ff9b::a9fe:a9fe"),
        // One bad address spoils the name.
        ("http://mixed.test", "Private 10.0.0.1"),
        // An @ without a name before it; what counts is the host behind it.
        ("http://@127.0.0.1", "Loopback 127.0.0.1"),
    ] {
        assert_eq!(leads(&guard, url).await, end, "{url}");
    }
}

#[tokio::test]
async fn what_is_no_url_for_a_request_is_refused_with_a_reason() {
    let guard = Guard::new(Arc::new(resolver()), AllowList::default());
    for (url, reason) in [
        ("gopher://127.0.0.1:6379/_FLUSHALL", "http:// or https://"),
        ("file:///etc/passwd", "http:// or https://"),
        ("unix:/var/run/docker.sock", "http:// or https://"),
        (
            "http+unix://%2Fvar%2Frun%2Fdocker.sock/info",
            "http:// or https://",
        ),
        ("ftp://public.test", "http:// or https://"),
        ("ws://public.test", "http:// or https://"),
        ("dict://public.test:11211/stat", "http:// or https://"),
        ("data:text/plain,a", "http:// or https://"),
        ("javascript:alert(1)", "http:// or https://"),
        ("localhost:3000", "http:// or https://"),
        ("//public.test/a", "relative URL without a base"),
        ("public.test", "relative URL without a base"),
        ("", "relative URL without a base"),
        ("http://", "empty host"),
        ("http:///", "empty host"),
        ("http://user@public.test", "user name or password"),
        ("http://user:pass@public.test", "user name or password"),
        ("http://:pass@public.test", "user name or password"),
        ("http://public.test@127.0.0.1", "user name or password"),
        ("http://127.0.0.1:80@public.test", "user name or password"),
        ("http://public.test\\@127.0.0.1", "backslash"),
        ("http:\\\\127.0.0.1", "backslash"),
        ("http://public.test\0.evil.test", "control character"),
        ("http://public.test\r\nHost: evil", "control character"),
        ("http://127.0.\t0.1", "control character"),
        ("http://public.test/\n", "control character"),
        (
            "http://public.test%00.evil.test",
            "invalid international domain name",
        ),
        ("http://pub lic.test", "invalid international domain name"),
        ("http://[fe80::1%25eth0]", "invalid IPv6 address"),
        ("http://[fe80::1%eth0]", "invalid IPv6 address"),
        ("http://[::1", "invalid IPv6 address"),
        ("http://127.0.0.256", "invalid IPv4 address"),
        ("http://1.2.3.4.5", "invalid IPv4 address"),
        ("http://0x100000000", "invalid IPv4 address"),
        ("http://localhost..", "empty part"),
        ("http://public..test", "empty part"),
        ("http://.", "empty part"),
        ("http://public.test:0", "port 0"),
        ("http://public.test:65536", "invalid port number"),
        ("http://public.test:-1", "invalid port number"),
        ("http://public.test:80:80", "invalid port number"),
        ("http://nowhere.test", "could not be found: no such name"),
        ("http://empty.test", "could not be found: it has no address"),
        (
            "http://flood.test",
            "could not be found: it has 65 addresses",
        ),
    ] {
        let end = leads(&guard, url).await;
        assert!(
            end.starts_with("bad: ") && end.contains(reason),
            "{url:?}: {end}"
        );
        assert!(!end.contains(['\r', '\n', '\0']), "{url:?}: {end:?}");
    }
    let long = format!("http://public.test/{}", "a".repeat(8 * 1024));
    assert!(leads(&guard, &long).await.contains("longer than 8192"));
}

#[tokio::test]
async fn the_operator_can_open_doors_but_not_by_chance_our_own() {
    let allowed = "127.0.0.0/8, ::1, intranet.test".parse().expect("a list");
    let own_named = "127.0.0.0/8, ::1, localhost:3000".parse().expect("a list");
    let resolver = Arc::new(resolver());
    let guard = |allowed: AllowList| Guard::new(resolver.clone(), allowed).with_own_ports([3000]);
    let closed = guard(allowed);
    for (url, end) in [
        ("http://127.0.0.1:8080", "to 127.0.0.1:8080"),
        ("http://localhost:8080", "to [::1]:8080 127.0.0.1:8080"),
        ("http://127.0.0.1:3000", "Ourselves 127.0.0.1"),
        ("http://localhost:3000", "Ourselves ::1"),
        ("http://public.test:3000", "to 93.184.216.34:3000"),
        ("http://10.0.0.1", "Private 10.0.0.1"),
    ] {
        assert_eq!(leads(&closed, url).await, end, "{url}");
    }
    let open = guard(own_named);
    assert_eq!(
        leads(&open, "http://localhost:3000").await,
        "to [::1]:3000 127.0.0.1:3000"
    );
    assert_eq!(
        leads(&open, "http://127.0.0.1:3000").await,
        "Ourselves 127.0.0.1"
    );
}

#[tokio::test]
async fn a_name_is_resolved_once_and_judged_by_that() {
    let names = FixedResolver::of([
        ("rebind.test", vec![ip("93.184.216.34")]),
        ("rebind.test", vec![ip("127.0.0.1")]),
    ]);
    let guard = Guard::new(Arc::new(names.clone()), AllowList::default());
    assert_eq!(
        leads(&guard, "http://rebind.test").await,
        "to 93.184.216.34:80"
    );
    assert_eq!(names.asked("rebind.test"), 1);
    assert_eq!(
        leads(&guard, "http://rebind.test").await,
        "Loopback 127.0.0.1"
    );
}

#[tokio::test]
async fn a_refusal_says_what_to_do() {
    let guard = Guard::new(Arc::new(resolver()), AllowList::default());
    let told = |url: &'static str| {
        let guard = guard.clone();
        async move {
            let target = Target::parse(url).expect("a target");
            let refused = guard.addresses(&target, 1_000).await.expect_err("refused");
            refused.to_string()
        }
    };
    assert_eq!(
        told("https://mixed.test/secret-path?key=1").await,
        "mixed.test leads to 10.0.0.1, an address of a private network. Workflows may not call such addresses, so nothing was sent there. \
         If it is meant, whoever runs the server can add mixed.test:443 to TROUPE_HTTP_ALLOW and restart it."
    );
    assert!(
        told("http://[::1]:99")
            .await
            .contains("can add [::1]:99 to")
    );
    assert!(
        told("http://metadata.google.internal")
            .await
            .contains("can add 169.254.169.254:80 to")
    );
}
