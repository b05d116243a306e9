//! From an attempt to a delivery's next state: a pure function, the one place where it is decided.

use crate::model::{Attempt, Timestamp};
use crate::options::RetryPolicy;

/// What an attempt means for its delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The target acknowledged.
    Delivered,
    /// It is tried again at this moment.
    Retry(Timestamp),
    /// It is given up, for this reason.
    Dead(String),
    /// The target wants no more hooks: the subscription ends.
    Gone,
}

/// Judges an attempt. `automatic` counts the schedule's attempts including this one; `fraction` (0 to 1) is the
/// random part of the jitter; `now` is the attempt's end.
pub(crate) fn judge(
    attempt: &Attempt,
    automatic: u32,
    now: Timestamp,
    policy: &RetryPolicy,
    fraction: f64,
) -> Verdict {
    match attempt.status_code {
        Some(200..=299) => Verdict::Delivered,
        Some(410) => Verdict::Gone,
        Some(code @ 300..=399) => {
            Verdict::Dead(format!("the target answered {code}: redirects are not followed"))
        }
        _ => retry(attempt, automatic, now, policy, fraction),
    }
}

fn retry(attempt: &Attempt, automatic: u32, now: Timestamp, policy: &RetryPolicy, fraction: f64) -> Verdict {
    let place = usize::try_from(automatic.saturating_sub(1)).unwrap_or(usize::MAX);
    let Some(step) = policy.schedule.get(place).copied() else {
        return Verdict::Dead(format!("{automatic} attempts failed, the last one with {}", outcome(attempt)));
    };
    let shortest = policy.schedule.iter().min().copied().unwrap_or(step);
    let longest = policy.schedule.iter().max().copied().unwrap_or(step);
    let wait = attempt.retry_after.map_or(step, |asked| asked.clamp(shortest, longest));
    // Jitter only lengthens: a Retry-After is never undercut.
    Verdict::Retry(now.plus(wait.mul_f64(1.0 + policy.jitter * fraction)))
}

/// An attempt's outcome in a few words.
pub(crate) fn outcome(attempt: &Attempt) -> String {
    match (attempt.status_code, attempt.error) {
        (Some(code), _) => format!("status {code}"),
        (None, Some(class)) => format!("error {}", class.as_str()),
        (None, None) => "no outcome".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::ErrorClass;

    fn attempt(status_code: Option<u16>, retry_after: Option<u64>) -> Attempt {
        Attempt {
            number: 1,
            started_at: Timestamp::EPOCH,
            duration_us: 0,
            address: None,
            status_code,
            error: status_code.is_none().then_some(ErrorClass::Reset),
            error_detail: None,
            response_headers: Vec::new(),
            response_body: String::new(),
            response_truncated: false,
            manual: false,
            retry_after: retry_after.map(Duration::from_secs),
        }
    }

    fn verdict(status: Option<u16>, automatic: u32, retry_after: Option<u64>, fraction: f64) -> Verdict {
        judge(&attempt(status, retry_after), automatic, Timestamp::EPOCH, &RetryPolicy::default(), fraction)
    }

    fn at(seconds: u64) -> Verdict {
        Verdict::Retry(Timestamp::EPOCH.plus(Duration::from_secs(seconds)))
    }

    #[test]
    fn success_ends_it_and_gone_ends_the_subscription() {
        for code in [200, 201, 202, 204, 299] {
            assert_eq!(verdict(Some(code), 1, None, 0.0), Verdict::Delivered);
        }
        assert_eq!(verdict(Some(410), 1, Some(5), 0.0), Verdict::Gone);
    }

    #[test]
    fn redirects_are_final_and_all_else_is_retried() {
        for code in [300, 301, 302, 304, 307, 308] {
            assert!(matches!(verdict(Some(code), 1, None, 0.0), Verdict::Dead(_)), "{code}");
        }
        for code in [100, 199, 400, 401, 404, 409, 429, 500, 503, 599, 999] {
            assert_eq!(verdict(Some(code), 1, None, 0.0), at(5), "{code}");
        }
        assert_eq!(verdict(None, 1, None, 0.0), at(5));
    }

    #[test]
    fn the_schedule_grows_to_its_end() {
        let waits = [5, 30, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400];
        for (place, wait) in waits.into_iter().enumerate() {
            assert_eq!(verdict(Some(500), place as u32 + 1, None, 0.0), at(wait));
        }
        let Verdict::Dead(reason) = verdict(Some(500), 11, None, 0.0) else { panic!("not dead") };
        assert_eq!(reason, "11 attempts failed, the last one with status 500");
        assert!(matches!(verdict(Some(503), 11, Some(60), 0.0), Verdict::Dead(_)));
    }

    #[test]
    fn jitter_lengthens_by_up_to_a_fifth() {
        assert_eq!(verdict(Some(500), 2, None, 0.5), at(33));
        let Verdict::Retry(latest) = verdict(Some(500), 2, None, 0.999) else { panic!("not retried") };
        assert!(latest < Timestamp::EPOCH.plus(Duration::from_secs(36)));
    }

    #[test]
    fn retry_after_counts_within_the_schedules_bounds() {
        assert_eq!(verdict(Some(429), 1, Some(60), 0.0), at(60));
        assert_eq!(
            verdict(Some(503), 4, Some(60), 0.0),
            at(60),
            "also when sooner than the schedule's own step"
        );
        assert_eq!(verdict(Some(429), 1, Some(0), 0.0), at(5));
        assert_eq!(verdict(Some(429), 1, Some(10_000_000), 0.0), at(86_400));
    }
}
