//! An outbound proxy: connections are asked of it by HTTP `CONNECT` instead of being opened.
//!
//! Names are resolved and addresses judged here all the same, and the proxy is asked for the judged address: it never
//! learns a name, and can't be made to resolve one to somewhere else. TLS is spoken with the target, through it. Its
//! own address is the operator's choice and is not judged.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use url::{Host, Url};

use super::Failure;
use super::limits::PROXY_HEAD_BYTES;
use crate::model::{ErrorClass, Invalid, format_duration};

/// Where the proxy is and how we prove ourselves to it: `http://[user:password@]host:port`. Shown without its
/// credentials.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    host: Box<str>,
    literal: Option<IpAddr>,
    port: u16,
    /// What `proxy-authorization` says.
    authorization: Option<Box<str>>,
}

impl Proxy {
    /// Its name, or its address without brackets.
    pub(super) fn host(&self) -> &str {
        &self.host
    }

    /// Its address, where it is given by one.
    pub(super) fn literal(&self) -> Option<IpAddr> {
        self.literal
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Asks for a connection to `address`. Afterwards `stream` is that connection: not a byte of it has been read.
    pub(super) async fn tunnel(&self, stream: &mut TcpStream, address: SocketAddr) -> Result<(), Failure> {
        let credentials = self.authorization.as_ref();
        let credentials =
            credentials.map_or_else(String::new, |proof| format!("proxy-authorization: {proof}\r\n"));
        let request = format!("CONNECT {address} HTTP/1.1\r\nhost: {address}\r\n{credentials}\r\n");
        stream.write_all(request.as_bytes()).await.map_err(|e| broken(&e))?;
        let mut bounded = stream.take(PROXY_HEAD_BYTES);
        let mut head = Vec::with_capacity(512);
        loop {
            while let Some(end) = head.windows(4).position(|four| four == b"\r\n\r\n") {
                let rest = head.split_off(end + 4);
                match status(&head) {
                    // An interim answer: the one that counts follows.
                    Some(100..=199) => head = rest,
                    Some(200..=299) if rest.is_empty() => return Ok(()),
                    Some(200..=299) => return Err(failed("the outbound proxy speaks for the target")),
                    Some(code) => {
                        return Err(failed(format!("the outbound proxy answered {code} for {address}")));
                    }
                    None => return Err(failed("the outbound proxy does not speak HTTP")),
                }
            }
            if bounded.read_buf(&mut head).await.map_err(|e| broken(&e))? == 0 {
                let is_too_long = bounded.limit() == 0;
                return Err(failed(if is_too_long {
                    "the outbound proxy's answer is too long"
                } else {
                    "the outbound proxy closed the connection"
                }));
            }
        }
    }
}

/// The status of an answer's head, `HTTP/1.1 200 …`.
fn status(head: &[u8]) -> Option<u16> {
    let (version, rest) = head.split_at_checked(9)?;
    let (code, rest) = rest.split_at_checked(3)?;
    let is_http =
        matches!(version, b"HTTP/1.1 " | b"HTTP/1.0 ") && matches!(rest.first(), Some(b' ' | b'\r'));
    let code: u16 = std::str::from_utf8(code).ok()?.parse().ok()?;
    (is_http && (100..=599).contains(&code)).then_some(code)
}

fn failed(detail: impl Into<String>) -> Failure {
    Failure::new(ErrorClass::Proxy, detail)
}

fn broken(error: &std::io::Error) -> Failure {
    failed(format!("the connection to the outbound proxy broke: {error}"))
}

/// The proxy could not be reached.
pub(super) fn unreached(error: &std::io::Error) -> Failure {
    failed(format!("the outbound proxy could not be reached: {error}"))
}

/// The proxy has not opened a connection within `limit`.
pub(super) fn late(address: SocketAddr, limit: Duration) -> Failure {
    let limit = format_duration(limit);
    failed(format!("the outbound proxy did not connect to {address} within {limit}"))
}

impl FromStr for Proxy {
    type Err = Invalid;

    /// Never repeats what was given: it may hold a password.
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let wrong = || {
            Invalid::new("must be the URL of an HTTP proxy, such as http://user:password@proxy.example:3128")
        };
        if text.bytes().any(|b| b.is_ascii_control() || b == b' ') {
            return Err(wrong());
        }
        let url = Url::parse(text).map_err(|_| wrong())?;
        let is_bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        if url.scheme() != "http" || !is_bare || url.port() == Some(0) {
            return Err(wrong());
        }
        let (host, literal) = match url.host().ok_or_else(wrong)? {
            Host::Domain(name) => (name.to_owned(), None),
            Host::Ipv4(ip) => (ip.to_string(), Some(ip.into())),
            Host::Ipv6(ip) => (ip.to_string(), Some(ip.into())),
        };
        let (user, password) = (url.username(), url.password().unwrap_or_default());
        let has_credentials = !user.is_empty() || !password.is_empty();
        if percent_decode_str(user).any(|byte| byte == b':') {
            return Err(Invalid::new("must not have a colon in its user name"));
        }
        let proof: Vec<u8> =
            percent_decode_str(user).chain([b':']).chain(percent_decode_str(password)).collect();
        let authorization = has_credentials.then(|| format!("Basic {}", STANDARD.encode(proof)).into());
        let port = url.port_or_known_default().ok_or_else(wrong)?;
        Ok(Self { host: host.into(), literal, port, authorization })
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let credentials = if self.authorization.is_some() { "***@" } else { "" };
        match self.literal {
            Some(IpAddr::V6(ip)) => write!(f, "http://{credentials}[{ip}]:{}", self.port),
            _ => write!(f, "http://{credentials}{}:{}", self.host, self.port),
        }
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_urls_and_shows_no_credentials() {
        for (given, shown, proof) in [
            ("http://proxy.example:3128", "http://proxy.example:3128", None),
            ("http://proxy.example/", "http://proxy.example:80", None),
            ("http://PROXY.example:3128/", "http://proxy.example:3128", None),
            ("http://[::1]:3128", "http://[::1]:3128", None),
            ("http://u:p@10.0.0.1:3128", "http://***@10.0.0.1:3128", Some("u:p")),
            ("http://u@proxy.example:1", "http://***@proxy.example:1", Some("u:")),
            ("http://u%40x:p%3Aq%2F%25@proxy.example:1", "http://***@proxy.example:1", Some("u@x:p:q/%")),
        ] {
            let proxy: Proxy = given.parse().unwrap();
            assert_eq!(
                (proxy.to_string(), format!("{proxy:?}")),
                (shown.to_owned(), format!("Proxy({shown})"))
            );
            let expected = proof.map(|proof| format!("Basic {}", STANDARD.encode(proof)));
            assert_eq!(proxy.authorization.as_deref(), expected.as_deref(), "{given}");
        }
    }

    #[test]
    fn refuses_what_is_no_proxy_without_repeating_it() {
        for bad in [
            "",
            "proxy.example:3128",
            "https://u:hush@proxy.example:3128",
            "socks5://u:hush@proxy.example:3128",
            "http://u:hush@proxy.example:3128/path",
            "http://u:hush@proxy.example:3128?q",
            "http://u:hush@proxy.example:3128#f",
            "http://u:hush@proxy.example:0",
            "http://u:hush@",
            "http://u%3Ax:hush@proxy.example:1",
            "http://u:hush@proxy.example:1\r\nx: y",
        ] {
            let refused = bad.parse::<Proxy>().unwrap_err().to_string();
            assert!(!refused.contains("hush"), "{refused}");
        }
    }

    #[test]
    fn reads_the_status_of_an_answer() {
        for (head, code) in [
            ("HTTP/1.1 200 Connection established\r\n\r\n", Some(200)),
            ("HTTP/1.0 407 x\r\na: b\r\n\r\n", Some(407)),
            ("HTTP/1.1 200\r\n\r\n", Some(200)),
            ("HTTP/1.1 2000 x\r\n\r\n", None),
            ("HTTP/1.1 +20 x\r\n\r\n", None),
            ("HTTP/1.1 099 x\r\n\r\n", None),
            ("HTTP/2 200 x\r\n\r\n", None),
            ("SSH-2.0-x\r\n\r\n", None),
            ("\r\n\r\n", None),
        ] {
            assert_eq!(status(head.as_bytes()), code, "{head}");
        }
    }
}
