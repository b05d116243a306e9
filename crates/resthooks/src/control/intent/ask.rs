//! Asking a target once, by its subscription's policy.
//!
//! A target that wants to know who calls finds what it finds with every delivery: the subscription's own headers, its id,
//! and our name. What is kept of the answer is short, and the round's secret is not in it.

use http::{HeaderMap, HeaderName, HeaderValue, Method, header};

use super::finding::Finding;
use super::handshake::Round;
use super::{challenge, echo, options};
use crate::core::Core;
use crate::deliver::http::{Body, Call, Exchange, Target};
use crate::deliver::recorded;
use crate::index::Live;
use crate::model::{Attempt, HandshakeSecret, Intent};

/// How much of an answer's body, and of its headers, is kept.
const KEPT_BYTES: usize = 1024;

/// What came of asking.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) attempt: Attempt,
    pub(super) finding: Finding,
}

/// Asks, within the client's timeouts; `None` when there is nothing to ask for.
pub(super) async fn ask(core: &Core, live: &Live, round: &Round) -> Option<Asked> {
    let none = HandshakeSecret::new(String::new());
    let secret = match round {
        Round::Handshake(secret) => secret,
        Round::Renewal(_) => &none,
    };
    let started_at = core.options.clock.now();
    let mut headers = live.prepared.headers.clone();
    // There is no body whose type could be said.
    headers.remove(header::CONTENT_TYPE);
    let (exchange, finding) = match live.subscription.intent {
        Intent::None => return None,
        Intent::Echo => {
            add(&mut headers, echo::HOOK_SECRET, secret.expose());
            let exchange = send(core, Method::POST, &live.prepared.target, headers).await;
            let finding = echo::judge(&exchange, secret);
            (exchange, finding)
        }
        Intent::Challenge => {
            let query = challenge::query(&live.subscription, secret);
            let target = Target::new(&live.subscription.target_url.with_query(&query));
            let exchange = send(core, Method::GET, &target, headers).await;
            let finding = challenge::judge(&exchange, secret);
            (exchange, finding)
        }
        Intent::Options => {
            let origin = &core.options.origin;
            add(&mut headers, options::REQUEST_ORIGIN, origin);
            let exchange = send(core, Method::OPTIONS, &live.prepared.target, headers).await;
            let finding = options::judge(&exchange, origin);
            (exchange, finding)
        }
    };
    core.stats.count_handshake(finding.outcome());
    let mask = live.prepared.mask.and(secret.expose());
    let mut attempt = recorded(exchange, &mask, 1, false, started_at);
    shorten(&mut attempt);
    Some(Asked { attempt, finding })
}

async fn send(core: &Core, method: Method, target: &Target, headers: HeaderMap) -> Exchange {
    core.client.send(Call { method, target, headers, body: Body::default(), timeout: None }).await
}

fn add(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    let value = HeaderValue::from_str(value).expect("made of letters and digits, or checked at start");
    headers.insert(name, value);
}

/// Leaves of an answer what helps its owner. Secrets are masked by then: none is cut in two here.
fn shorten(attempt: &mut Attempt) {
    let mut room = KEPT_BYTES;
    let fits = |(name, value): &(String, String)| {
        let size = name.len() + value.len();
        let fits = size <= room;
        room = room.saturating_sub(size);
        fits
    };
    attempt.response_headers =
        std::mem::take(&mut attempt.response_headers).into_iter().take_while(fits).collect();
    let body = &mut attempt.response_body;
    if body.len() > KEPT_BYTES {
        let end = (0..=KEPT_BYTES).rev().find(|end| body.is_char_boundary(*end)).unwrap_or(0);
        body.truncate(end);
        attempt.response_truncated = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deliver::mask::Mask;
    use crate::model::Timestamp;

    const SECRET: &str = "0123456789abcdefghijklmnopqrstuv";

    fn shortened(headers: &[(&str, &str)], body: &str, secret: &str) -> Attempt {
        let exchange = super::super::finding::tests::exchange(200, headers, body);
        let mut attempt = recorded(exchange, &Mask::default().and(secret), 1, false, Timestamp::EPOCH);
        shorten(&mut attempt);
        attempt
    }

    #[test]
    fn no_secret_is_kept() {
        let inside = format!("a={SECRET}; b={SECRET}");
        let headers = [("x-hook-secret", "another one's"), ("x-hook-secret", SECRET), ("set-thing", &inside)];
        let attempt = shortened(&headers, &format!("<p>{SECRET}</p>"), SECRET);
        let kept = serde_json::to_string(&attempt).unwrap();
        assert!(!kept.contains(SECRET) && !kept.contains("another"), "{kept}");
        assert_eq!(attempt.response_body, "<p>***</p>");
        assert_eq!(attempt.response_headers[2].1, "a=***; b=***", "its name says nothing");
        assert_eq!(shortened(&[], "as it was", "").response_body, "as it was");
    }

    #[test]
    fn little_is_kept() {
        let long = "é".repeat(700);
        let attempt = shortened(&[("a", "1"), ("b", &"x".repeat(1100)), ("c", "3")], &long, SECRET);
        assert_eq!(attempt.response_headers, [("a".to_owned(), "1".to_owned())]);
        assert_eq!((attempt.response_body.len(), attempt.response_truncated), (1024, true));
        let fits = shortened(&[("a", &"x".repeat(1023))], &"y".repeat(1024), SECRET);
        assert_eq!((fits.response_headers.len(), fits.response_truncated), (1, false));
    }
}
