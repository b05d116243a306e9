//! How often one caller may ask.

use std::num::NonZeroU32;
use std::time::Duration;

use http::StatusCode;

use super::bucket::Buckets;
use crate::caller::Identity;
use crate::problem::Problem;

/// How often one caller may ask: whoever has an API key, or an account that proves itself in another way. A batch of
/// events is one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    /// Requests per second, in the long run.
    pub per_second: NonZeroU32,
    /// Requests at once, after a time without any.
    pub burst: NonZeroU32,
}

impl RateLimit {
    /// So many a second, and a second's worth at once.
    #[must_use]
    pub const fn per_second(per_second: NonZeroU32) -> Self {
        Self { per_second, burst: per_second }
    }
}

/// Counts callers' requests.
#[derive(Debug)]
pub(super) struct Limiter {
    buckets: Buckets,
    limit: RateLimit,
}

impl Limiter {
    pub(super) fn new(limit: RateLimit) -> Self {
        Self { buckets: Buckets::new(limit.per_second.get(), limit.burst.get()), limit }
    }

    /// Counts one request; refuses it when its caller has had its share.
    pub(super) fn check(&self, identity: &Identity, now: Duration) -> Result<(), Problem> {
        self.buckets.take(identity, now).map_err(|wait| {
            let detail = format!("no more than {} requests per second", self.limit.per_second);
            too_many(&detail, wait)
        })
    }
}

/// 429 with the time to wait.
pub(super) fn too_many(detail: &str, wait: Duration) -> Problem {
    Problem::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", detail).with_retry_after(wait)
}

#[cfg(test)]
mod tests {
    use resthooks::model::Actor;

    use super::*;

    #[test]
    fn callers_are_counted_apart() {
        let limit = RateLimit { per_second: NonZeroU32::new(2).unwrap(), burst: NonZeroU32::new(3).unwrap() };
        let limiter = Limiter::new(limit);
        let account = |name: &str| Identity::Account(name.parse().unwrap());
        // An account and somebody of the provider's are two, whatever they are called.
        for identity in [account("a"), account("b"), Identity::Actor(Actor::new("account", &"a").into())] {
            for _ in 0..3 {
                limiter.check(&identity, Duration::ZERO).unwrap();
            }
            let refused = limiter.check(&identity, Duration::ZERO).unwrap_err();
            assert_eq!(refused.code(), "rate_limited");
            limiter.check(&identity, Duration::from_millis(500)).unwrap();
        }
    }
}
