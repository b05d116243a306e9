//! How often one address may show credentials that nobody knows.
//!
//! A caller that proves itself is admitted whatever its address has done: nobody can lock others out by guessing beside
//! them. What keeps a key from being guessed is its length; what is noticed and kept off here is the flood.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::bucket::Buckets;
use super::rate::too_many;
use crate::peer::PeerAddress;
use crate::problem::Problem;

/// Failures per second of one address, in the long run, and at once.
const PER_SECOND: u32 = 1;
const AT_ONCE: u32 = 60;
/// How long after a line in the log the next one may follow.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// Counts addresses' failures.
#[derive(Debug)]
pub(super) struct Failures {
    buckets: Buckets,
    told_at: Mutex<Option<Duration>>,
}

impl Failures {
    pub(super) fn new() -> Self {
        Self { buckets: Buckets::new(PER_SECOND, AT_ONCE), told_at: Mutex::default() }
    }

    /// Counts one, and answers what to answer: the refusal, or that it is one too many.
    pub(super) fn count(&self, peer: PeerAddress, refusal: Problem, now: Duration) -> Problem {
        let network = peer.network();
        let Err(wait) = self.buckets.take(&network, now) else { return refusal };
        let mut told_at = self.told_at.lock().unwrap_or_else(PoisonError::into_inner);
        if told_at.is_none_or(|at| now.saturating_sub(at) >= TELL_EVERY) {
            *told_at = Some(now);
            drop(told_at);
            tracing::warn!(address = %network, "many requests with unknown credentials come from this address");
        }
        too_many_failures(wait)
    }
}

fn too_many_failures(wait: Duration) -> Problem {
    too_many(
        "too many requests with unknown credentials come from this address; these are not known either",
        wait,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_may_fail_some_times() {
        let failures = Failures::new();
        let peer = |text: &str| PeerAddress::new(text.parse().unwrap());
        let code = |peer, seconds| {
            let refusal = Problem::unauthorized("no");
            failures.count(peer, refusal, Duration::from_secs(seconds)).code()
        };
        for address in ["192.0.2.1", "2001:db8::1"] {
            assert!((0..60).all(|_| code(peer(address), 0) == "unauthorized"));
            assert_eq!(code(peer(address), 0), "rate_limited");
            assert_eq!(code(peer(address), 1), "unauthorized");
            assert_eq!(code(peer(address), 1), "rate_limited");
        }
        // Another address of the same network is the same party; another network is not.
        assert_eq!(code(peer("2001:db8::2:3:4:5"), 1), "rate_limited");
        assert_eq!(code(peer("2001:db8:0:1::1"), 1), "unauthorized");
    }
}
