//! Challenge (after W3C WebSub §5.3): the target is asked with a text in its query, and answers with that text as its
//! body.

use super::finding::{Finding, acknowledged};
use crate::deliver::http::Exchange;
use crate::model::{HandshakeSecret, Subscription};

/// What is put behind the target's own query.
pub(super) fn query<'a>(
    subscription: &'a Subscription,
    challenge: &'a HandshakeSecret,
) -> [(&'a str, &'a str); 3] {
    let topic = subscription.events.first().map(crate::model::EventPattern::as_str).unwrap_or_default();
    [("hub.mode", "subscribe"), ("hub.topic", topic), ("hub.challenge", challenge.expose())]
}

/// What an answer means.
pub(super) fn judge(exchange: &Exchange, challenge: &HandshakeSecret) -> Finding {
    let answer = match acknowledged(exchange) {
        Ok(answer) => answer,
        Err(finding) => return finding,
    };
    let body = answer.body.as_str();
    let what = if answer.truncated {
        "is too long or broke off"
    } else if challenge.is(body.as_bytes()) {
        return Finding::Confirmed(None);
    } else if body.is_empty() {
        "is empty"
    } else if challenge.is(body.trim().as_bytes()) {
        "is the challenge with white space around it, such as a newline"
    } else if body.contains(challenge.expose()) {
        "has the challenge in it among other things"
    } else {
        "is something else"
    };
    Finding::refused(format!("the answer's body must be the challenge and nothing more: it {what}"))
}

#[cfg(test)]
mod tests {
    use super::super::finding::Why;
    use super::super::finding::tests::exchange;
    use super::*;

    const CHALLENGE: &str = "0123456789abcdefghijklmnopqrstuv";

    fn judged(status: u16, body: &str) -> Finding {
        judge(&exchange(status, &[], body), &HandshakeSecret::new(CHALLENGE.to_owned()))
    }

    #[test]
    fn exactly_the_challenge_confirms() {
        assert_eq!(judged(200, CHALLENGE), Finding::Confirmed(None));
        assert_eq!(judged(202, CHALLENGE), Finding::Confirmed(None));
        assert!(matches!(judged(404, CHALLENGE), Finding::Failed(Why::Refused, None)));
        assert_eq!(judged(410, CHALLENGE), Finding::Gone);
    }

    #[test]
    fn anything_else_fails_and_says_how() {
        for (body, said) in [
            (String::new(), "is empty"),
            (format!("{CHALLENGE}\n"), "white space"),
            (format!(" {CHALLENGE}"), "white space"),
            (format!("\u{feff}{CHALLENGE}"), "among other things"),
            (format!("\"{CHALLENGE}\""), "among other things"),
            (format!("<html>{CHALLENGE}</html>"), "among other things"),
            ("ok".to_owned(), "something else"),
            (CHALLENGE.to_uppercase(), "something else"),
        ] {
            let Finding::Failed(Why::Refused, Some(detail)) = judged(200, &body) else { panic!("{body}") };
            assert!(detail.contains(said), "{body}: {detail}");
            assert!(!detail.contains(CHALLENGE), "{detail}");
        }
    }

    #[test]
    fn a_body_that_broke_off_behind_the_challenge_fails() {
        let mut cut = exchange(200, &[], CHALLENGE);
        cut.answer.as_mut().unwrap().truncated = true;
        let found = judge(&cut, &HandshakeSecret::new(CHALLENGE.to_owned()));
        assert!(matches!(found, Finding::Failed(Why::Refused, Some(detail)) if detail.contains("broke off")));
    }
}
