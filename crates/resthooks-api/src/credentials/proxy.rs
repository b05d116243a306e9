//! A proxy in front of us that has found out who asks, and says so in a header.
//!
//! Such a header counts only from the proxy's own address, which the operating system tells us; anybody else can write
//! it too, and it says nothing then.

use std::net::IpAddr;

use http::{Extensions, HeaderMap, HeaderName};
use ipnet::{IpNet, Ipv4Net};
use resthooks::model::{AccountId, Actor, Invalid};

use crate::PeerAddress;
use crate::caller::Admission;

/// The header in which a proxy names the account, and where the proxy is.
#[derive(Debug, Clone)]
pub struct TrustedProxy {
    header: HeaderName,
    from: Vec<IpNet>,
}

/// The proxy says something that can't be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Nonsense(pub(super) &'static str);

impl TrustedProxy {
    /// Believes this header when a request's connection comes from one of these networks.
    ///
    /// # Errors
    /// When there is no network, or the header is one that callers write.
    pub fn new(header: HeaderName, from: Vec<IpNet>) -> Result<Self, Invalid> {
        if from.is_empty() {
            return Err(Invalid::new("must come with the addresses of the proxy"));
        }
        if super::is_of_the_connection(&header) || header == http::header::AUTHORIZATION {
            return Err(Invalid::new("must be a header of the proxy's own, such as x-account"));
        }
        Ok(Self { header, from: from.into_iter().map(plain).collect() })
    }

    /// What the proxy says of who asks; nothing when it says nothing, or it is not the proxy who says it.
    pub(super) fn admit(
        &self,
        headers: &HeaderMap,
        extensions: &Extensions,
    ) -> Result<Option<Admission>, Nonsense> {
        let Some(peer) = extensions.get::<PeerAddress>() else { return Ok(None) };
        if !self.is_from(peer.ip()) {
            return Ok(None);
        }
        let mut values = headers.get_all(&self.header).iter();
        let Some(value) = values.next() else { return Ok(None) };
        if values.next().is_some() {
            return Err(Nonsense("it names two accounts"));
        }
        let account = value.to_str().ok().and_then(|text| text.parse::<AccountId>().ok());
        let account = account.ok_or(Nonsense("what it names is no account"))?;
        let actor = Actor::new("proxy", &account);
        Ok(Some(Admission::of_account(account, actor)))
    }

    fn is_from(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.from.iter().any(|network| network.contains(&address))
    }
}

/// A network of mapped IPv4 addresses (`::ffff:10.0.0.0/104`) as what it is.
fn plain(network: IpNet) -> IpNet {
    let IpNet::V6(v6) = network else { return network };
    let mapped = v6.addr().to_ipv4_mapped().zip(v6.prefix_len().checked_sub(96));
    mapped.and_then(|(address, length)| Ipv4Net::new(address, length).ok()).map_or(network, IpNet::V4)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::caller::Caller;

    fn proxy(from: &[&str]) -> TrustedProxy {
        let from = from.iter().map(|text| text.parse().unwrap()).collect();
        TrustedProxy::new(HeaderName::from_static("x-account"), from).unwrap()
    }

    fn admit(proxy: &TrustedProxy, peer: Option<&str>, values: &[&str]) -> Result<Option<String>, Nonsense> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append("x-account", http::HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        let mut extensions = Extensions::new();
        if let Some(peer) = peer {
            extensions.insert(PeerAddress::new(peer.parse().unwrap()));
        }
        let admission = proxy.admit(&headers, &extensions)?;
        Ok(admission.map(|admission| match admission.whose {
            Caller::Consumer(account) => account.to_string(),
            Caller::Provider => unreachable!(),
        }))
    }

    #[test]
    fn only_the_proxy_is_believed() {
        let own = proxy(&["10.0.0.0/8", "fd00::/8"]);
        let account = Ok(Some("acme".to_owned()));
        for peer in ["10.1.2.3", "::ffff:10.1.2.3", "fd00::1"] {
            assert_eq!(admit(&own, Some(peer), &["acme"]), account, "{peer}");
        }
        for peer in ["11.0.0.1", "::ffff:11.0.0.1", "fe80::1", "::a00:1"] {
            assert_eq!(admit(&own, Some(peer), &["acme"]), Ok(None), "{peer}");
            assert_eq!(admit(&own, Some(peer), &["a", "b"]), Ok(None), "{peer}");
        }
        assert_eq!(admit(&own, None, &["acme"]), Ok(None));
        assert_eq!(admit(&own, Some("10.0.0.1"), &[]), Ok(None));
        let mapped = proxy(&["::ffff:10.0.0.0/104"]);
        assert_eq!(admit(&mapped, Some("10.1.2.3"), &["acme"]), account);
        assert_eq!(admit(&mapped, Some("11.1.2.3"), &["acme"]), Ok(None));
    }

    #[test]
    fn what_can_not_be_is_refused() {
        let own = proxy(&["10.0.0.1/32"]);
        for values in [&["a", "a"][..], &["a", "b"], &[""], &["a b"], &["a,b"], &["é"], &[&"x".repeat(129)]]
        {
            assert!(admit(&own, Some("10.0.0.1"), values).is_err(), "{values:?}");
        }
        let header = |name: &'static str| TrustedProxy::new(HeaderName::from_static(name), vec![]);
        assert!(header("x-account").is_err());
        for name in ["authorization", "host", "connection", "content-length"] {
            let from = vec!["10.0.0.0/8".parse().unwrap()];
            assert!(TrustedProxy::new(HeaderName::from_static(name), from).is_err(), "{name}");
        }
    }
}
