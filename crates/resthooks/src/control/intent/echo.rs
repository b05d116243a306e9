//! Echo (REST Hooks): the target is sent a secret and says it back, at once in its answer, or later by bringing it to
//! the API.

use http::HeaderName;

use super::finding::{Finding, acknowledged};
use crate::deliver::http::Exchange;
use crate::model::HandshakeSecret;

/// What the secret travels in, there and back.
pub(super) const HOOK_SECRET: HeaderName = HeaderName::from_static("x-hook-secret");

/// What an answer means.
pub(super) fn judge(exchange: &Exchange, secret: &HandshakeSecret) -> Finding {
    let answer = match acknowledged(exchange) {
        Ok(answer) => answer,
        Err(finding) => return finding,
    };
    let mut echoed = answer.head.get_all(HOOK_SECRET).iter();
    match (echoed.next(), echoed.next()) {
        (None, _) => Finding::Awaits,
        // White space around a header's value is no part of it.
        (Some(value), None) if secret.is(value.as_bytes().trim_ascii()) => Finding::Confirmed(None),
        (Some(_), None) => Finding::refused("the answer's X-Hook-Secret is not the one that was sent"),
        (Some(_), Some(_)) => Finding::refused("the answer has X-Hook-Secret more than once"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Why;
    use super::super::finding::tests::{broken, exchange};
    use super::*;
    use crate::model::ErrorClass;

    const SECRET: &str = "0123456789abcdefghijklmnopqrstuv";

    fn judged(status: u16, headers: &[(&str, &str)]) -> Finding {
        judge(&exchange(status, headers, ""), &HandshakeSecret::new(SECRET.to_owned()))
    }

    #[test]
    fn the_same_secret_once_confirms() {
        for status in [200, 201, 202, 204] {
            for name in ["x-hook-secret", "X-Hook-Secret"] {
                assert_eq!(judged(status, &[(name, SECRET)]), Finding::Confirmed(None));
            }
        }
        let spaced = format!("  {SECRET}\t ");
        assert_eq!(judged(200, &[("x-hook-secret", &spaced)]), Finding::Confirmed(None));
    }

    #[test]
    fn none_is_to_be_brought_and_any_other_fails() {
        assert_eq!(judged(200, &[("x-other", SECRET)]), Finding::Awaits);
        let upper = SECRET.to_uppercase();
        let quoted = format!("\"{SECRET}\"");
        for other in ["", "x", &SECRET[1..], &upper, &quoted, "none, none"] {
            let found = judged(200, &[("x-hook-secret", other)]);
            assert!(matches!(found, Finding::Failed(Why::Refused, Some(_))), "{other}: {found:?}");
        }
        for twice in [[SECRET, SECRET], [SECRET, "x"]] {
            let found = judged(200, &twice.map(|value| ("x-hook-secret", value)));
            assert!(matches!(found, Finding::Failed(Why::Refused, Some(_))), "{found:?}");
        }
    }

    #[test]
    fn an_echo_in_an_answer_that_is_no_acknowledgement_counts_for_nothing() {
        let echo = [("x-hook-secret", SECRET)];
        assert!(matches!(judged(500, &echo), Finding::Failed(Why::Unreached, _)));
        assert!(matches!(judged(400, &echo), Finding::Failed(Why::Refused, _)));
        assert!(matches!(judged(302, &echo), Finding::Failed(Why::Final, _)));
        assert_eq!(judged(410, &echo), Finding::Gone);
        let secret = HandshakeSecret::new(SECRET.to_owned());
        assert!(matches!(judge(&broken(ErrorClass::Reset), &secret), Finding::Failed(Why::Unreached, None)));
    }
}
