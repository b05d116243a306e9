//! Time: what it is, and waiting for it.

use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant, SystemTime};

use std::sync::Arc;

use crate::model::Timestamp;

/// A clock to read and to wait on.
pub trait Clock: Send + Sync + std::fmt::Debug + 'static {
    /// The wall clock: may step, is shown and stored.
    fn now(&self) -> Timestamp;
    /// Time since some fixed point: never steps back, for durations.
    fn monotonic(&self) -> Duration;
    /// A future that ends after `duration`.
    fn sleep(&self, duration: Duration) -> Sleep;
}

/// Waits for a moment of the clock that made it.
#[derive(Debug)]
pub struct Sleep(Inner);

#[derive(Debug)]
enum Inner {
    Tokio(Pin<Box<tokio::time::Sleep>>),
    Manual { turn: Arc<Mutex<Turn>>, until: Duration },
}

impl Future for Sleep {
    type Output = ();
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.0 {
            Inner::Tokio(sleep) => sleep.as_mut().poll(cx),
            Inner::Manual { turn, until } => {
                let mut turn = turn.lock().unwrap_or_else(PoisonError::into_inner);
                if turn.elapsed >= *until {
                    return Poll::Ready(());
                }
                if !turn.waiting.iter().any(|(at, waker)| at == until && waker.will_wake(cx.waker())) {
                    turn.waiting.push((*until, cx.waker().clone()));
                }
                Poll::Pending
            }
        }
    }
}

/// The machine's clock.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock {
    start: Instant,
}

impl Default for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place where time enters")]
    fn default() -> Self {
        Self { start: Instant::now() }
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place where time enters")]
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Timestamp::EPOCH.plus(since)
    }

    fn monotonic(&self) -> Duration {
        self.start.elapsed()
    }

    #[expect(clippy::disallowed_methods, reason = "the one place where time is waited for")]
    fn sleep(&self, duration: Duration) -> Sleep {
        Sleep(Inner::Tokio(Box::pin(tokio::time::sleep(duration))))
    }
}

#[derive(Debug)]
struct Turn {
    start: Timestamp,
    elapsed: Duration,
    waiting: Vec<(Duration, Waker)>,
}

/// A clock that stands still until it is turned. For tests. Clones show the same time.
#[derive(Debug, Clone)]
pub struct ManualClock(Arc<Mutex<Turn>>);

impl ManualClock {
    /// A clock that shows `start`.
    #[must_use]
    pub fn new(start: Timestamp) -> Self {
        Self(Arc::new(Mutex::new(Turn { start, elapsed: Duration::ZERO, waiting: Vec::new() })))
    }

    /// Turns it forward and wakes whoever waited for a moment up to then.
    pub fn advance(&self, by: Duration) {
        let mut turn = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        turn.elapsed += by;
        let elapsed = turn.elapsed;
        let (due, later) =
            std::mem::take(&mut turn.waiting).into_iter().partition(|(until, _)| *until <= elapsed);
        turn.waiting = later;
        drop(turn);
        let due: Vec<(Duration, Waker)> = due;
        due.into_iter().for_each(|(_, waker)| waker.wake());
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        let turn = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        turn.start.plus(turn.elapsed)
    }

    fn monotonic(&self) -> Duration {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).elapsed
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        let until = self.monotonic() + duration;
        Sleep(Inner::Manual { turn: Arc::clone(&self.0), until })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_turned_clock_wakes_who_is_due() {
        let clock = ManualClock::new(Timestamp::from_millis(1000));
        let sleeper = tokio::spawn(clock.sleep(Duration::from_secs(5)));
        tokio::task::yield_now().await;
        clock.advance(Duration::from_secs(4));
        tokio::task::yield_now().await;
        assert!(!sleeper.is_finished());
        clock.advance(Duration::from_secs(1));
        sleeper.await.unwrap();
        assert_eq!(clock.now(), Timestamp::from_millis(6000));
    }
}
