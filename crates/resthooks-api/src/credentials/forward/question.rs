//! What is asked: the headers by which a caller proves itself, and what it wants.

use axum::extract::OriginalUri;
use http::header::{ACCEPT, COOKIE, USER_AGENT};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::credentials::cache::Fingerprint;

const ORIGINAL_METHOD: HeaderName = HeaderName::from_static("x-original-method");
const ORIGINAL_URI: HeaderName = HeaderName::from_static("x-original-uri");

/// One question.
#[derive(Debug)]
pub(super) struct Question {
    /// What is sent.
    pub headers: HeaderMap,
    /// What an answer is kept under: all that is sent of the caller's. The provider may decide by the method and the URI,
    /// and so the answer to another request is another answer.
    pub name: Fingerprint,
}

/// A header was given more than once of which one counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ambiguous;

impl Question {
    /// Takes these headers from a request; nothing when it has none of them, and so shows nothing.
    pub(super) fn of(parts: &Parts, shown: &[HeaderName]) -> Result<Option<Self>, Ambiguous> {
        let mut headers = HeaderMap::new();
        for name in shown {
            if let Some(value) = one(&parts.headers, name)? {
                headers.insert(name, value);
            }
        }
        if headers.is_empty() {
            return Ok(None);
        }
        let uri = parts.extensions.get::<OriginalUri>().map_or(&parts.uri, |original| &original.0);
        let uri = uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
        let mut said: Vec<&[u8]> = vec![parts.method.as_str().as_bytes(), uri.as_bytes()];
        for name in shown {
            let value = headers.get(name);
            let is_there: &[u8] = if value.is_some() { b"+" } else { b"-" };
            said.extend([is_there, value.map_or(&[][..], HeaderValue::as_bytes)]);
        }
        let name = Fingerprint::of(said);
        let text = |text: &str| HeaderValue::from_str(text).map_err(|_| Ambiguous);
        // Last, so that no caller's own header of these names is taken for ours.
        headers.insert(ORIGINAL_METHOD, text(parts.method.as_str())?);
        headers.insert(ORIGINAL_URI, text(uri)?);
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.entry(USER_AGENT).or_insert(crate::credentials::OUR_NAME);
        Ok(Some(Self { headers, name }))
    }
}

/// A header's one value. Cookies may come in several pieces (RFC 9113, section 8.2.3).
fn one(headers: &HeaderMap, name: &HeaderName) -> Result<Option<HeaderValue>, Ambiguous> {
    let mut values = headers.get_all(name).iter();
    let Some(first) = values.next() else { return Ok(None) };
    let more: Vec<_> = values.map(HeaderValue::as_bytes).collect();
    if more.is_empty() {
        return Ok(Some(first.clone()));
    }
    if *name != COOKIE {
        return Err(Ambiguous);
    }
    let all = std::iter::once(first.as_bytes()).chain(more).collect::<Vec<_>>().join(&b"; "[..]);
    HeaderValue::from_bytes(&all).map(Some).map_err(|_| Ambiguous)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(request: http::request::Builder, shown: &[&'static str]) -> Result<Option<Question>, Ambiguous> {
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let shown: Vec<_> = shown.iter().map(|name| HeaderName::from_static(name)).collect();
        Question::of(&parts, &shown)
    }

    fn request() -> http::request::Builder {
        http::Request::get("/api/v1/event/?a=b").header("authorization", "Bearer t")
    }

    #[test]
    fn sends_what_is_listed_and_no_more() {
        let request = request().header("cookie", "a=1").header("cookie", "b=2").header("x-other", "secret");
        let request = request.header("x-original-uri", "/forged");
        let question = ask(request, &["authorization", "cookie", "x-absent"]).unwrap().unwrap();
        let sent: Vec<_> = question.headers.iter().map(|(n, v)| (n.as_str(), v.to_str().unwrap())).collect();
        assert!(sent.contains(&("authorization", "Bearer t")) && sent.contains(&("cookie", "a=1; b=2")));
        assert!(sent.contains(&("x-original-method", "GET")));
        assert!(sent.contains(&("x-original-uri", "/api/v1/event/?a=b")));
        assert_eq!(sent.len(), 6, "{sent:?}");
    }

    #[test]
    fn shows_nothing_or_one_thing() {
        assert!(ask(request(), &["cookie"]).unwrap().is_none());
        assert!(ask(request().header("authorization", "Bearer u"), &["authorization"]).is_err());
    }

    #[test]
    fn another_request_is_another_question() {
        let name = |request: http::request::Builder| {
            ask(request, &["authorization", "cookie"]).unwrap().unwrap().name
        };
        assert_eq!(name(request()), name(request().header("x-other", "1")));
        for other in [
            request().method("POST"),
            request().uri("/api/v1/event/?a=c"),
            request().header("cookie", ""),
            request().header("cookie", "a=1"),
            http::Request::get("/api/v1/event/?a=b").header("authorization", "Bearer u"),
            http::Request::get("/api/v1/event/?a=b").header("cookie", "Bearer t"),
        ] {
            assert_ne!(name(request()), name(other));
        }
    }
}
