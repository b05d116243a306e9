//! What the outside world gives: time and randomness, passed in so that tests can turn them.

mod clock;
mod random;

pub use clock::{Clock, ManualClock, Sleep, SystemClock};
pub use random::{Random, SeededRandom, SystemRandom};
