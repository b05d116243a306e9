//! What a page of another origin may have a browser send: nothing that changes anything, by credentials that the browser
//! adds by itself.
//!
//! Cookies that are shown to the provider, what a proxy in front knows its callers by, and a password that was once typed
//! in come along with whatever a page has a browser send, and a form needs nobody's leave to be sent. A browser says of
//! itself whose page it was; a token in `Authorization` is put there by somebody who has it.

use http::header::{AUTHORIZATION, ORIGIN};
use http::request::Parts;
use http::{HeaderMap, HeaderName, StatusCode};

use super::CorsOrigin;
use crate::problem::Problem;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Refuses a change that another origin's page asks for with what is not its own to show.
pub(super) fn check(parts: &Parts, allowed: &[CorsOrigin]) -> Result<(), Problem> {
    if parts.method.is_safe()
        || !is_of_another_origin(&parts.headers)
        || has_token(&parts.headers)
        || allowed.iter().any(|origin| origin.is_of(&parts.headers))
    {
        return Ok(());
    }
    let detail =
        "a page of another origin may ask for this with a token alone, or when --cors-origin names it";
    Err(Problem::new(StatusCode::FORBIDDEN, "cross_origin", detail))
}

/// Whether a browser says that it is: no page can have it say otherwise. Browsers of before 2023 may say only from where.
fn is_of_another_origin(headers: &HeaderMap) -> bool {
    match headers.get(SEC_FETCH_SITE) {
        Some(site) => site != "same-origin" && site != "none",
        // Such a page has no origin that could be ours.
        None => headers.get(ORIGIN).is_some_and(|origin| origin == "null"),
    }
}

fn has_token(headers: &HeaderMap) -> bool {
    let shown = headers.get(AUTHORIZATION).map(http::HeaderValue::as_bytes).unwrap_or_default();
    shown.split(|byte| *byte == b' ').next().is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"bearer"))
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    #[test]
    fn only_what_a_browser_adds_by_itself_is_refused() {
        let named: CorsOrigin = "https://app.example.com".parse().unwrap();
        let any: CorsOrigin = "*".parse().unwrap();
        let (own, other) = (("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site"));
        let evil = ("origin", "https://evil.example");
        let app = ("origin", "https://app.example.com");
        let cookie = ("cookie", "session=1");
        for (method, headers, allowed, passes) in [
            ("POST", &[cookie][..], &[][..], true),
            ("POST", &[cookie, own], &[], true),
            ("POST", &[cookie, ("sec-fetch-site", "none")], &[], true),
            ("GET", &[cookie, other, evil], &[], true),
            ("HEAD", &[cookie, other, evil], &[], true),
            ("POST", &[cookie, other, evil], &[], false),
            ("POST", &[cookie, other], &[], false),
            ("PUT", &[cookie, ("sec-fetch-site", "same-site"), evil], &[], false),
            ("DELETE", &[cookie, ("sec-fetch-site", "what?")], &[], false),
            ("POST", &[cookie, ("origin", "null")], &[], false),
            ("POST", &[("authorization", "Basic YTo="), other, evil], &[], false),
            ("POST", &[("authorization", "bearer x"), other, evil], &[], true),
            ("POST", &[cookie, other, app], std::slice::from_ref(&named), true),
            ("POST", &[cookie, other, evil], std::slice::from_ref(&named), false),
            ("POST", &[cookie, other, evil], std::slice::from_ref(&any), false),
        ] {
            let mut request = Request::builder().method(method);
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let (parts, ()) = request.body(()).unwrap().into_parts();
            assert_eq!(check(&parts, allowed).is_ok(), passes, "{method} {headers:?} {allowed:?}");
        }
    }
}
