//! Holding the lease: as long as it is lengthened in time, what this node has in hand is its own.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::task::JoinHandle;

use super::takeover;
use crate::core::Core;
use crate::dispatch::start_runners;
use crate::store::{Error, Renewed};

/// The lease is lengthened at least so often …
const OFTEN: Duration = Duration::from_secs(1);
/// … and so many times within its own length.
const TIMES: u32 = 5;

/// How the lease went so far.
struct Held {
    /// When it was last lengthened.
    last: Duration,
    /// Since when it has never run out. What others let run out meanwhile was not for want of the store, which this
    /// node has reached all the while.
    since: Duration,
    well: bool,
    /// A look for nodes to take over from, which may take longer than a lease.
    looking: Option<JoinHandle<bool>>,
}

impl Held {
    /// Whether nothing is under way. A look whose answer was lost is to be made again, whatever is told of orphans: it
    /// may have taken some.
    async fn is_free(&mut self, orphans: bool) -> bool {
        match self.looking.take_if(|looking| looking.is_finished()) {
            Some(looking) => !looking.await.unwrap_or(false) || orphans,
            None => self.looking.is_none() && orphans,
        }
    }
}

/// Lengthens the lease until this node is taken over. Whoever starts this ends it.
pub(super) async fn hold(core: Arc<Core>) {
    let clock = Arc::clone(&core.options.clock);
    let lease = core.options.lease;
    let now = clock.monotonic();
    // What stopped in order is there to be taken at once.
    let looking = Some(tokio::spawn(take_over(Arc::clone(&core), false)));
    let mut held = Held { last: now, since: now, well: true, looking };
    loop {
        let asked = clock.monotonic();
        let renewed = tokio::select! {
            renewed = core.store.renew(core.node, lease) => renewed,
            () = clock.sleep(lease / 2) => Err(Error::Unavailable("no answer".to_owned())),
        };
        match renewed {
            Ok(renewed) => lengthened(&core, &mut held, asked, renewed).await,
            Err(Error::Fenced) => return core.fenced.cancel(),
            Err(error) => {
                if std::mem::take(&mut held.well) {
                    tracing::warn!(%error, "this node's lease could not be lengthened; trying again");
                }
            }
        }
        clock.sleep(OFTEN.min(lease / TIMES)).await;
    }
}

async fn lengthened(core: &Arc<Core>, held: &mut Held, asked: Duration, renewed: Renewed) {
    let lease = core.options.lease;
    if asked.saturating_sub(held.last) >= lease {
        tracing::warn!("this node's lease had run out; nothing was sent meanwhile");
        held.since = asked;
    }
    held.last = asked;
    held.well = true;
    core.dispatch.send_until(asked + lease);
    core.live_nodes.store(renewed.live.max(1), Ordering::Relaxed);
    core.dispatch.set_nodes(renewed.live.max(1));
    core.place.store(renewed.place, Ordering::Relaxed);
    start_runners(core);
    if held.is_free(renewed.orphans).await {
        let patient = asked.saturating_sub(held.since) >= lease;
        held.looking = Some(tokio::spawn(take_over(Arc::clone(core), patient)));
    }
}

/// Whether it is known what was taken.
async fn take_over(core: Arc<Core>, patient: bool) -> bool {
    match core.store.take_over(core.node, patient).await {
        Ok(gone) => gone.into_iter().for_each(|gone| takeover::start(&core, gone)),
        Err(Error::Fenced) => core.fenced.cancel(),
        Err(error) => {
            tracing::warn!(%error, "could not take over from nodes that are gone; trying again");
            return false;
        }
    }
    true
}
