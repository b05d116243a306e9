//! Target URLs and the guard: what passes is normal, bare, and of no address that is not public.
#![no_main]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use libfuzzer_sys::fuzz_target;
use resthooks::deliver::guard::{Allow, Policy};
use resthooks::deliver::http::{Proxy, Target};
use resthooks::model::TargetUrl;

/// Not public as the standard library knows it, which is less than the guard does.
fn is_surely_private(address: IpAddr) -> bool {
    let v4 = |ip: Ipv4Addr| {
        let first = ip.octets()[0];
        let special = ip.is_private() || ip.is_loopback() || ip.is_link_local() || ip.is_documentation();
        special || first == 0 || first >= 224
    };
    let v6 = |ip: Ipv6Addr| {
        let local = ip.is_unique_local() || ip.is_unicast_link_local() || ip.is_multicast();
        local || ip.to_ipv4().is_some() || ip.segments()[0] & 0xe000 != 0x2000
    };
    match address {
        IpAddr::V4(ip) => v4(ip),
        IpAddr::V6(ip) => v6(ip),
    }
}

fuzz_target!(|text: &str| {
    let policy = Policy { allow_http: true, ..Policy::default() };
    // The settings' parsers live beside it.
    let _ = text.parse::<Allow>();
    if let Ok(proxy) = text.parse::<Proxy>() {
        let shown = proxy.to_string();
        assert!(shown.parse::<Proxy>().is_ok(), "{shown}");
    }
    let Ok(target) = text.parse::<TargetUrl>() else { return };
    assert_eq!(target.as_str().parse::<TargetUrl>().as_ref(), Ok(&target), "normal by now");
    let url = target.url();
    assert!(matches!(url.scheme(), "http" | "https"));
    assert!(url.username().is_empty() && url.password().is_none() && url.fragment().is_none());
    assert!(target.as_str().len() <= TargetUrl::MAX_LEN);
    assert!(target.as_str().bytes().all(|b| b.is_ascii_graphic()), "{target}");
    let _ = Target::new(&target);
    let host = url.host_str().expect("a host");
    let literal = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    let passes = policy.check_url(&target).is_ok();
    assert!(!passes || Policy::default().check_url(&target).is_ok() || !target.is_https());
    if let Ok(address) = literal {
        assert!(!(passes && is_surely_private(address)), "{target}");
        assert_eq!(passes && policy.check_address(address, host).is_err(), false, "{target}");
    } else if passes {
        let name = host.trim_end_matches('.').to_ascii_lowercase();
        assert!(
            name != "localhost" && !name.ends_with(".localhost") && !name.ends_with(".internal"),
            "{target}"
        );
        assert!(
            !name.rsplit('.').next().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit())),
            "{target}"
        );
    }
});
