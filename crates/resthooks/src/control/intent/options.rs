//! Abuse protection (CloudEvents HTTP 1.1 web hooks, §4): the target is asked by `OPTIONS` whether it takes requests
//! of this sender, and grants it, at a rate.

use http::HeaderName;

use super::finding::{Finding, acknowledged};
use crate::deliver::http::{Answer, Exchange};

/// Who asks.
pub(super) const REQUEST_ORIGIN: HeaderName = HeaderName::from_static("webhook-request-origin");
const ALLOWED_ORIGIN: HeaderName = HeaderName::from_static("webhook-allowed-origin");
const ALLOWED_RATE: HeaderName = HeaderName::from_static("webhook-allowed-rate");
const ANY: &[u8] = b"*";

/// What an answer means.
pub(super) fn judge(exchange: &Exchange, origin: &str) -> Finding {
    let answer = match acknowledged(exchange) {
        Ok(answer) => answer,
        Err(finding) => return finding,
    };
    match once(answer, &ALLOWED_ORIGIN) {
        Ok(Some(value)) if value == ANY || value.eq_ignore_ascii_case(origin.as_bytes()) => {}
        Ok(Some(_)) => return Finding::refused("the answer's WebHook-Allowed-Origin is another one"),
        Ok(None) => return Finding::refused("the answer has no WebHook-Allowed-Origin: nothing is granted"),
        Err(detail) => return Finding::refused(detail),
    }
    match once(answer, &ALLOWED_RATE) {
        Ok(None) => Finding::Confirmed(None),
        Ok(Some(value)) if value == ANY => Finding::Confirmed(None),
        Ok(Some(value)) => match rate(value) {
            Some(per_minute) => Finding::Confirmed(Some(per_minute)),
            None => Finding::refused("the answer's WebHook-Allowed-Rate must be a number above zero, or *"),
        },
        Err(detail) => Finding::refused(detail),
    }
}

/// A header's value without the white space around it, if there is one.
fn once<'a>(answer: &'a Answer, name: &HeaderName) -> Result<Option<&'a [u8]>, String> {
    let mut values = answer.head.get_all(name).iter();
    match (values.next(), values.next()) {
        (value, None) => Ok(value.map(|value| value.as_bytes().trim_ascii())),
        (_, Some(_)) => Err(format!("the answer has {name} more than once")),
    }
}

/// Requests a minute: digits, and more than none. What is more than we could ever send is as good as that.
fn rate(value: &[u8]) -> Option<u32> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let digits = std::str::from_utf8(value).ok()?;
    Some(digits.parse().unwrap_or(u32::MAX)).filter(|rate| *rate > 0)
}

#[cfg(test)]
mod tests {
    use super::super::finding::Why;
    use super::super::finding::tests::exchange;
    use super::*;

    const ORIGIN: &str = "hooks.example.com";

    fn judged(headers: &[(&str, &str)]) -> Finding {
        judge(&exchange(200, headers, ""), ORIGIN)
    }

    #[test]
    fn this_origin_or_any_grants() {
        for value in [ORIGIN, "*", "HOOKS.example.com", " * "] {
            assert_eq!(judged(&[("webhook-allowed-origin", value)]), Finding::Confirmed(None), "{value}");
        }
        for value in ["other.example.com", "", "https://hooks.example.com", "hooks.example.com, other", "**"]
        {
            let found = judged(&[("webhook-allowed-origin", value)]);
            assert!(matches!(found, Finding::Failed(Why::Refused, Some(_))), "{value}: {found:?}");
        }
        assert!(matches!(judged(&[]), Finding::Failed(Why::Refused, Some(_))));
        let twice = [("webhook-allowed-origin", "*"), ("webhook-allowed-origin", "*")];
        assert!(matches!(judged(&twice), Finding::Failed(Why::Refused, Some(_))));
    }

    #[test]
    fn a_rate_is_a_number_above_zero_or_any() {
        let with = |rate| judged(&[("webhook-allowed-origin", "*"), ("webhook-allowed-rate", rate)]);
        for (rate, granted) in [
            ("*", None),
            ("60", Some(60)),
            ("1", Some(1)),
            (" 060 ", Some(60)),
            ("4294967295", Some(u32::MAX)),
            ("99999999999999999999999", Some(u32::MAX)),
        ] {
            assert_eq!(with(rate), Finding::Confirmed(granted), "{rate}");
        }
        for rate in ["0", "000", "", "-1", "+60", "60/s", "1.5", "1e3", "sixty", "60, 60", "٣"] {
            let found = judge(
                &{
                    let mut answer = exchange(200, &[("webhook-allowed-origin", "*")], "");
                    let value = http::HeaderValue::from_bytes(rate.as_bytes()).unwrap();
                    answer.answer.as_mut().unwrap().head.append(ALLOWED_RATE, value);
                    answer
                },
                ORIGIN,
            );
            assert!(matches!(found, Finding::Failed(Why::Refused, Some(_))), "{rate}: {found:?}");
        }
        let twice =
            [("webhook-allowed-origin", "*"), ("webhook-allowed-rate", "60"), ("webhook-allowed-rate", "60")];
        assert!(matches!(judged(&twice), Finding::Failed(Why::Refused, Some(_))));
    }

    #[test]
    fn a_grant_in_an_answer_that_is_none_counts_for_nothing() {
        let granted = [("webhook-allowed-origin", "*")];
        assert!(matches!(judge(&exchange(405, &granted, ""), ORIGIN), Finding::Failed(Why::Refused, _)));
        assert!(matches!(judge(&exchange(503, &granted, ""), ORIGIN), Finding::Failed(Why::Unreached, _)));
        assert_eq!(judge(&exchange(410, &granted, ""), ORIGIN), Finding::Gone);
    }
}
