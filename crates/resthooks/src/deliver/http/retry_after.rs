//! `Retry-After`: how long a target asks us to wait.
//!
//! Written by targets, so it may be anything: whatever it is, it is a wait of bounded length or none. Whether it is obeyed
//! is the schedule's affair.

use std::time::{Duration, SystemTime};

use http::HeaderValue;

use crate::model::Timestamp;

/// The longest wait that is read from one.
const MOST: Duration = Duration::from_secs(3650 * 86_400);

/// The wait that such a header asks for, from now on: seconds, or an HTTP date. A date that has passed asks for no wait.
/// More than ten years is read as ten; what is neither, as `None`.
#[must_use]
pub fn retry_after(value: &HeaderValue, now: Timestamp) -> Option<Duration> {
    let value = value.to_str().ok()?.trim();
    let asked = if !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit()) {
        value.parse().map_or(MOST, Duration::from_secs)
    } else {
        let date = httpdate::parse_http_date(value).ok()?;
        let now = SystemTime::UNIX_EPOCH + Duration::from_millis(u64::try_from(now.as_millis()).unwrap_or(0));
        date.duration_since(now).unwrap_or_default()
    };
    Some(asked.min(MOST))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn asked(value: &'static str) -> Option<Duration> {
        let now = Timestamp::parse("2026-01-02T03:04:05Z").unwrap();
        retry_after(&HeaderValue::from_static(value), now)
    }

    #[test]
    fn retry_after_in_both_forms() {
        for (value, seconds) in [
            ("120", Some(120)),
            (" 7 ", Some(7)),
            ("0", Some(0)),
            ("99999999999999999999", Some(315_360_000)),
            ("Fri, 02 Jan 2026 03:06:05 GMT", Some(120)),
            ("Fri, 02 Jan 2026 03:04:00 GMT", Some(0)),
            ("Friday, 02-Jan-26 03:04:15 GMT", Some(10)),
            ("Fri Jan  2 03:04:15 2026", Some(10)),
            ("", None),
            ("-5", None),
            ("+5", None),
            ("1.5", None),
            ("soon", None),
            ("120, 130", None),
        ] {
            assert_eq!(asked(value), seconds.map(Duration::from_secs), "{value:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]

        #[test]
        fn anything_is_a_bounded_wait_or_none(
            value in proptest::collection::vec(any::<u8>(), 0..60), now in any::<i64>(),
        ) {
            let Ok(value) = HeaderValue::from_bytes(&value) else { return Ok(()) };
            prop_assert!(retry_after(&value, Timestamp::from_millis(now)).is_none_or(|wait| wait <= MOST));
        }

        #[test]
        fn what_looks_like_a_date_or_a_number_is_too(
            value in "[0-9]{1,30}|(Mon|Fri|Friday),? [0-9]{1,2}[ -](Jan|Feb|Dec)[ -][0-9]{2,5} [0-9:]{1,9}( GMT)?",
        ) {
            let wait = retry_after(&HeaderValue::from_str(&value).unwrap(), Timestamp::EPOCH);
            prop_assert!(wait.is_none_or(|wait| wait <= MOST));
            prop_assert!(wait.is_some() || !value.bytes().all(|b| b.is_ascii_digit()));
        }

        #[test]
        fn the_wait_until_a_date_is_the_time_until_then(now in 0_u32..2_000_000_000, wait in 0_u32..300_000_000) {
            let date = SystemTime::UNIX_EPOCH + Duration::from_secs(u64::from(now) + u64::from(wait));
            let value = HeaderValue::from_str(&httpdate::fmt_http_date(date)).unwrap();
            let found = retry_after(&value, Timestamp::from_millis(i64::from(now) * 1000));
            prop_assert_eq!(found, Some(Duration::from_secs(u64::from(wait))));
        }
    }
}
