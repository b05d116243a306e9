//! Taking over from a node that is gone: its events that are not recorded in full, and what waits for its turn.
//!
//! Any of it may have been sent already without its record: it goes out again under the same id. Should this node end
//! before it is done, the next one begins again where rows are missing.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use super::planned;
use crate::control::resume_deletions;
use crate::core::Core;
use crate::engine::load_backlog;
use crate::error::Error;
use crate::ingest::recover_taken;
use crate::model::{EventSeq, NodeNo};

/// Waiting deliveries that are moved at once.
const STEP: usize = 1000;
/// After the store failed.
const AFTER_FAILURE: Duration = Duration::from_secs(1);
/// How often it is looked whether all is recorded.
const LOOK: Duration = Duration::from_millis(500);

/// How far it has come.
#[derive(Debug, Default)]
struct Progress {
    /// Where the events that were not looked at begin; `None` before the first.
    after: Option<EventSeq>,
    all_events: bool,
    deliveries: usize,
    all_waiting: bool,
    waiting: u64,
    /// A move may have happened without its answer.
    unsure: bool,
}

impl Progress {
    const fn is_done(&self) -> bool {
        self.all_events && self.all_waiting && !self.unsure
    }
}

/// Takes over from a node, behind the caller, unless that is under way.
pub(super) fn start(core: &Arc<Core>, gone: NodeNo) {
    if !core.taking.lock().unwrap_or_else(PoisonError::into_inner).insert(gone) {
        return;
    }
    tracing::warn!(node = gone.0, "taking over from a node that is gone");
    core.stats.takeovers.fetch_add(1, Ordering::Relaxed);
    tokio::spawn(take_over(Arc::clone(core), gone));
}

async fn take_over(core: Arc<Core>, gone: NodeNo) {
    let mut progress = Progress::default();
    while let Err(error) = take(&core, gone, &mut progress).await {
        progress.unsure = true;
        tracing::warn!(node = gone.0, %error, "taking over waits for the store");
        if rests(&core, AFTER_FAILURE).await {
            return;
        }
    }
    if !progress.is_done() {
        // The engine stops: who takes over from this node goes on with it.
        return;
    }
    tracing::info!(node = gone.0, deliveries = progress.deliveries, waiting = progress.waiting, "took over");
    while !core.writer.tracker().has_settled(gone) {
        if rests(&core, LOOK).await {
            return;
        }
    }
    while let Err(error) = core.store.forget(core.node, gone).await {
        tracing::warn!(node = gone.0, %error, "a node that is gone can't be forgotten yet");
        if rests(&core, AFTER_FAILURE).await {
            return;
        }
    }
    core.taking.lock().unwrap_or_else(PoisonError::into_inner).remove(&gone);
}

/// What that node knew of subscriptions is known here before its events are looked at.
async fn take(core: &Arc<Core>, gone: NodeNo, progress: &mut Progress) -> Result<(), Error> {
    core.follow_changes().await?;
    // What it owned is this node's since it was fenced off.
    planned::follow(core).await?;
    while !progress.all_events && !core.stopping.is_cancelled() {
        let after = match progress.after {
            Some(after) => after,
            None => core.store.position(gone).await?.watermark,
        };
        match recover_taken(core, gone, after).await? {
            Some((end, missing)) => {
                progress.after = Some(end);
                progress.deliveries += missing;
            }
            None => progress.all_events = true,
        }
    }
    while !progress.all_waiting && !core.stopping.is_cancelled() {
        let moved = core.store.inherit(core.node, gone, STEP).await?;
        progress.waiting += moved.backlog.iter().map(|one| one.scheduled + one.held).sum::<u64>();
        progress.all_waiting = moved.done;
        load_backlog(core, moved.backlog).await?;
    }
    if progress.unsure {
        let own = core.store.inherit(core.node, core.node, usize::MAX).await?;
        load_backlog(core, own.backlog).await?;
        progress.unsure = false;
    }
    resume_deletions(core, core.store.deletions().await?);
    Ok(())
}

/// Waits; whether the engine stops.
async fn rests(core: &Core, pause: Duration) -> bool {
    tokio::select! {
        () = core.options.clock.sleep(pause) => false,
        () = core.stopping.cancelled() => true,
    }
}
