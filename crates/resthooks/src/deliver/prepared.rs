//! What sending to a subscription needs, made once per version of it.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::http::Target;
use super::mask::Mask;
use super::payload;
use super::sign::{Key, keys_of};
use crate::model::{EventPattern, Subscription, is_credential};

/// Parsed target, keys, and the constant parts of headers and bodies.
#[derive(Debug)]
pub(crate) struct Prepared {
    /// Where to connect and what to ask for.
    pub target: Target,
    /// The signing keys, the newest first.
    pub keys: Vec<Key>,
    /// The headers that are alike in every request.
    pub headers: HeaderMap,
    /// What must not be kept of answers.
    pub mask: Mask,
    ends: Vec<(EventPattern, Bytes)>,
}

impl Prepared {
    pub(crate) fn new(subscription: &Subscription) -> Self {
        let end =
            |pattern: &EventPattern| payload::hook_end(subscription.id, pattern, &subscription.target_url);
        Self {
            target: Target::new(&subscription.target_url),
            keys: keys_of(subscription),
            headers: constant_headers(subscription),
            mask: Mask::of(subscription),
            ends: subscription.events.iter().map(|pattern| (pattern.clone(), end(pattern))).collect(),
        }
    }

    /// The end of bodies for events wanted through this pattern.
    pub(crate) fn hook_end(&self, pattern: &EventPattern) -> Option<&Bytes> {
        self.ends.iter().find(|(own, _)| own == pattern).map(|(_, end)| end)
    }

    /// The end for an event that it does not want (any more): named by its first pattern.
    pub(crate) fn first_hook_end(&self) -> Bytes {
        self.ends.first().map(|(_, end)| end.clone()).unwrap_or_else(|| Bytes::from_static(b"}"))
    }
}

fn constant_headers(subscription: &Subscription) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in &subscription.headers {
        // Checked when the subscription was written; what no longer passes is left out rather than sent crooked.
        if let (Ok(key), Ok(mut shown)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            // Not printed, and not put into HTTP/2's table of headers.
            shown.set_sensitive(is_credential(name, value));
            headers.insert(key, shown);
        }
    }
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let agent = HeaderValue::from_static(concat!("resthooks/", env!("CARGO_PKG_VERSION")));
    headers.insert(header::USER_AGENT, agent);
    let id = HeaderValue::try_from(subscription.id.to_string()).expect("an id is a header value");
    headers.insert(HeaderName::from_static("x-hook-subscription"), id);
    headers
}
