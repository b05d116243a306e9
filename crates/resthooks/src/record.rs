//! From an attempt to a delivery's next state: a pure function, the one place where it is decided.

use std::time::Duration;

use crate::model::{Attempt, Retry, Span, Timestamp, format_duration};
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

/// What an attempt is judged by, beside its outcome.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Judging<'a> {
    /// How often the schedule has tried, this attempt included.
    pub automatic: u32,
    /// When the event was accepted.
    pub accepted_at: Timestamp,
    /// The attempt's end.
    pub now: Timestamp,
    /// The server's policy.
    pub policy: &'a RetryPolicy,
    /// What the subscription's owner asked for instead.
    pub own: Option<&'a Retry>,
    /// After how many attempts it is given up because others wait behind it, if it is.
    pub skip_after: Option<u32>,
    /// The random part of the jitter, 0 to 1.
    pub fraction: f64,
}

/// Judges an attempt.
pub(crate) fn judge(attempt: &Attempt, by: &Judging<'_>) -> Verdict {
    match attempt.status_code {
        Some(200..=299) => Verdict::Delivered,
        Some(410) => Verdict::Gone,
        Some(code @ 300..=399) => {
            Verdict::Dead(format!("the target answered {code}: redirects are not followed"))
        }
        Some(code) if !by.tries_again(code) => {
            Verdict::Dead(format!("the target answered {code}, which its retry policy does not try again"))
        }
        _ => by.retry(attempt),
    }
}

impl Judging<'_> {
    fn tries_again(&self, status: u16) -> bool {
        let statuses = self.own.and_then(|own| own.statuses.as_ref());
        statuses.is_none_or(|statuses| statuses.iter().any(|one| one.includes(status)))
    }

    fn retry(&self, attempt: &Attempt) -> Verdict {
        let Self { automatic, accepted_at, now, .. } = *self;
        let Some(step) = self.step() else {
            return Verdict::Dead(format!(
                "{automatic} attempts failed, the last one with {}",
                outcome(attempt)
            ));
        };
        if self.skip_after.is_some_and(|most| automatic >= most) {
            return Verdict::Dead(format!(
                "skipped after {automatic} attempts, the last one with {}, so that those behind it are sent",
                outcome(attempt)
            ));
        }
        let (shortest, longest) = self.bounds();
        let wait = attempt.retry_after.map_or(step, |asked| asked.clamp(shortest, longest));
        // Jitter only lengthens: a Retry-After is never undercut.
        let at = now.plus(wait.mul_f64(1.0 + self.policy.jitter * self.fraction));
        let too_old = |age: &Span| at > accepted_at.plus(age.get());
        if let Some(age) = self.own.and_then(|own| own.max_age).filter(too_old) {
            return Verdict::Dead(format!(
                "{automatic} attempts failed, the last one with {}, and the next one would come more than {} after the \
                 event",
                outcome(attempt),
                format_duration(age.get())
            ));
        }
        Verdict::Retry(at)
    }

    /// The wait before the next attempt, if there is one.
    fn step(&self) -> Option<Duration> {
        let place = usize::try_from(self.automatic.saturating_sub(1)).unwrap_or(usize::MAX);
        match self.own {
            Some(own) => own.waits.after(self.automatic),
            None => self.policy.schedule.get(place).copied(),
        }
    }

    /// Between which a target's own wish is honoured.
    fn bounds(&self) -> (Duration, Duration) {
        let all = || self.policy.schedule.iter().copied();
        match self.own {
            Some(own) => own.waits.bounds(),
            None => (all().min().unwrap_or_default(), all().max().unwrap_or_default()),
        }
    }
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
        judged(status, automatic, retry_after, fraction, None)
    }

    fn judged(
        status: Option<u16>,
        automatic: u32,
        retry_after: Option<u64>,
        fraction: f64,
        own: Option<&Retry>,
    ) -> Verdict {
        let by = Judging {
            automatic,
            accepted_at: Timestamp::EPOCH,
            now: Timestamp::EPOCH,
            policy: &RetryPolicy::default(),
            own,
            skip_after: None,
            fraction,
        };
        judge(&attempt(status, retry_after), &by)
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
    fn a_subscriptions_own_policy_takes_the_place_of_the_servers() {
        let own = |json: &str| -> Retry { serde_json::from_str(json).unwrap() };
        let listed = own(r#"{"schedule": ["7s", "1m"], "statuses": ["429", "5xx"], "max_age": "65s"}"#);
        let judged = |status, automatic, after| judged(status, automatic, after, 0.0, Some(&listed));
        assert_eq!(judged(Some(500), 1, None), at(7));
        assert_eq!(judged(None, 2, None), at(60), "where there was no answer, whatever the statuses");
        assert!(
            matches!(judged(Some(500), 3, None), Verdict::Dead(reason) if reason.starts_with("3 attempts"))
        );
        assert!(matches!(judged(Some(404), 1, None), Verdict::Dead(reason) if reason.contains("404")));
        assert_eq!(judged(Some(429), 1, Some(3600)), at(60), "no longer than its longest wait");
        assert_eq!(judged(Some(410), 1, None), Verdict::Gone);
        let late = own(r#"{"schedule": ["7s", "2m"], "max_age": "1m"}"#);
        let late = super::tests::judged(Some(500), 2, None, 0.0, Some(&late));
        assert!(matches!(late, Verdict::Dead(reason) if reason.contains("more than 1m after")));
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
