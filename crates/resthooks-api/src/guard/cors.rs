//! Which pages of other origins may call the API from a browser: none, unless they are named.
//!
//! A browser is never allowed to add what it has stored for this server, such as cookies: a page has to have a key and
//! show it.

use std::str::FromStr;
use std::time::Duration;

use http::header::{AUTHORIZATION, CONTENT_TYPE, LINK, LOCATION, ORIGIN, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use resthooks::model::Invalid;
use tower_http::cors::{AllowOrigin, CorsLayer};
use url::{Origin, Url};

/// How long a browser may remember what it is allowed: as long as any of them does.
const REMEMBERED: Duration = Duration::from_secs(2 * 60 * 60);
/// Headers of ours that requests may carry.
const OWN_HEADERS: [HeaderName; 2] =
    [HeaderName::from_static("idempotency-key"), HeaderName::from_static("x-hook-secret")];

/// The origin of pages that may call the API from a browser: `https://app.example.com`, or `*` for all pages there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CorsOrigin(HeaderValue);

impl CorsOrigin {
    fn is_any(&self) -> bool {
        self.0 == "*"
    }

    /// Whether a request comes from a page of this one origin. `*` names none.
    pub(super) fn is_of(&self, headers: &HeaderMap) -> bool {
        !self.is_any() && headers.get(ORIGIN).is_some_and(|origin| *origin == self.0)
    }
}

impl FromStr for CorsOrigin {
    type Err = Invalid;

    /// # Errors
    /// When it is neither `*` nor an origin: a scheme, a host and perhaps a port, and nothing behind them.
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let wrong = || Invalid("must be an origin such as https://app.example.com, or *".to_owned());
        if text == "*" {
            return Ok(Self(HeaderValue::from_static("*")));
        }
        let url = Url::parse(text).map_err(|_| wrong())?;
        // As a browser writes it: in lower case, without the port that goes without saying.
        let origin = match url.origin() {
            origin @ Origin::Tuple(..) if is_bare(&url, text) => origin.ascii_serialization(),
            _ => return Err(wrong()),
        };
        HeaderValue::from_str(&origin).map(Self).map_err(|_| wrong())
    }
}

fn is_bare(url: &Url, text: &str) -> bool {
    matches!(url.scheme(), "http" | "https")
        && url.username().is_empty()
        && url.password().is_none()
        && url.path() == "/"
        && url.query().is_none()
        && url.fragment().is_none()
        // No browser shows such an origin, and nobody means a host of this name.
        && !text.contains('*')
        && !text.ends_with('/')
}

/// What lets these in; none when nobody is named.
pub(crate) fn layer(origins: &[CorsOrigin]) -> Option<CorsLayer> {
    if origins.is_empty() {
        return None;
    }
    let allowed = if origins.iter().any(CorsOrigin::is_any) {
        AllowOrigin::any()
    } else {
        AllowOrigin::list(origins.iter().map(|origin| origin.0.clone()))
    };
    let [key, secret] = OWN_HEADERS;
    let layer = CorsLayer::new()
        .allow_origin(allowed)
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
        .allow_headers([AUTHORIZATION, CONTENT_TYPE, key, secret])
        .expose_headers([LOCATION, LINK, RETRY_AFTER])
        .max_age(REMEMBERED);
    Some(layer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins() {
        for (given, read) in [
            ("*", "*"),
            ("https://app.example.com", "https://app.example.com"),
            ("HTTPS://App.Example.com:443", "https://app.example.com"),
            ("http://localhost:3000", "http://localhost:3000"),
            ("https://bücher.example", "https://xn--bcher-kva.example"),
            ("http://[::1]:8080", "http://[::1]:8080"),
        ] {
            assert_eq!(given.parse::<CorsOrigin>().unwrap().0, read, "{given}");
        }
        for bad in [
            "",
            "null",
            "app.example.com",
            "https://",
            "https://app.example.com/",
            "https://app.example.com/x",
            "https://app.example.com?x",
            "https://app.example.com#x",
            "https://user@app.example.com",
            "https://*.example.com",
            "ftp://app.example.com",
            "file:///x",
            "data:text/html,x",
            "* ",
        ] {
            assert!(bad.parse::<CorsOrigin>().is_err(), "{bad}");
        }
    }
}
