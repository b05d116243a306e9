//! Deadlines without a timer per request.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::env::{Clock, Sleep};

/// Waits for deadlines of the clock's monotonic time, one after the other, on one sleep: that is armed for an earlier
/// deadline, and armed anew only when it ends and a later one stands. Requests on one connection follow each other
/// with ever later deadlines, so that a timer is set once per timeout and not once per request.
#[derive(Debug)]
pub(super) struct Alarm {
    clock: Arc<dyn Clock>,
    sleep: Sleep,
    armed_for: Duration,
}

impl Alarm {
    pub(super) fn new(clock: Arc<dyn Clock>, deadline: Duration) -> Self {
        let sleep = clock.sleep(deadline.saturating_sub(clock.monotonic()));
        Self { clock, sleep, armed_for: deadline }
    }

    /// Ready once `deadline` is reached.
    pub(super) fn poll_at(&mut self, cx: &mut Context<'_>, deadline: Duration) -> Poll<()> {
        if deadline < self.armed_for {
            *self = Self::new(Arc::clone(&self.clock), deadline);
        }
        while Pin::new(&mut self.sleep).poll(cx).is_ready() {
            if self.clock.monotonic() >= deadline {
                return Poll::Ready(());
            }
            *self = Self::new(Arc::clone(&self.clock), deadline);
        }
        Poll::Pending
    }

    /// Polls `work` until it ends or `deadline` is reached, whichever is first.
    pub(super) async fn within<F: Future>(&mut self, deadline: Duration, work: F) -> Option<F::Output> {
        let mut work = std::pin::pin!(work);
        std::future::poll_fn(|cx| match work.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending => self.poll_at(cx, deadline).map(|()| None),
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;
    use crate::env::ManualClock;
    use crate::model::Timestamp;

    #[test]
    fn rings_at_each_deadline_and_not_before() {
        let clock = ManualClock::new(Timestamp::EPOCH);
        let seconds = Duration::from_secs;
        let mut cx = Context::from_waker(Waker::noop());
        let mut alarm = Alarm::new(Arc::new(clock.clone()), seconds(15));
        clock.advance(seconds(10));
        assert!(alarm.poll_at(&mut cx, seconds(25)).is_pending());
        clock.advance(seconds(6));
        assert!(
            alarm.poll_at(&mut cx, seconds(25)).is_pending(),
            "what it was armed for has passed, this has not"
        );
        assert!(alarm.poll_at(&mut cx, seconds(20)).is_pending(), "an earlier one");
        clock.advance(seconds(4));
        assert!(alarm.poll_at(&mut cx, seconds(20)).is_ready());
        assert!(alarm.poll_at(&mut cx, seconds(19)).is_ready(), "one that has passed");
    }
}
