//! A target, prepared: what every request to it needs, parsed once per subscription.

use std::net::IpAddr;
use std::sync::Arc;

use http::header::HeaderValue;
use http::uri::{PathAndQuery, Uri};
use rustls::pki_types::ServerName;
use url::Host;

use super::Failure;
use crate::model::{ErrorClass, Invalid, TargetUrl};

/// Where requests go, with the parts that HTTP, TLS, the resolver and the guard each want. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Target {
    origin: Arc<str>,
    parts: Result<Arc<Parts>, Failure>,
}

/// What a request to a target needs.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) origin: Arc<str>,
    /// The host as the resolver and the guard know it: a name, or an address without brackets.
    pub(super) host: Box<str>,
    /// The address, where the URL names one.
    pub(super) literal: Option<IpAddr>,
    pub(super) port: u16,
    /// The name that the server's certificate must show; none for plain text.
    pub(super) server_name: Option<ServerName<'static>>,
    /// Path and query, as HTTP/1.1 asks for them.
    pub(super) path: Uri,
    /// Scheme, authority and path, as HTTP/2 asks for them.
    pub(super) absolute: Uri,
    pub(super) host_header: HeaderValue,
}

impl Target {
    /// Prepares a target. Judges no address. A URL that HTTP or TLS can't ask for (the guard refuses those when a
    /// subscription is written) fails with each request, as [`ErrorClass::InvalidRequest`].
    #[must_use]
    pub fn new(target: &TargetUrl) -> Self {
        let scheme = target.url().scheme();
        let host = target.url().host_str().unwrap_or_default();
        let origin: Arc<str> = format!("{scheme}://{host}:{}", target.port()).into();
        let invalid = |Invalid(detail)| Failure::new(ErrorClass::InvalidRequest, detail);
        let parts = Parts::new(Arc::clone(&origin), target).map(Arc::new).map_err(invalid);
        Self { origin, parts }
    }

    /// What connections are shared by: scheme, host and port.
    #[must_use]
    pub fn origin(&self) -> &Arc<str> {
        &self.origin
    }

    pub(super) fn parts(&self) -> Result<&Parts, &Failure> {
        self.parts.as_deref()
    }
}

impl Parts {
    fn new(origin: Arc<str>, target: &TargetUrl) -> Result<Self, Invalid> {
        let url = target.url();
        let authority = match (url.host_str(), url.port()) {
            (Some(host), Some(port)) => format!("{host}:{port}"),
            (host, _) => host.unwrap_or_default().to_owned(),
        };
        let (host, literal) = match target.host() {
            Host::Domain(name) => (name.to_owned(), None),
            Host::Ipv4(ip) => (ip.to_string(), Some(IpAddr::V4(ip))),
            Host::Ipv6(ip) => (ip.to_string(), Some(IpAddr::V6(ip))),
        };
        let path = match url.query() {
            Some(query) => format!("{}?{query}", url.path()),
            None => url.path().to_owned(),
        };
        let unfit = |e: &dyn std::fmt::Display| Invalid(format!("HTTP can't ask for {target}: {e}"));
        let path: PathAndQuery = path.parse().map_err(|e| unfit(&e))?;
        let absolute =
            Uri::builder().scheme(url.scheme()).authority(authority.as_str()).path_and_query(path.clone());
        Ok(Self {
            origin,
            server_name: if target.is_https() { Some(server_name(&host, literal)?) } else { None },
            host: host.into(),
            literal,
            port: target.port(),
            path: path.into(),
            absolute: absolute.build().map_err(|e| unfit(&e))?,
            host_header: HeaderValue::try_from(authority).map_err(|e| unfit(&e))?,
        })
    }
}

fn server_name(host: &str, literal: Option<IpAddr>) -> Result<ServerName<'static>, Invalid> {
    match literal {
        Some(ip) => Ok(ServerName::IpAddress(ip.into())),
        // The dot of the root is no part of the name in SNI and certificates.
        None => ServerName::try_from(host.strip_suffix('.').unwrap_or(host).to_owned())
            .map_err(|_| Invalid(format!("{host} is not a DNS name"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prepared(url: &str) -> Target {
        Target::new(&url.parse().unwrap())
    }

    #[test]
    fn prepares_every_part() {
        for (url, origin, host_header, path) in [
            ("https://Example.com", "https://example.com:443", "example.com", "/"),
            (
                "https://example.com:8443/a%20b?c=%C3%BC&d",
                "https://example.com:8443",
                "example.com:8443",
                "/a%20b?c=%C3%BC&d",
            ),
            ("http://127.1/", "http://127.0.0.1:80", "127.0.0.1", "/"),
            ("https://[::1]:1/x?", "https://[::1]:1", "[::1]:1", "/x?"),
            (
                "https://bücher.example/ü",
                "https://xn--bcher-kva.example:443",
                "xn--bcher-kva.example",
                "/%C3%BC",
            ),
        ] {
            let target = prepared(url);
            assert_eq!(&**target.origin(), origin);
            let parts = target.parts().unwrap();
            assert_eq!(parts.host_header, host_header);
            assert_eq!(parts.path.to_string(), path);
            assert_eq!(parts.absolute.authority().unwrap().as_str(), host_header);
        }
        assert_eq!(&*prepared("https://[::1]/").parts().unwrap().host, "::1");
    }

    #[test]
    fn odd_but_legal_urls_are_carried() {
        for path in [
            "/a|b",
            "/%7B%7D",
            "/{x}",
            "/a'b(c)*!,;:@",
            "/x?q={\"a\":[1,2]}",
            "/x?a=`^|\\",
            "/[x]",
            "/^",
            "/~",
        ] {
            prepared(&format!("https://example.com{path}")).parts().unwrap();
        }
    }

    #[test]
    fn the_certificate_name_has_no_root() {
        let name = |url| prepared(url).parts().unwrap().server_name.clone();
        assert_eq!(name("https://example.com./").unwrap().to_str(), "example.com");
        assert!(name("http://example.com/").is_none());
        assert!(matches!(name("https://[::1]/"), Some(ServerName::IpAddress(_))));
    }

    #[test]
    fn a_name_that_no_certificate_can_show_fails_with_its_class() {
        let long = format!("https://{}.example/", "a".repeat(64));
        assert_eq!(prepared(&long).parts().unwrap_err().class, ErrorClass::InvalidRequest);
    }
}
