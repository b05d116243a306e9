//! Starting and stopping.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::catalog::Catalog;
use crate::control::{ControlState, resume_deletions};
use crate::core::Core;
use crate::deliver::guard;
use crate::deliver::http::{self, Client};
use crate::deliver::resolver::{Resolver, SystemResolver};
use crate::dispatch::{Dispatch, Limits, pump, settler, sweep};
use crate::env::{Clock, Random, SystemClock, SystemRandom};
use crate::error::Error;
use crate::hooks::Hooks;
use crate::index::Index;
use crate::ingest::{Tracker, Writer, recover, write};
use crate::keyring::Keyring;
use crate::model::SubscriptionStatus;
use crate::stats::Stats;
use crate::store::Store;

/// Tasks that fetch what is due.
const PUMPS: usize = 2;
/// The longest timeout and step of a schedule.
const LONGEST: Duration = Duration::from_secs(30 * 24 * 3600);
/// At a stop, the last write is waited for so long at least.
const LAST_WRITE: Duration = Duration::from_secs(2);

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
    /// Deliveries that wait in memory for one target; what is more waits in the store (8,192).
    pub queue_per_target: usize,
    /// Bytes of events that wait in memory for all targets together (64 MiB).
    pub queue_bytes: usize,
    /// How long a delivery waits in memory for its turn before it goes to the store (5 s).
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

impl Default for Options {
    fn default() -> Self {
        Self {
            event_types: EventTypes::default(),
            targets: guard::Policy::default(),
            retry: RetryPolicy::default(),
            connect_timeout: Duration::from_secs(5),
            attempt_timeout: Duration::from_secs(15),
            max_in_flight: 512,
            max_in_flight_per_target: 64,
            queue_per_target: 8192,
            queue_bytes: 64 * 1024 * 1024,
            queue_patience: Duration::from_secs(5),
            disable_after: Duration::from_secs(5 * 24 * 3600),
            checkpoint_interval: Duration::from_secs(1),
            extra_roots: Vec::new(),
            clock: Arc::new(SystemClock::default()),
            random: Arc::new(SystemRandom),
            resolver: Arc::new(SystemResolver::default()),
        }
    }
}

impl Options {
    fn check(&self) -> Result<(), Error> {
        let positive = [
            ("max_in_flight", self.max_in_flight),
            ("max_in_flight_per_target", self.max_in_flight_per_target),
            ("queue_per_target", self.queue_per_target),
            ("queue_bytes", self.queue_bytes),
        ];
        let zero = positive.into_iter().find(|(_, value)| *value == 0).map(|(name, _)| name);
        let durations = [
            ("connect_timeout", self.connect_timeout),
            ("attempt_timeout", self.attempt_timeout),
            ("queue_patience", self.queue_patience),
            ("checkpoint_interval", self.checkpoint_interval),
        ];
        let none = durations.into_iter().find(|(_, value)| value.is_zero()).map(|(name, _)| name);
        let long = durations.into_iter().find(|(_, value)| *value > LONGEST).map(|(name, _)| name);
        let long = long
            .or_else(|| self.retry.schedule.iter().any(|step| *step > LONGEST).then_some("retry.schedule"));
        match zero.or(none) {
            Some(name) => Err(Error::field(name, "must be more than zero")),
            None if long.is_some() => Err(Error::field(long.unwrap_or_default(), "must be at most 30d")),
            None if !(0.0..=1.0).contains(&self.retry.jitter) => {
                Err(Error::field("retry.jitter", "must be from 0 to 1"))
            }
            None => Ok(()),
        }
    }

    fn client(&self) -> Result<Client, Error> {
        let mut options =
            http::Options::new(self.targets.clone(), Arc::clone(&self.resolver), Arc::clone(&self.clock));
        options.connect_timeout = self.connect_timeout;
        options.total_timeout = self.attempt_timeout;
        // As many as may be in use: many subscriptions may share an origin, and what is idle is closed soon.
        options.max_idle_per_origin = self.max_in_flight;
        options.max_idle_total = self.max_in_flight.max(options.max_idle_total);
        options.extra_roots = self.extra_roots.iter().map(|der| der.clone().into()).collect();
        Client::new(options).map_err(|e| Error::field("extra_roots", e.to_string()))
    }
}

impl Hooks {
    /// Starts the engine on a store: loads what it keeps in memory, takes up what an earlier run left undone, and
    /// begins to deliver. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// When the store can't be read, or the options make no sense.
    pub async fn start(store: Arc<dyn Store>, options: Options) -> Result<Self, Error> {
        options.check()?;
        let client = options.client()?;
        let position = store.position().await?;
        let snapshot = store.snapshot().await?;
        let limits = Limits {
            in_flight: options.max_in_flight,
            queue_per_target: options.queue_per_target,
            queue_bytes: options.queue_bytes,
        };
        let index = Index::default();
        for (subscription, progress) in snapshot.subscriptions {
            index.load(subscription, progress);
        }
        let core = Arc::new(Core {
            client,
            catalog: Catalog::load(snapshot.event_types),
            keyring: Keyring::load(snapshot.keys),
            index,
            stats: Stats::default(),
            control: ControlState::default(),
            writer: Writer::new(Tracker::new(position.watermark, position.last)),
            writer_task: Mutex::default(),
            dispatch: Dispatch::new(limits),
            stopping: CancellationToken::new(),
            store,
            options,
        });
        load_backlog(&core).await?;
        let writer = tokio::spawn(write(Arc::clone(&core)));
        *core.writer_task.lock().unwrap_or_else(PoisonError::into_inner) = Some(writer);
        for _ in 0..PUMPS {
            tokio::spawn(pump(Arc::clone(&core)));
        }
        tokio::spawn(settler(Arc::clone(&core)));
        tokio::spawn(sweep(Arc::clone(&core)));
        let missing = match recover(&core, position).await {
            Ok(missing) => missing,
            Err(error) => {
                // Nothing of this engine may go on sending: the caller may start another one.
                Self { core }.shutdown(Duration::ZERO).await;
                return Err(error);
            }
        };
        if missing > 0 {
            tracing::info!(deliveries = missing, "taking up what an earlier run left undone");
        }
        resume_deletions(&core, snapshot.deletions);
        Ok(Self { core })
    }

    /// Stops: takes no more events, lets what is in flight finish within `grace`, records it, and saves where it
    /// stands. What had no turn stays in the store for the next start. Whether everything finished in time.
    pub async fn shutdown(&self, grace: Duration) -> bool {
        let core = &self.core;
        core.writer.close();
        core.dispatch.close();
        let deadline = core.options.clock.sleep(grace);
        tokio::pin!(deadline);
        let finished = loop {
            let idle = core.dispatch.idle.notified();
            if core.dispatch.counts().in_flight == 0 {
                break true;
            }
            tokio::select! {
                () = idle => {}
                () = &mut deadline => break false,
            }
        };
        core.stopping.cancel();
        core.writer.end();
        let writer = core.writer_task.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut writer) = writer else { return finished };
        // A store that takes no writes is not waited for beyond the grace, but for a moment.
        let last = core.options.clock.sleep(LAST_WRITE);
        tokio::pin!(last);
        tokio::select! {
            _ = &mut writer => finished,
            () = async { tokio::join!(deadline, last); } => {
                writer.abort();
                false
            }
        }
    }

    /// Whether events can be accepted: the engine runs, and the store took the last write.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.core.writer.is_healthy()
    }

    /// The engine's counters, for metrics.
    #[must_use]
    pub fn stats(&self) -> crate::stats::Snapshot {
        let core = &self.core;
        let counts = core.dispatch.counts();
        let mut snapshot = core.stats.snapshot();
        snapshot.subscriptions = core.index.len() as u64;
        snapshot.in_flight = counts.in_flight as u64;
        snapshot.queued = counts.queued as u64;
        snapshot.queued_bytes = counts.queued_bytes as u64;
        snapshot.waiting = counts.waiting;
        snapshot.unrecorded_events = core.writer.tracker().unrecorded() as u64;
        snapshot
    }
}

/// Puts what waits in the store where dispatch finds it when it is due.
async fn load_backlog(core: &Arc<Core>) -> Result<(), Error> {
    for backlog in core.store.backlog().await? {
        let live = core.index.get(backlog.subscription);
        let (account, cap, status) = match &live {
            Some(live) => (live.subscription.account.clone(), core.cap_of(live), live.subscription.status),
            None => {
                let stored = core.store.subscriptions_by_no(&[backlog.subscription]).await?;
                let Some(stored) = stored.into_iter().next() else { continue };
                (stored.account, core.options.max_in_flight_per_target, stored.status)
            }
        };
        let fits = match status {
            SubscriptionStatus::Active => backlog.held == 0,
            status if status.is_ended() => false,
            _ => backlog.scheduled == 0,
        };
        core.dispatch.load(&backlog, &account, cap, !fits);
    }
    Ok(())
}
