//! Target URLs.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use url::{Host, Url};

use super::Invalid;

/// Where a subscription's hooks go: an absolute `http` or `https` URL with a host, without user info or fragment,
/// at most 2,048 bytes in its normalised form (WHATWG URL: lower-case host, IDNA to ASCII, numeric hosts as
/// addresses). Whether `http` and the host's addresses are allowed is not decided here but by the address guard.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct TargetUrl(Url);

impl TargetUrl {
    /// The longest URL, in bytes.
    pub const MAX_LEN: usize = 2048;

    /// The normalised URL.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The parsed URL.
    #[must_use]
    pub const fn url(&self) -> &Url {
        &self.0
    }

    /// The same with these pairs behind its own query, which stays as it is. Longer than a target can be, perhaps.
    #[must_use]
    pub(crate) fn with_query(&self, pairs: &[(&str, &str)]) -> Self {
        let mut url = self.0.clone();
        url.query_pairs_mut().extend_pairs(pairs);
        Self(url)
    }

    /// Whether it is `https`.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// Its host: a domain in ASCII, or an address.
    #[must_use]
    pub fn host(&self) -> Host<&str> {
        self.0.host().expect("checked when it was parsed")
    }

    /// Its port, given or by scheme.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.0.port_or_known_default().unwrap_or(443)
    }
}

impl FromStr for TargetUrl {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        if text.len() > Self::MAX_LEN {
            return Err(Invalid(format!("must be at most {} bytes", Self::MAX_LEN)));
        }
        if text.bytes().any(|b| b.is_ascii_control() || b == b' ') {
            return Err(Invalid::new("must not contain spaces or control characters"));
        }
        let url = Url::parse(text).map_err(|e| Invalid(format!("must be an absolute URL: {e}")))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(Invalid::new("must be an https URL"));
        }
        if url.host_str().is_none_or(str::is_empty) {
            return Err(Invalid::new("must name a host"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Invalid::new("must not contain user info; use headers for credentials"));
        }
        if url.fragment().is_some() {
            return Err(Invalid::new("must not contain a fragment"));
        }
        if url.port() == Some(0) {
            return Err(Invalid::new("must not have port 0"));
        }
        if url.as_str().len() > Self::MAX_LEN {
            return Err(Invalid(format!("must be at most {} bytes", Self::MAX_LEN)));
        }
        Ok(Self(url))
    }
}

impl fmt::Display for TargetUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for TargetUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl Serialize for TargetUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for TargetUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]

        #[test]
        fn what_is_taken_is_normal_and_bare(
            text in prop_oneof![
                "\\PC{0,40}",
                "(?i)https?:/{0,3}(\\PC{0,4}@)?[a-z0-9.%０-９\\[\\]:-]{0,24}(:[0-9]{0,6})?([/?#\\\\]\\PC{0,16})?",
                "https://[\\x00-\\x7f]{0,24}",
            ],
        ) {
            let Ok(target) = text.parse::<TargetUrl>() else { return Ok(()) };
            prop_assert_eq!(target.as_str().parse::<TargetUrl>().unwrap(), target.clone(), "normal by now");
            let url = target.url();
            prop_assert!(matches!(url.scheme(), "http" | "https"));
            prop_assert!(url.username().is_empty() && url.password().is_none() && url.fragment().is_none());
            prop_assert!(url.host_str().is_some_and(|host| !host.is_empty()) && target.port() != 0);
            prop_assert!(target.as_str().len() <= TargetUrl::MAX_LEN);
            prop_assert!(target.as_str().bytes().all(|b| b.is_ascii_graphic()), "{}", target);
        }
    }

    #[test]
    fn normalises() {
        for (given, kept) in [
            ("https://EXAMPLE.com", "https://example.com/"),
            ("https://bücher.example/x?a=1", "https://xn--bcher-kva.example/x?a=1"),
            ("http://0x7f.1:8080/h", "http://127.0.0.1:8080/h"),
            ("https://[::1]/", "https://[::1]/"),
        ] {
            assert_eq!(given.parse::<TargetUrl>().unwrap().as_str(), kept);
        }
    }

    #[test]
    fn a_query_grows_behind_its_own() {
        for (given, grown) in [
            ("https://example.com", "https://example.com/?a.b=1&c=*+%26"),
            ("https://example.com/x?", "https://example.com/x?a.b=1&c=*+%26"),
            ("https://example.com/x?y=%20z&q", "https://example.com/x?y=%20z&q&a.b=1&c=*+%26"),
        ] {
            let target = given.parse::<TargetUrl>().unwrap().with_query(&[("a.b", "1"), ("c", "* &")]);
            assert_eq!(target.as_str(), grown);
        }
    }

    #[test]
    fn refuses() {
        let long = format!("https://example.com/{}", "a".repeat(2048));
        for bad in [
            "",
            "example.com",
            "/x",
            "ftp://example.com/",
            "https://",
            "https:///x y",
            "https://u@example.com/",
            "https://u:p@example.com/",
            "https://example.com/#f",
            "https://example.com:0/",
            "https://exa mple.com/",
            "https://example.com/\r\nx",
            "javascript:alert(1)",
            "https://256.256.256.256/",
            &long,
        ] {
            assert!(bad.parse::<TargetUrl>().is_err(), "{bad}");
        }
    }
}
