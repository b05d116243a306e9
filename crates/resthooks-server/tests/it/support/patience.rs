//! Waiting for what another process is about to do: by asking again and again, never longer than allowed.

use std::time::{Duration, Instant};

/// Between two questions.
const POLL: Duration = Duration::from_millis(5);

/// The longest wait for something that should happen at once.
pub(crate) const SOON: Duration = Duration::from_secs(20);

/// What `ask` answers as soon as it answers anything. When it does not within `limit`, the test fails with the last
/// reason that it gave.
#[track_caller]
pub(crate) fn within<T>(limit: Duration, mut ask: impl FnMut() -> Result<T, String>) -> T {
    let begun = now();
    loop {
        match ask() {
            Ok(found) => return found,
            Err(why) if begun.elapsed() > limit => panic!("not within {limit:?}: {why}"),
            Err(_) => pass(POLL),
        }
    }
}

/// The same with the usual limit.
#[track_caller]
pub(crate) fn eventually<T>(ask: impl FnMut() -> Result<T, String>) -> T {
    within(SOON, ask)
}

/// The moment, for deadlines and measurements.
#[expect(clippy::disallowed_methods, reason = "the tested process lives in real time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Lets time pass: between two questions, and in targets that are slow on purpose.
#[expect(clippy::disallowed_methods, reason = "the one place where these tests let real time pass")]
pub(crate) fn pass(time: Duration) {
    std::thread::sleep(time);
}
