//! Where a request's connection comes from. Whoever accepts connections puts it into the request's extensions; it
//! is never read from a header, which anybody can write.

use std::net::IpAddr;

/// The address at the other end of the connection: the caller's own, or the proxy's in front of us.
///
/// Who serves [`router`](crate::router) inserts it into each request's extensions. Without it, what depends on
/// addresses treats all callers as one.
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
}
