//! Starting and stopping.

use std::sync::Arc;
use std::time::Duration;

use crate::deliver::guard;
use crate::deliver::resolver::Resolver;
use crate::env::{Clock, Random};
use crate::error::Error;
use crate::hooks::Hooks;
use crate::store::Store;

/// Whether events of unregistered types are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EventTypes {
    /// They are.
    #[default]
    Strict,
    /// A type registers itself with its first event.
    Auto,
}

/// When a failed delivery is tried again.
#[derive(Debug, Clone, PartialEq)]
pub struct RetryPolicy {
    /// The wait after the first attempt, after the second, …; after the last one's attempt the delivery is dead.
    pub schedule: Vec<Duration>,
    /// Each wait is lengthened by up to this fraction of itself, at random.
    pub jitter: f64,
}

impl Default for RetryPolicy {
    /// 5 s, 30 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h, 24 h; 20 % jitter.
    fn default() -> Self {
        let seconds = [5, 30, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400];
        Self { schedule: seconds.into_iter().map(Duration::from_secs).collect(), jitter: 0.2 }
    }
}

/// How the engine runs. `Options::default()` is fit for production.
#[derive(Debug, Clone)]
pub struct Options {
    /// Whether unknown event types are refused.
    pub event_types: EventTypes,
    /// Which targets are allowed.
    pub targets: guard::Policy,
    /// When failed deliveries are tried again.
    pub retry: RetryPolicy,
    /// To resolve, connect and shake hands (5 s).
    pub connect_timeout: Duration,
    /// For a whole attempt (15 s).
    pub attempt_timeout: Duration,
    /// Requests in flight to all targets together (512).
    pub max_in_flight: usize,
    /// Requests in flight to one target, unless its subscription says another number (64).
    pub max_in_flight_per_target: usize,
    /// Deliveries that wait in memory for one target; what is more waits in the store (1,024).
    pub queue_per_target: usize,
    /// Bytes of events that wait in memory for all targets together (64 MiB).
    pub queue_bytes: usize,
    /// How long a delivery waits in memory for its turn before it goes to the store (2 s).
    pub queue_patience: Duration,
    /// A subscription that has had no success for so long while failing is disabled (5 days).
    pub disable_after: Duration,
    /// How often counters and the watermark are saved (1 s).
    pub checkpoint_interval: Duration,
    /// Certificates to trust beside the built-in roots, DER.
    pub extra_roots: Vec<Vec<u8>>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The randomness.
    pub random: Arc<dyn Random>,
    /// Resolves targets' names.
    pub resolver: Arc<dyn Resolver>,
}

impl Hooks {
    /// Starts the engine on a store: loads what it keeps in memory, takes up what an earlier run left undone, and
    /// begins to deliver. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// When the store can't be read, or the options make no sense.
    pub async fn start(store: Arc<dyn Store>, options: Options) -> Result<Self, Error> {
        todo!()
    }

    /// Stops: takes no more events, lets what is in flight finish within `grace`, records it, and saves where it
    /// stands. What had no turn stays in the store for the next start. Whether everything finished in time.
    pub async fn shutdown(&self, grace: Duration) -> bool {
        todo!()
    }

    /// Whether events can be accepted: the engine runs, and the store took the last write.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        todo!()
    }

    /// The engine's counters, for metrics.
    #[must_use]
    pub fn stats(&self) -> crate::stats::Snapshot {
        todo!()
    }
}
