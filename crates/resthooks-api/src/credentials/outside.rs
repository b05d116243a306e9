//! What is asked of others about callers: a set of keys, the provider's own authentication. By the engine's own HTTP
//! client, which follows no redirect and whose answers are bounded; but unlike targets, which callers choose, these were
//! named by the operator, and may be anywhere.

use std::sync::Arc;
use std::time::Duration;

use resthooks::deliver::guard::Policy;
use resthooks::deliver::http::{Client, Options, SetupError, Target};
use resthooks::model::{Invalid, TargetUrl};
use url::Host;

/// How much of an answer is read: a set of keys may be long.
pub(super) const MAX_ANSWER_BYTES: usize = 256 * 1024;

/// Somewhere that is asked.
#[derive(Debug, Clone)]
pub struct Endpoint {
    pub(super) target: Target,
    /// For the log: without its query, which may hold a secret.
    pub(super) name: String,
}

impl Endpoint {
    /// Takes a URL: `https`, or `http` on this machine; `http` elsewhere only in so many words, for whoever can change
    /// what is answered decides who is admitted.
    ///
    /// # Errors
    /// When it is something else.
    pub fn new(url: &str, clear_text: bool) -> Result<Self, Invalid> {
        let url: TargetUrl = url.parse()?;
        let is_here = match url.host() {
            Host::Domain(name) => name == "localhost",
            Host::Ipv4(ip) => ip.is_loopback(),
            Host::Ipv6(ip) => ip.is_loopback(),
        };
        if !url.is_https() && !is_here && !clear_text {
            return Err(Invalid::new("must be an https URL, unless it is on this machine"));
        }
        let mut shown = url.url().clone();
        shown.set_query(None);
        Ok(Self { target: Target::new(&url), name: shown.to_string() })
    }
}

/// A client for endpoints, with the clock, the resolver and the trust of the engine's.
///
/// # Errors
/// When TLS can't be set up with these options.
pub fn client(engine: &resthooks::Options, timeout: Duration) -> Result<Client, SetupError> {
    let policy = Policy { allow_http: true, allow_private: true, ..Policy::default() };
    let mut options = Options::new(policy, Arc::clone(&engine.resolver), Arc::clone(&engine.clock));
    options.connect_timeout = timeout;
    options.total_timeout = timeout;
    options.body_timeout = timeout;
    options.body_kept = MAX_ANSWER_BYTES;
    options.extra_roots = engine.extra_roots.iter().map(|der| der.clone().into()).collect();
    Client::new(options)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clear_text_stays_on_this_machine_unless_said() {
        for good in [
            "https://issuer.example/keys?x=1",
            "http://127.0.0.1:9/",
            "http://[::1]:9/",
            "http://localhost/",
            "https://10.0.0.1/",
        ] {
            assert!(Endpoint::new(good, false).is_ok(), "{good}");
        }
        for bad in ["http://issuer.example/", "http://10.0.0.1/", "http://localhost.example/"] {
            assert!(Endpoint::new(bad, false).is_err() && Endpoint::new(bad, true).is_ok(), "{bad}");
        }
        for bad in ["", "issuer.example", "ftp://issuer.example/", "https://u:p@issuer.example/"] {
            assert!(Endpoint::new(bad, true).is_err(), "{bad}");
        }
        assert_eq!(Endpoint::new("https://a.example/k?key=s", false).unwrap().name, "https://a.example/k");
    }
}
