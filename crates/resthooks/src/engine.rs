//! Starting and stopping.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::account_settings::AccountMap;
use crate::catalog::Catalog;
use crate::control::{ControlState, IntentState, confirm, resume_deletions, save_key_uses};
use crate::core::Core;
use crate::dispatch::{Dispatch, Limits, pacer, pump, settler, sweep};
use crate::error::Error;
use crate::hooks::Hooks;
use crate::index::Index;
use crate::ingest::{Tracker, Writer, recover, write};
use crate::keyring::Keyring;
use crate::membership;
use crate::model::SubscriptionStatus;
use crate::options::{EventTypes, Options};
use crate::retention::{RetentionState, retain};
use crate::stats::Stats;
use crate::store::{Backlog, Joined, NewNode, Snapshot, Store};

/// Tasks that fetch what is due.
const PUMPS: usize = 2;
/// At a stop, the last write is waited for so long at least.
const LAST_WRITE: Duration = Duration::from_secs(2);

impl Hooks {
    /// Starts the engine on a store: loads what it keeps in memory, takes up what an earlier run left undone, and
    /// begins to deliver. On a store that several nodes share it joins them. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// When the store can't be read, or the options make no sense.
    pub async fn start(store: Arc<dyn Store>, options: Options) -> Result<Self, Error> {
        options.check()?;
        let shared = store.is_shared();
        let hooks = Self::new(begin(store, options, Arc::default()).await?);
        if shared {
            tokio::spawn(membership::keep(hooks.clone()));
        }
        Ok(hooks)
    }

    /// Stops: takes no more events, lets what is in flight finish within `grace`, records it, and saves where it
    /// stands. What had no turn stays in the store for the next start. Whether everything finished in time.
    pub async fn shutdown(&self, grace: Duration) -> bool {
        self.stopping().cancel();
        let core = &self.core();
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
        let finished = finished
            && tokio::select! {
                () = core.intent.is_idle() => true,
                () = &mut deadline => false,
            };
        core.stopping.cancel();
        core.writer.end();
        let writer = core.writer_task.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut writer) = writer else { return finished };
        // A store that takes no writes is not waited for beyond the grace, but for a moment.
        let last = core.options.clock.sleep(LAST_WRITE);
        tokio::pin!(last);
        let finished = tokio::select! {
            _ = &mut writer => finished,
            () = async { tokio::join!(deadline, last); } => {
                writer.abort();
                false
            }
        };
        save_last_uses(core).await;
        membership::leave(core).await;
        finished
    }

    /// Whether events can be accepted: the engine runs, and the store took the last write.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.core().writer.is_healthy()
    }

    /// The engine's counters, for metrics.
    #[must_use]
    pub fn stats(&self) -> crate::stats::Snapshot {
        let core = &self.core();
        let counts = core.dispatch.counts();
        let mut snapshot = core.stats.snapshot();
        snapshot.live_nodes = core.live_nodes.load(Ordering::Relaxed) as u64;
        snapshot.subscriptions = core.index.len() as u64;
        snapshot.pending = core.index.pending() as u64;
        snapshot.in_flight = counts.in_flight as u64;
        snapshot.queued = counts.queued as u64;
        snapshot.queued_bytes = counts.queued_bytes as u64;
        snapshot.waiting = counts.waiting;
        snapshot.unrecorded_events = core.writer.tracker().unrecorded() as u64;
        snapshot.unwritten = core.writer.unwritten() as u64;
        snapshot.open_circuits = counts.open_circuits as u64;
        snapshot.fetching = counts.fetching as u64;
        snapshot.moving = counts.moving as u64;
        snapshot.confirming = core.intent.busy() as u64;
        (snapshot.store_bytes, snapshot.oldest_event) = core.retention.found();
        snapshot
    }
}

/// Begins to run as a node: its memory, its tasks, and what an earlier run of its own left.
pub(crate) async fn begin(
    store: Arc<dyn Store>,
    options: Options,
    stats: Arc<Stats>,
) -> Result<Arc<Core>, Error> {
    // Read before joining: what changes in between is among the changes that are read afterwards.
    let snapshot = store.snapshot().await?;
    let new = NewNode {
        name: options.node_name.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        lease: options.lease,
        started_at: options.clock.now(),
        registers_types: options.event_types == EventTypes::Auto,
    };
    let joining = options.clock.monotonic();
    let joined = store.join(&new).await?;
    let deletions = snapshot.deletions.clone();
    let core = Arc::new(assemble(store, options, stats, snapshot, &joined)?);
    if core.store.is_shared() {
        core.dispatch.send_until(joining + core.options.lease);
    }
    match take_up(&core, &joined).await {
        Ok(()) => resume_deletions(&core, deletions),
        Err(error) => {
            // Nothing of this engine may go on sending: the caller may start another one.
            Hooks::new(core).shutdown(Duration::ZERO).await;
            return Err(error);
        }
    }
    Ok(core)
}

fn assemble(
    store: Arc<dyn Store>,
    options: Options,
    stats: Arc<Stats>,
    snapshot: Snapshot,
    joined: &Joined,
) -> Result<Core, Error> {
    let limits = Limits {
        in_flight: options.max_in_flight,
        queue_per_target: options.queue_per_target,
        queue_bytes: options.queue_bytes,
        shared: store.is_shared(),
    };
    let index = Index::default();
    let dispatch = Dispatch::new(limits, Arc::clone(&options.clock));
    for (subscription, progress) in snapshot.subscriptions {
        if let Some(rate) = subscription.rate() {
            dispatch.set_rate(subscription.no, Some(rate));
        }
        index.load(subscription, progress);
    }
    Ok(Core {
        node: joined.node,
        client: options.client()?,
        catalog: Catalog::load(snapshot.event_types),
        keyring: Keyring::load(snapshot.keys),
        accounts: AccountMap::load(snapshot.accounts),
        index,
        stats,
        control: ControlState::new(snapshot.change),
        intent: IntentState::default(),
        retention: RetentionState::default(),
        writer: Writer::new(Tracker::new(joined.watermark, joined.last)),
        writer_task: Mutex::default(),
        dispatch,
        live_nodes: AtomicUsize::new(1),
        place: AtomicUsize::new(0),
        taking: Mutex::default(),
        told: Notify::new(),
        fenced: CancellationToken::new(),
        stopping: CancellationToken::new(),
        store,
        options,
    })
}

/// Starts the tasks, and takes up what an earlier run of this node left.
async fn take_up(core: &Arc<Core>, joined: &Joined) -> Result<(), Error> {
    if joined.watermark.is_some() {
        let waiting = core.store.inherit(joined.node, joined.node, usize::MAX).await?;
        load_backlog(core, waiting.backlog).await?;
    }
    let writer = tokio::spawn(write(Arc::clone(core)));
    *core.writer_task.lock().unwrap_or_else(PoisonError::into_inner) = Some(writer);
    for _ in 0..PUMPS {
        tokio::spawn(pump(Arc::clone(core)));
    }
    tokio::spawn(settler(Arc::clone(core)));
    tokio::spawn(pacer(Arc::clone(core)));
    tokio::spawn(sweep(Arc::clone(core)));
    tokio::spawn(confirm(Arc::clone(core)));
    tokio::spawn(save_key_uses(Arc::clone(core)));
    tokio::spawn(retain(Arc::clone(core)));
    if let Some(watermark) = joined.watermark {
        let missing = recover(core, watermark, joined.last).await?;
        if missing > 0 {
            tracing::info!(deliveries = missing, "taking up what an earlier run left undone");
        }
    }
    Ok(())
}

/// Saves when keys were used since that was last saved. Nothing that a stop is held up for.
async fn save_last_uses(core: &Core) {
    if core.fenced.is_cancelled() {
        return;
    }
    let saved = tokio::select! {
        saved = core.save_key_uses() => saved,
        () = core.options.clock.sleep(LAST_WRITE) => return,
    };
    if let Err(error) = saved {
        tracing::warn!(%error, "when API keys were last used could not be saved");
    }
}

/// Puts what waits in the store where dispatch finds it when it is due.
pub(crate) async fn load_backlog(core: &Arc<Core>, waiting: Vec<Backlog>) -> Result<(), Error> {
    for backlog in waiting {
        let Some((account, aim, status)) = core.lane_of(backlog.subscription).await? else { continue };
        let fits = match status {
            SubscriptionStatus::Active => backlog.held == 0,
            status if status.is_ended() => false,
            _ => backlog.scheduled == 0,
        };
        core.dispatch.load(&backlog, &account, &aim, !fits);
    }
    Ok(())
}
