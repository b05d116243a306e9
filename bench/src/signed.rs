//! Requests like real deliveries: the same headers, the same body, both signatures.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, header};
use http_body_util::Full;
use ring::hmac;

use crate::payload::{EVENT, data};

/// The unique part of an id.
const UID: &str = "01jz3n8v5t2c4x6b7m9q0w1e2r";

/// What does not change from request to request.
#[derive(Debug)]
pub(crate) struct Signed {
    standard: hmac::Key,
    hook: hmac::Key,
    headers: HeaderMap,
    data: String,
    end: String,
    sequence: AtomicU64,
}

impl Signed {
    /// For a target at this address.
    pub(crate) fn new(target: SocketAddr) -> Self {
        let secret = [42; 32];
        let shown = format!("whsec_{}", STANDARD.encode(secret));
        let mut headers = HeaderMap::with_capacity(16);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::USER_AGENT, HeaderValue::from_static("resthooks/0.1.0"));
        let text = |text: String| HeaderValue::try_from(text).expect("an id or an address is a header value");
        headers.insert(HeaderName::from_static("x-hook-subscription"), text(format!("sub_{UID}")));
        headers.insert(header::HOST, text(target.to_string()));
        let end = format!(
            r#","hook":{{"id":"sub_{UID}","event":"{EVENT}","target":"http://{target}/hooks/limit"}}}}"#
        );
        Self {
            standard: hmac::Key::new(hmac::HMAC_SHA256, &secret),
            hook: hmac::Key::new(hmac::HMAC_SHA256, shown.as_bytes()),
            headers,
            data: data(),
            end,
            sequence: AtomicU64::new(0),
        }
    }

    /// The next request.
    pub(crate) fn request(&self) -> Request<Full<Bytes>> {
        let sequence = self.sequence.fetch_add(1, Ordering::Relaxed);
        let seconds = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.as_secs());
        let id = format!("dlv_{sequence:026}{UID}");
        let body = format!(
            r#"{{"id":"evt_{sequence:026}","type":"{EVENT}","timestamp":"2026-01-02T03:04:05.678Z","data":{}{}"#,
            self.data, self.end
        );
        let mut headers = self.headers.clone();
        let mut insert = |name: &'static str, value: String| {
            let value = HeaderValue::try_from(value).expect("what is sent is visible ASCII");
            headers.insert(HeaderName::from_static(name), value);
        };
        insert("webhook-signature", self.standard_signature(&id, seconds, &body));
        insert("x-hook-signature", self.hook_signature(&body));
        insert("webhook-id", id);
        insert("webhook-timestamp", seconds.to_string());
        insert("x-hook-event", EVENT.to_owned());
        insert("x-hook-sequence", sequence.to_string());
        insert("x-hook-attempt", "1".to_owned());
        let mut request = Request::new(Full::new(Bytes::from(body)));
        *request.method_mut() = http::Method::POST;
        *request.uri_mut() = http::Uri::from_static("/hooks/limit");
        *request.headers_mut() = headers;
        request
    }

    fn standard_signature(&self, id: &str, seconds: u64, body: &str) -> String {
        let mut context = hmac::Context::with_key(&self.standard);
        context.update(format!("{id}.{seconds}.").as_bytes());
        context.update(body.as_bytes());
        format!("v1,{}", STANDARD.encode(context.sign()))
    }

    fn hook_signature(&self, body: &str) -> String {
        const DIGITS: [u8; 16] = *b"0123456789abcdef";
        let tag = hmac::sign(&self.hook, body.as_bytes());
        let digit = |nibble: u8| char::from(DIGITS.get(usize::from(nibble)).copied().unwrap_or_default());
        tag.as_ref().iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
    }
}
