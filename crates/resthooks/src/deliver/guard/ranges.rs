//! The special-purpose ranges of IANA's registries for IPv4 and IPv6 (RFC 6890 and its updates), with multicast.
//!
//! IPv4 lists what is not public; IPv6 is the other way round: only global unicast (`2000::/3`) is public, less the
//! ranges in it that embed another address or serve no host. Ranges that the registries call globally reachable but
//! that no webhook receiver lives in (anycast services, AS112) are listed as well, and so is the one address of a
//! cloud's metadata that lies in none of them. Pure; allows nothing by itself.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// First address, prefix length, and what to call it. The first that contains an address names it.
const V4: [(Ipv4Addr, u32, &str); 20] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8, "this network, 0.0.0.0/8"),
    (Ipv4Addr::new(10, 0, 0, 0), 8, "private, 10.0.0.0/8"),
    (Ipv4Addr::new(100, 64, 0, 0), 10, "shared, 100.64.0.0/10"),
    (Ipv4Addr::new(127, 0, 0, 0), 8, "loopback, 127.0.0.0/8"),
    (Ipv4Addr::new(168, 63, 129, 16), 32, "Azure's platform, 168.63.129.16"),
    (Ipv4Addr::new(169, 254, 0, 0), 16, "link-local, 169.254.0.0/16"),
    (Ipv4Addr::new(172, 16, 0, 0), 12, "private, 172.16.0.0/12"),
    (Ipv4Addr::new(192, 0, 0, 0), 24, "protocol assignments, 192.0.0.0/24"),
    (Ipv4Addr::new(192, 0, 2, 0), 24, "documentation, 192.0.2.0/24"),
    (Ipv4Addr::new(192, 31, 196, 0), 24, "AS112, 192.31.196.0/24"),
    (Ipv4Addr::new(192, 52, 193, 0), 24, "AMT, 192.52.193.0/24"),
    (Ipv4Addr::new(192, 88, 99, 0), 24, "6to4 relay, 192.88.99.0/24"),
    (Ipv4Addr::new(192, 168, 0, 0), 16, "private, 192.168.0.0/16"),
    (Ipv4Addr::new(192, 175, 48, 0), 24, "AS112, 192.175.48.0/24"),
    (Ipv4Addr::new(198, 18, 0, 0), 15, "benchmarking, 198.18.0.0/15"),
    (Ipv4Addr::new(198, 51, 100, 0), 24, "documentation, 198.51.100.0/24"),
    (Ipv4Addr::new(203, 0, 113, 0), 24, "documentation, 203.0.113.0/24"),
    (Ipv4Addr::new(224, 0, 0, 0), 4, "multicast, 224.0.0.0/4"),
    (Ipv4Addr::new(255, 255, 255, 255), 32, "broadcast, 255.255.255.255"),
    (Ipv4Addr::new(240, 0, 0, 0), 4, "reserved, 240.0.0.0/4"),
];

const V6: [(Ipv6Addr, u32, &str); 19] = [
    (Ipv6Addr::UNSPECIFIED, 128, "unspecified, ::"),
    (Ipv6Addr::LOCALHOST, 128, "loopback, ::1"),
    (Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0), 96, "IPv4-mapped, ::ffff:0:0/96"),
    (Ipv6Addr::UNSPECIFIED, 96, "IPv4-compatible, ::/96"),
    (Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96, "NAT64, 64:ff9b::/96"),
    (Ipv6Addr::new(0x64, 0xff9b, 1, 0, 0, 0, 0, 0), 48, "local NAT64, 64:ff9b:1::/48"),
    (Ipv6Addr::new(0x100, 0, 0, 0, 0, 0, 0, 0), 64, "discard, 100::/64"),
    (Ipv6Addr::new(0x100, 0, 0, 1, 0, 0, 0, 0), 64, "dummy, 100:0:0:1::/64"),
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 32, "Teredo, 2001::/32"),
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23, "protocol assignments, 2001::/23"),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32, "documentation, 2001:db8::/32"),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16, "6to4, 2002::/16"),
    (Ipv6Addr::new(0x2620, 0x4f, 0x8000, 0, 0, 0, 0, 0), 48, "AS112, 2620:4f:8000::/48"),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20, "documentation, 3fff::/20"),
    (Ipv6Addr::new(0x5f00, 0, 0, 0, 0, 0, 0, 0), 16, "segment routing, 5f00::/16"),
    (Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7, "unique local, fc00::/7"),
    (Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10, "link-local, fe80::/10"),
    (Ipv6Addr::new(0xfec0, 0, 0, 0, 0, 0, 0, 0), 10, "site-local, fec0::/10"),
    (Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0), 8, "multicast, ff00::/8"),
];

/// The range that makes an address not public, or nothing when it is public.
pub(super) fn special_purpose(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(ip) => V4
            .iter()
            .find(|(first, length, _)| ((ip.to_bits() ^ first.to_bits()) >> (32 - length)) == 0)
            .map(|(_, _, name)| *name),
        IpAddr::V6(ip) => {
            let named = V6
                .iter()
                .find(|(first, length, _)| ((ip.to_bits() ^ first.to_bits()) >> (128 - length)) == 0)
                .map(|(_, _, name)| *name);
            let is_global_unicast = ip.to_bits() >> 125 == 1;
            named.or(if is_global_unicast { None } else { Some("not global unicast, outside 2000::/3") })
        }
    }
}

/// The IPv4 address that an IPv6 address is a way to: mapped, compatible, NAT64, 6to4, Teredo.
pub(super) fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let bits = address.to_bits();
    let from = |shift: u32| Ipv4Addr::from_bits(((bits >> shift) & u128::from(u32::MAX)) as u32);
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => None,
        [0, 0, 0, 0, 0, 0 | 0xffff, ..] | [0x64, 0xff9b, 0, 0, 0, 0, ..] => Some(from(0)),
        // RFC 6052: behind a prefix of 48 bits, around the byte that is always zero; or at the end, behind one of 96.
        [0x64, 0xff9b, 1, first, second, third, 0, 0] => {
            let last = (second << 8) | (third >> 8);
            Some(Ipv4Addr::from_bits((u32::from(first) << 16) | u32::from(last)))
        }
        [0x64, 0xff9b, 1, ..] => Some(from(0)),
        [0x2002, ..] => Some(from(80)),
        // Its client, every bit turned.
        [0x2001, 0, ..] => Some(Ipv4Addr::from_bits(!from(0).to_bits())),
        _ => None,
    }
}
