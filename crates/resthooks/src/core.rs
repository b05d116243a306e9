//! What all parts of a running engine share.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::account_settings::AccountMap;
use crate::catalog::Catalog;
use crate::control::{ControlState, IntentState};
use crate::deliver::http::Client;
use crate::dispatch::{Aim, Dispatch, unsent};
use crate::error::Error;
use crate::index::{Index, Live};
use crate::ingest::{Recorded, Writer};
use crate::keyring::Keyring;
use crate::model::{AccountId, NodeNo, SubscriptionNo, SubscriptionStatus, TargetUrl, Timestamp};
use crate::options::Options;
use crate::retention::RetentionState;
use crate::stats::Stats;
use crate::store::Store;

/// After a change that the store did not take, it is tried again after so long.
const AFTER_FAILURE: Duration = Duration::from_secs(1);

/// One running engine's state. Nothing here is global.
#[derive(Debug)]
pub(crate) struct Core {
    /// Which node this is.
    pub node: NodeNo,
    pub store: Arc<dyn Store>,
    pub options: Options,
    pub client: Client,
    pub catalog: Catalog,
    pub keyring: Keyring,
    pub accounts: AccountMap,
    pub index: Index,
    pub stats: Arc<Stats>,
    /// Orders the control plane's changes to subscriptions.
    pub control: ControlState,
    /// Confirmations that this node is about.
    pub intent: IntentState,
    /// What this node remembers of deleting what is old.
    pub retention: RetentionState,
    pub writer: Writer,
    /// Its loop, to be waited for at a stop.
    pub writer_task: Mutex<Option<JoinHandle<()>>>,
    pub dispatch: Dispatch,
    /// How many nodes share the store, as far as is known.
    pub live_nodes: AtomicUsize,
    /// This node's place among them, from 0.
    pub place: AtomicUsize,
    /// The nodes that this one is taking over from.
    pub taking: Mutex<HashSet<NodeNo>>,
    /// The store has told of something new.
    pub told: Notify,
    /// This node was taken over: whatever it has in hand is another one's now.
    pub fenced: CancellationToken,
    /// Ends the tasks that run for as long as the engine does.
    pub stopping: CancellationToken,
}

impl Core {
    /// The engine's part of a change to a subscription, after store and index have it: what waits is brought to the
    /// state that the new status asks for.
    pub(crate) fn subscription_changed(&self, no: SubscriptionNo) {
        let live = self.index.get(no);
        let status = live.as_ref().map_or(SubscriptionStatus::Deleted, |live| live.subscription.status);
        self.dispatch.set_rate(no, live.as_ref().and_then(|live| live.subscription.rate()));
        let aim = live.map(|live| self.aim_of(&live));
        for job in self.dispatch.subscription_changed(no, aim, status == SubscriptionStatus::Active) {
            let (status, reason) = unsent(status);
            let record = job.record(no, status, Some(reason), None);
            self.writer.record(Recorded { record, was_waiting: job.has_row, done: None });
        }
    }

    /// How many deliveries wait for a subscription: in memory, scheduled or held.
    pub(crate) fn waiting(&self, no: SubscriptionNo) -> u64 {
        self.dispatch.waiting(no)
    }

    /// How many requests to this subscription may be in flight.
    fn cap_of(&self, live: &Live) -> usize {
        let own = live.subscription.terms.max_in_flight.and_then(|cap| usize::try_from(cap).ok());
        // Shared out among the nodes, none of which knows what the others have in flight. One at least for each: with
        // more nodes than its cap, a subscription may get as many requests at once as there are nodes.
        let nodes = self.live_nodes.load(Ordering::Relaxed).max(1);
        (own.unwrap_or(self.options.max_in_flight_per_target) / nodes).max(1)
    }

    /// Where requests to this subscription go, and how many may be in flight.
    pub(crate) fn aim_of(&self, live: &Live) -> Aim {
        Aim {
            cap: self.cap_of(live),
            host: Arc::clone(live.prepared.target.origin()),
            mode: live.subscription.terms.mode(),
            sends: live.subscription.status == SubscriptionStatus::Active,
        }
    }

    /// As [`Core::aim_of`]; `None` when it has ended.
    pub(crate) fn aim(&self, no: SubscriptionNo) -> Option<Aim> {
        self.index.get(no).map(|live| self.aim_of(&live))
    }

    /// What a subscription's lane has to know of it, also when it has ended; `None` when there is no trace of it.
    ///
    /// # Errors
    /// When the store can't be read.
    pub(crate) async fn lane_of(
        &self,
        no: SubscriptionNo,
    ) -> Result<Option<(AccountId, Aim, SubscriptionStatus)>, Error> {
        if let Some(live) = self.index.get(no) {
            return Ok(Some((
                live.subscription.account.clone(),
                self.aim_of(&live),
                live.subscription.status,
            )));
        }
        let stored = self.store.subscriptions_by_no(&[no]).await?;
        Ok(stored.into_iter().next().map(|stored| (stored.account, Aim::nowhere(), stored.status)))
    }

    /// Whether deliveries of this subscription are held now.
    pub(crate) fn holds(&self, no: SubscriptionNo) -> bool {
        self.index.get(no).is_some_and(|live| live.subscription.status != SubscriptionStatus::Active)
    }

    /// Whether deliveries of this subscription are sent now.
    pub(crate) fn sends(&self, no: SubscriptionNo) -> bool {
        self.index.get(no).is_some_and(|live| live.subscription.status == SubscriptionStatus::Active)
    }

    /// A subscription's status, also of one that has ended.
    ///
    /// # Errors
    /// When the store can't be read: then nothing may be concluded.
    pub(crate) async fn status_of(&self, no: SubscriptionNo) -> Result<SubscriptionStatus, Error> {
        if let Some(live) = self.index.get(no) {
            return Ok(live.subscription.status);
        }
        let stored = self.store.subscriptions_by_no(&[no]).await?;
        Ok(stored.first().map_or(SubscriptionStatus::Deleted, |subscription| subscription.status))
    }

    /// This target said 410: nothing more is sent from now on, and the subscription ends, unless it has another
    /// target by now.
    pub(crate) fn subscription_gone(self: &Arc<Self>, no: SubscriptionNo, target: TargetUrl) {
        self.dispatch.stop(no);
        let core = Arc::clone(self);
        tokio::spawn(async move {
            loop {
                match core.end_subscription_gone(no, &target, "the target answered 410").await {
                    Ok(true) => return,
                    Ok(false) => return core.subscription_changed(no),
                    Err(error) => {
                        if core.gives_up("a subscription could not be ended after a 410", &error).await {
                            return;
                        }
                    }
                }
            }
        });
    }

    /// A subscription has failed for too long: it is disabled.
    pub(crate) fn subscription_failing(self: &Arc<Self>, no: SubscriptionNo, since: Timestamp) {
        let core = Arc::clone(self);
        let reason = format!("no delivery has succeeded since {since}");
        tokio::spawn(async move {
            if let Err(error) = core.disable_subscription(no, &reason).await {
                tracing::warn!(%error, "a failing subscription could not be disabled; its next failure tries again");
            }
        });
    }

    async fn gives_up(&self, what: &str, error: &Error) -> bool {
        tracing::warn!(%error, "{what}; trying again");
        tokio::select! {
            () = self.options.clock.sleep(AFTER_FAILURE) => false,
            () = self.stopping.cancelled() => true,
        }
    }
}
