//! Every range at its first and last address and just outside it, every literal form, and what the allow-list allows.

use proptest::prelude::*;

use super::*;

fn blocked(address: &str) -> Option<&'static str> {
    Policy::default().check_address(address.parse().unwrap(), "hooks.example.com").err().map(|b| b.range)
}

/// First, last, and the public neighbours where there are any.
const RANGES: &[(&str, &str, &str, &str, &str)] = &[
    ("0.0.0.0", "0.255.255.255", "this network", "", "1.0.0.0"),
    ("10.0.0.0", "10.255.255.255", "private", "9.255.255.255", "11.0.0.0"),
    ("100.64.0.0", "100.127.255.255", "shared", "100.63.255.255", "100.128.0.0"),
    ("127.0.0.0", "127.255.255.255", "loopback", "126.255.255.255", "128.0.0.0"),
    ("168.63.129.16", "168.63.129.16", "Azure's platform", "168.63.129.15", "168.63.129.17"),
    ("169.254.0.0", "169.254.255.255", "link-local", "169.253.255.255", "169.255.0.0"),
    ("169.254.169.254", "169.254.170.2", "link-local", "", ""),
    ("172.16.0.0", "172.31.255.255", "private", "172.15.255.255", "172.32.0.0"),
    ("192.0.0.0", "192.0.0.255", "protocol assignments", "191.255.255.255", "192.0.1.0"),
    ("192.0.2.0", "192.0.2.255", "documentation", "192.0.1.255", "192.0.3.0"),
    ("192.31.196.0", "192.31.196.255", "AS112", "192.31.195.255", "192.31.197.0"),
    ("192.52.193.0", "192.52.193.255", "AMT", "192.52.192.255", "192.52.194.0"),
    ("192.88.99.0", "192.88.99.255", "6to4 relay", "192.88.98.255", "192.88.100.0"),
    ("192.168.0.0", "192.168.255.255", "private", "192.167.255.255", "192.169.0.0"),
    ("192.175.48.0", "192.175.48.255", "AS112", "192.175.47.255", "192.175.49.0"),
    ("198.18.0.0", "198.19.255.255", "benchmarking", "198.17.255.255", "198.20.0.0"),
    ("198.51.100.0", "198.51.100.255", "documentation", "198.51.99.255", "198.51.101.0"),
    ("203.0.113.0", "203.0.113.255", "documentation", "203.0.112.255", "203.0.114.0"),
    ("224.0.0.0", "239.255.255.255", "multicast", "223.255.255.255", ""),
    ("240.0.0.0", "255.255.255.254", "reserved", "", ""),
    ("255.255.255.255", "255.255.255.255", "broadcast", "", ""),
    ("::", "::", "unspecified", "", ""),
    ("::1", "::1", "loopback", "", ""),
    ("::2", "::ffff:ffff", "IPv4-compatible", "", ""),
    ("::ffff:0:0", "::ffff:ffff:ffff", "IPv4-mapped", "", ""),
    ("::ffff:8.8.8.8", "::ffff:127.0.0.1", "IPv4-mapped", "", ""),
    ("64:ff9b::", "64:ff9b::ffff:ffff", "NAT64", "", ""),
    ("64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff", "local NAT64", "", ""),
    ("64:ff9b:2::", "64:ff9b:ffff::", "not global unicast", "", ""),
    ("100::", "100::ffff:ffff:ffff:ffff", "discard", "", ""),
    ("100:0:0:1::", "100:0:0:1:ffff:ffff:ffff:ffff", "dummy", "", ""),
    ("2001::", "2001:0:ffff:ffff:ffff:ffff:ffff:ffff", "Teredo", "2000:ffff::", ""),
    ("2001:1::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", "protocol assignments", "", "2001:200::"),
    (
        "2001:db8::",
        "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
        "documentation",
        "2001:db7:ffff::",
        "2001:db9::",
    ),
    ("2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "6to4", "2001:ffff::", "2003::"),
    ("2620:4f:8000::", "2620:4f:8000:ffff:ffff:ffff:ffff:ffff", "AS112", "2620:4f:7fff::", "2620:4f:8001::"),
    ("3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff", "documentation", "3ffe:ffff::", "3fff:1000::"),
    ("4000::", "5eff:ffff::", "not global unicast", "3fff:ffff::", ""),
    ("5f00::", "5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "segment routing", "", ""),
    ("5f01::", "fbff:ffff::", "not global unicast", "", ""),
    ("fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "unique local", "", ""),
    ("fe00::", "fe7f:ffff::", "not global unicast", "", ""),
    ("fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "link-local", "", ""),
    ("fec0::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "site-local", "", ""),
    ("ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "multicast", "", ""),
];

#[test]
fn every_special_range_is_blocked_to_its_ends_and_no_further() {
    for (first, last, name, before, after) in RANGES {
        for inside in [first, last] {
            assert!(
                blocked(inside).is_some_and(|range| range.starts_with(name)),
                "{inside}: {:?}",
                blocked(inside)
            );
        }
        for outside in [before, after].into_iter().filter(|a| !a.is_empty()) {
            assert_eq!(blocked(outside), None, "{outside}");
        }
    }
    for public in ["1.1.1.1", "8.8.8.8", "93.184.216.34", "2606:4700::1111", "2a00:1450::1", "2000::"] {
        assert_eq!(blocked(public), None, "{public}");
    }
}

#[test]
fn every_way_to_write_a_blocked_address_is_refused() {
    let policy = Policy::default();
    for host in [
        "127.0.0.1",
        "127.1",
        "0x7f.1",
        "0x7f000001",
        "2130706433",
        "017700000001",
        "0177.0.0.1",
        "127.0.0.1.",
        "１２７.0.0.1",
        "0",
        "0.0.0.0",
        "10.0.0.1",
        "192.168.1",
        "172.16.0.1",
        "169.254.169.254",
        "0xa9fea9fe",
        "255.255.255.255",
        "[::]",
        "[::1]",
        "[0:0:0:0:0:0:0:1]",
        "[::127.0.0.1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[64:ff9b::7f00:1]",
        "[64:ff9b::10.0.0.1]",
        "[2002:7f00:1::]",
        "[fd00:ec2::254]",
        "[fe80::1]",
        "[ff02::1]",
        "[2001:db8::1]",
        "[2001::1]",
        "localhost",
        "LOCALHOST",
        "localhost.",
        "a.localhost",
        "localhost.localdomain",
        "printer.local",
        "metadata",
        "metadata.google.internal",
        "instance-data.ec2.internal",
        "instance-data",
        "router.home.arpa",
    ] {
        let target: TargetUrl = format!("https://{host}/x").parse().unwrap();
        assert!(policy.check_url(&target).is_err(), "{host} is {target}");
    }
    for host in [
        "example.com",
        "8.8.8.8",
        "[2606:4700::1111]",
        "notlocalhost.com",
        "local.example",
        "mylocalhost.example",
    ] {
        let target: TargetUrl = format!("https://{host}/x").parse().unwrap();
        assert_eq!(policy.check_url(&target), Ok(()), "{host}");
    }
}

#[test]
fn ports_of_other_services_are_refused_unless_allowed() {
    let judge = |policy: &Policy, url: &str| policy.check_url(&url.parse().unwrap());
    let mut policy = Policy::default();
    let refused = judge(&policy, "https://example.com:6379/").unwrap_err();
    assert_eq!(refused.0, "must not have port 6379, which is not a web server's");
    for port in [22, 25, 110, 143, 465, 587, 993, 2375, 2379, 3306, 5432, 6379, 9200, 10250, 11211, 27017] {
        assert!(judge(&policy, &format!("https://example.com:{port}/")).is_err(), "{port}");
    }
    policy.allowed = vec!["10.0.0.0/8".parse().unwrap(), "hooks.corp.example".parse().unwrap()];
    assert!(judge(&policy, "https://10.0.0.1:6379/").is_err(), "an allowed address is one thing");
    assert!(judge(&policy, "https://hooks.corp.example:6379/").is_err());
    policy.allowed_ports.push(6379);
    assert_eq!(judge(&policy, "https://10.0.0.1:6379/"), Ok(()));
    assert!(judge(&policy, "https://10.0.0.1:6380/").is_err());
    policy.allow_private = true;
    assert_eq!(judge(&policy, "https://10.0.0.1:6380/"), Ok(()));
}

#[test]
fn a_way_to_another_address_is_judged_by_where_it_leads() {
    let public_and_private = [
        ("64:ff9b::/96", "64:ff9b::8.8.8.8", "64:ff9b::169.254.169.254"),
        ("64:ff9b:1::/48", "64:ff9b:1::8.8.8.8", "64:ff9b:1::10.0.0.1"),
        ("64:ff9b:1::/48", "64:ff9b:1:808:8:800::", "64:ff9b:1:a00:0:100::"),
        ("::ffff:0:0/96", "::ffff:8.8.8.8", "::ffff:127.0.0.1"),
        ("::/96", "::8.8.8.8", "::10.0.0.1"),
        ("2002::/16", "2002:808:808::1", "2002:a00:1::1"),
        ("2001::/32", "2001:0:4136:e378:8000:63bf:f7f7:f7f7", "2001:0:4136:e378:8000:63bf:f5ff:fffe"),
        ("::/0", "2002:808:808::1", "2002:7f00:1::1"),
    ];
    for (net, public, private) in public_and_private {
        let judge =
            |policy: &Policy, address: &str| policy.check_address(address.parse().unwrap(), "x.example");
        let policy = allowing(&[net]);
        assert_eq!(judge(&policy, public), Ok(()), "{public}");
        assert!(judge(&policy, private).is_err(), "{private}");
        assert_eq!(judge(&allowing(&[private]), private), Ok(()), "one address is meant as it stands");
        assert_eq!(judge(&allowing(&["x.example"]), private), Ok(()), "and so is a name");
        let both = allowing(&[net, "10.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16"]);
        assert_eq!(judge(&both, private), Ok(()), "{private}");
    }
    assert_eq!(allowing(&["::/0"]).check_address("::1".parse().unwrap(), "x"), Ok(()), "leads nowhere else");
}

#[test]
fn http_is_a_leave_of_its_own() {
    let target: TargetUrl = "http://10.0.0.1/".parse().unwrap();
    let allowed = vec!["10.0.0.0/8".parse().unwrap()];
    let mut policy = Policy { allowed, ..Policy::default() };
    assert_eq!(policy.check_url(&target), Err(Invalid::new("must be an https URL")));
    policy.allow_http = true;
    assert_eq!(policy.check_url(&target), Ok(()));
    assert_eq!(policy.check_url(&"http://example.com/".parse().unwrap()), Ok(()));
    policy.allowed.clear();
    assert!(policy.check_url(&target).is_err());
    policy.allow_private = true;
    assert_eq!(policy.check_url(&target), Ok(()));
    assert_eq!(policy.check_url(&"http://localhost/".parse().unwrap()), Ok(()));
}

fn allowing(entries: &[&str]) -> Policy {
    Policy { allowed: entries.iter().map(|entry| entry.parse().unwrap()).collect(), ..Policy::default() }
}

#[test]
fn a_network_allows_its_addresses_alone() {
    let policy = allowing(&["10.1.0.0/16", "192.168.7.7", "fd00:1::/32", "[fd00:2::7]"]);
    for (address, allowed) in [
        ("10.1.255.255", true),
        ("10.2.0.0", false),
        ("192.168.7.7", true),
        ("192.168.7.8", false),
        ("fd00:1::9", true),
        ("fd00:2::7", true),
        ("fd00:2::8", false),
        ("::ffff:10.1.0.1", false),
        ("9.9.9.9", true),
    ] {
        assert_eq!(
            policy.check_address(address.parse().unwrap(), "any.example").is_ok(),
            allowed,
            "{address}"
        );
    }
    assert_eq!(policy.check_url(&"https://10.1.2.3/".parse().unwrap()), Ok(()));
    assert_eq!(
        policy.check_url(&"https://hooks.internal/".parse().unwrap()),
        Ok(()),
        "judged when it is resolved"
    );
}

#[test]
fn a_name_allows_whatever_it_resolves_to() {
    let policy = allowing(&["Hooks.Corp.example", "*.svc.internal", "localhost"]);
    let private: IpAddr = "10.0.0.1".parse().unwrap();
    for (name, allowed) in [
        ("hooks.corp.example", true),
        ("HOOKS.corp.example.", true),
        ("x.hooks.corp.example", false),
        ("corp.example", false),
        ("a.svc.internal", true),
        ("a.b.svc.internal", true),
        ("svc.internal", false),
        ("asvc.internal", false),
        (".svc.internal", false),
        ("localhost", true),
        ("a.localhost", false),
        ("", false),
    ] {
        assert_eq!(policy.check_address(private, name).is_ok(), allowed, "{name}");
    }
    assert_eq!(policy.check_url(&"https://localhost/".parse().unwrap()), Ok(()));
    assert_eq!(policy.check_url(&"https://a.svc.internal/".parse().unwrap()), Ok(()));
    assert!(policy.check_url(&"https://svc.internal/".parse().unwrap()).is_err());
}

#[test]
fn allow_list_entries_are_read_and_shown() {
    for (given, shown) in [
        ("10.1.2.3/16", "10.1.0.0/16"),
        ("10.1.2.3", "10.1.2.3/32"),
        ("::1", "::1/128"),
        ("[::1]", "::1/128"),
        ("fd00::/8", "fd00::/8"),
        ("Example.COM", "example.com"),
        ("*.Example.com", "*.example.com"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("example.com.", "example.com"),
        ("0x7f.1", "127.0.0.1/32"),
    ] {
        assert_eq!(given.parse::<Allow>().unwrap().to_string(), shown, "{given}");
    }
    for bad in [
        "",
        "10.0.0.0/33",
        "a/b",
        "https://example.com",
        "example.com:80",
        "*",
        "*.",
        "a.*.b",
        "**.a",
        "a b",
        ".",
    ] {
        assert!(bad.parse::<Allow>().is_err(), "{bad:?}");
    }
}

#[test]
fn what_is_blocked_says_why() {
    let blocked = Policy::default().check_address("169.254.169.254".parse().unwrap(), "x").unwrap_err();
    assert_eq!(blocked.to_string(), "169.254.169.254 is not a public address (link-local, 169.254.0.0/16)");
}

/// Hosts that somebody might write: names, addresses in every form, and what is made to look like them.
fn host() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<u32>().prop_map(|n| n.to_string()),
        any::<u32>().prop_map(|n| format!("0x{n:x}")),
        any::<u32>().prop_map(|n| format!("0{n:o}")),
        any::<[u8; 4]>().prop_map(|[a, b, c, d]| format!("0{a:o}.{b}.0x{c:X}.{d}")),
        any::<[u8; 3]>().prop_map(|[a, b, c]| format!("{a}.{b}.{}", u16::from(c) * 200)),
        any::<u32>().prop_map(|n| std::net::Ipv4Addr::from(n).to_string()),
        any::<u128>().prop_map(|n| format!("[{}]", std::net::Ipv6Addr::from(n))),
        any::<u32>().prop_map(|n| format!("[::ffff:{}]", std::net::Ipv4Addr::from(n))),
        any::<u32>().prop_map(|n| format!("[64:ff9b::{}]", std::net::Ipv4Addr::from(n))),
        any::<u64>().prop_map(|n| format!("[2002:{:x}:{:x}::]", n >> 48, (n >> 32) & 0xffff)),
        (0_u8..=255).prop_map(|n| format!("１２７.0.0.{n}")),
        "(localhost|LOCALHOST|a\\.internal|metadata|[a-z0-9.-]{1,20})\\.?",
        "\\PC{1,12}",
    ]
}

/// Special-purpose as the standard library knows them, which is less than we do.
fn is_surely_special(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(ip) => {
            ip.is_private()
                || ip.is_loopback()
                || ip.is_link_local()
                || ip.is_broadcast()
                || ip.is_documentation()
                || ip.is_multicast()
                || ip.is_unspecified()
                || ip.octets()[0] == 0
                || ip.octets()[0] >= 240
        }
        IpAddr::V6(ip) => {
            ip.is_loopback()
                || ip.is_unspecified()
                || ip.is_multicast()
                || ip.is_unique_local()
                || ip.is_unicast_link_local()
                || ip.to_ipv4().is_some()
                || ip.segments()[0] == 0x2002
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn no_target_that_passes_has_a_special_address(
        start in "https?://", host in host(), port in proptest::option::of(any::<u16>()), rest in "(/\\PC{0,10})?",
    ) {
        let port = port.map(|port| format!(":{port}")).unwrap_or_default();
        let Ok(target) = format!("{start}{host}{port}{rest}").parse::<TargetUrl>() else { return Ok(()) };
        let policy = Policy { allow_http: true, ..Policy::default() };
        let literal: Option<IpAddr> = match target.host() {
            Host::Domain(name) => {
                prop_assert!(name.parse::<IpAddr>().is_err(), "{} is an address", name);
                None
            }
            Host::Ipv4(ip) => Some(ip.into()),
            Host::Ipv6(ip) => Some(ip.into()),
        };
        let verdict = policy.check_url(&target);
        if let Some(address) = literal {
            let blocked = policy.check_address(address, "").is_err();
            prop_assert!(!is_surely_special(address) || blocked, "{}", address);
            prop_assert!(!blocked || verdict.is_err(), "{}", target);
        }
        prop_assert!(!ports::is_refused(target.port()) || verdict.is_err(), "{}", target);
    }

    #[test]
    fn an_address_is_judged_whatever_it_embeds(address in any::<u128>(), inner in any::<u32>()) {
        let (v6, v4) = (std::net::Ipv6Addr::from(address), std::net::Ipv4Addr::from(inner));
        let policy = Policy::default();
        for address in [IpAddr::V6(v6), IpAddr::V4(v4)] {
            prop_assert!(!is_surely_special(address) || policy.check_address(address, "x").is_err());
        }
        for mapped in [v4.to_ipv6_mapped(), v4.to_ipv6_compatible()] {
            prop_assert!(policy.check_address(mapped.into(), "x").is_err());
        }
    }
}
