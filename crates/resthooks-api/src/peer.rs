//! Where a request's connection comes from. Whoever accepts connections puts it into the request's extensions; it
//! is never read from a header, which anybody can write.

use std::net::{IpAddr, Ipv6Addr};

/// The address at the other end of the connection: the caller's own, or the proxy's in front of us.
///
/// Who serves [`router`](crate::router) inserts it into each request's extensions. Without it, nothing that depends on
/// addresses is done: failed authentications are not limited, and no proxy is trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PeerAddress(IpAddr);

impl PeerAddress {
    /// The address as the operating system tells it. An IPv4 address that an IPv6 socket shows in its mapped form
    /// (`::ffff:192.0.2.1`) becomes what it is.
    #[must_use]
    pub const fn new(address: IpAddr) -> Self {
        Self(address.to_canonical())
    }

    /// The address.
    #[must_use]
    pub const fn ip(self) -> IpAddr {
        self.0
    }

    /// What is likely to be one party: an IPv4 address, or the 64 bits of an IPv6 address's network, whose further
    /// addresses are free for the asking.
    #[must_use]
    pub const fn network(self) -> IpAddr {
        match self.0 {
            IpAddr::V4(_) => self.0,
            IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapped_address_is_an_ipv4_address() {
        let peer = |text: &str| PeerAddress::new(text.parse().unwrap()).ip().to_string();
        assert_eq!(peer("::ffff:192.0.2.1"), "192.0.2.1");
        assert_eq!(peer("192.0.2.1"), "192.0.2.1");
        assert_eq!(peer("2001:db8::1"), "2001:db8::1");
    }

    #[test]
    fn networks() {
        let network = |text: &str| PeerAddress::new(text.parse().unwrap()).network().to_string();
        assert_eq!(network("192.0.2.77"), "192.0.2.77");
        assert_eq!(network("::ffff:192.0.2.77"), "192.0.2.77");
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
    }
}
