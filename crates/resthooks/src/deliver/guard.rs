//! The address guard: which targets may be written, and which addresses may be connected to.
//!
//! A target is judged twice. When a subscription is written, [`Policy::check_url`] refuses what can be known then.
//! When a connection is needed, [`Policy::check_place`] judges the same again, for the policy may have become stricter,
//! and [`Policy::check_address`] every resolved address, right before a connection to exactly that address is opened: a
//! name that resolves to something else by then gains nothing. This module never resolves, never connects, and judges
//! nothing but what it is given.

mod names;
mod ports;
mod ranges;

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;
use rustls::pki_types::ServerName;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use url::Host;

use crate::model::{Invalid, TargetUrl};

/// What may be sent to. The default is public addresses through `https` and nothing else.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    /// Allows `http` targets. The allow-list does not imply it: a plain-text target is a decision of its own.
    pub allow_http: bool,
    /// Allows every address, name and port. For development on one machine; never where others write subscriptions.
    pub allow_private: bool,
    /// Allowed although they are not public.
    pub allowed: Vec<Allow>,
    /// Ports that are allowed although other services than receivers of webhooks use them.
    pub allowed_ports: Vec<u16>,
}

/// A target that is allowed although its address is not public: `10.1.0.0/16`, `10.1.2.3`, `hooks.corp.example` or
/// `*.corp.example`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Allow {
    /// These addresses, whatever name led to them.
    Net(IpNet),
    /// This name, whatever it resolves to; in lower case. `*.` in front stands for one or more labels.
    Host(String),
}

/// An address that must not be connected to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{address} is not a public address ({range})")]
pub struct Blocked {
    /// The address.
    pub address: IpAddr,
    /// The special-purpose range that it lies in, in words.
    pub range: &'static str,
}

impl Policy {
    /// Judges a target when a subscription is written: `http` without leave, a port of other services, an address that
    /// is not public, a name that stands for a private place. Names are not resolved.
    ///
    /// # Errors
    /// Says, for the caller, why the target is refused.
    pub fn check_url(&self, target: &TargetUrl) -> Result<(), Invalid> {
        let (name, literal): (_, Option<IpAddr>) = match target.host() {
            Host::Domain(name) => (Some(name), None),
            Host::Ipv4(ip) => (None, Some(ip.into())),
            Host::Ipv6(ip) => (None, Some(ip.into())),
        };
        self.check_place(target.is_https(), name, target.port())?;
        literal.map_or(Ok(()), |address| {
            self.check_address(address, "")
                .map_err(|blocked| Invalid(format!("must have a public address: {blocked}")))
        })
    }

    /// Judges a target by its parts but for its address, if it is given by one.
    ///
    /// # Errors
    /// Says, to go on after "the target", why it is refused.
    pub fn check_place(&self, is_https: bool, name: Option<&str>, port: u16) -> Result<(), Invalid> {
        if !is_https && !self.allow_http {
            return Err(Invalid::new("must be an https URL"));
        }
        if ports::is_refused(port) && !self.allow_private && !self.allowed_ports.contains(&port) {
            return Err(Invalid(format!("must not have port {port}, which is not a web server's")));
        }
        name.map_or(Ok(()), |name| self.check_name(without_root(name)))
    }

    /// Judges an address that `host` resolved to (or is), right before it is connected to.
    ///
    /// # Errors
    /// When it is not public and nothing allows it.
    pub fn check_address(&self, address: IpAddr, host: &str) -> Result<(), Blocked> {
        let Some(range) = ranges::special_purpose(address) else { return Ok(()) };
        let is_allowed = self.allow_private
            || self.allowed.iter().any(|allow| match allow {
                Allow::Net(net) => net.contains(&address) && self.leads_to_allowed(address, net),
                Allow::Host(pattern) => name_matches(pattern, host),
            });
        if is_allowed { Ok(()) } else { Err(Blocked { address, range }) }
    }

    /// Where a whole range of IPv6 addresses is allowed that are a way to IPv4 ones, such as NAT64's, where that way
    /// leads is judged too. One such address is allowed by itself.
    fn leads_to_allowed(&self, address: IpAddr, net: &IpNet) -> bool {
        let IpAddr::V6(address) = address else { return true };
        let is_meant = net.prefix_len() == net.max_prefix_len();
        let embedded = ranges::embedded(address);
        is_meant || embedded.is_none_or(|inner| self.check_address(inner.into(), "").is_ok())
    }

    /// A private name passes where a network is allowed: it may resolve into that, which is judged at each attempt.
    fn check_name(&self, name: &str) -> Result<(), Invalid> {
        if name.split('.').any(str::is_empty) || ServerName::try_from(name).is_err() {
            return Err(Invalid(format!("must have a DNS name as its host: {name}")));
        }
        let is_allowed = self.allow_private
            || self.allowed.iter().any(|allow| match allow {
                Allow::Net(_) => true,
                Allow::Host(pattern) => name_matches(pattern, name),
            });
        if names::is_private(name) && !is_allowed {
            return Err(Invalid(format!("must have a public name: {name} is a private one")));
        }
        Ok(())
    }
}

/// A name without the dot that may end it.
fn without_root(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

fn name_matches(pattern: &str, name: &str) -> bool {
    let name = without_root(name);
    match pattern.strip_prefix('*') {
        None => name.eq_ignore_ascii_case(pattern),
        Some(end) => {
            let at = name.len().saturating_sub(end.len());
            at > 0 && name.get(at..).is_some_and(|last| last.eq_ignore_ascii_case(end))
        }
    }
}

impl FromStr for Allow {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
        if let Ok(address) = bare.parse::<IpAddr>() {
            return Ok(Self::Net(address.into()));
        }
        if text.contains('/') {
            let net: IpNet =
                text.parse().map_err(|_| Invalid::new("must be a network such as 10.1.0.0/16"))?;
            return Ok(Self::Net(net.trunc()));
        }
        let (wildcard, name) = match text.strip_prefix("*.") {
            Some(parent) => ("*.", parent),
            None => ("", text),
        };
        // What the URL parser makes of it: lower case, IDNA in ASCII, and numeric forms as addresses.
        match Host::parse(name) {
            Ok(Host::Domain(name)) if !name.contains('*') && !without_root(&name).is_empty() => {
                Ok(Self::Host(format!("{wildcard}{}", without_root(&name))))
            }
            Ok(Host::Ipv4(address)) if wildcard.is_empty() => Ok(Self::Net(IpAddr::V4(address).into())),
            _ => Err(Invalid::new(
                "must be a network, an address or a host name: 10.1.0.0/16, 10.1.2.3, hooks.example.com, *.example.com",
            )),
        }
    }
}

impl fmt::Display for Allow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Net(net) => net.fmt(f),
            Self::Host(name) => f.write_str(name),
        }
    }
}

impl Serialize for Allow {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Allow {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests;
