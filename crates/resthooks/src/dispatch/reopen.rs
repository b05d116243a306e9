//! Bringing deliveries back that ended or are held: the one place where what was given up is scheduled again, or ended
//! for good, in the order of its subscription.
//!
//! Stands between callers (the claim check, a resumption) and the store: each step is one short transaction, after which
//! the subscription's lane knows of what waits. What a crash cuts off has happened in whole steps; asking again does the
//! rest.

use crate::core::Core;
use crate::error::Error;
use crate::index::Live;
use crate::model::{DeliveryStatus, EventSeq, Timestamp};
use crate::store::{Backlog, DeliveryFilter, Page, Reopen, Reopened, Which};

/// Deliveries that are looked at in one transaction: short enough not to hold up commits.
const STEP: usize = 200;

/// What becomes of what is brought back.
#[derive(Debug, Clone)]
pub(crate) struct Return {
    /// Those in these states.
    pub from: Vec<DeliveryStatus>,
    /// Get this one.
    pub to: DeliveryStatus,
    /// With this reason.
    pub reason: Option<&'static str>,
}

impl Core {
    /// Brings back those of these events; how many there were.
    pub(crate) async fn reopen_these(
        &self,
        live: &Live,
        events: &[EventSeq],
        wanted: &Return,
    ) -> Result<usize, Error> {
        let now = self.options.clock.now();
        let mut done = 0;
        for part in events.chunks(STEP) {
            let step = self.reopen_step(live, Which::Events(part.to_vec()), wanted, now).await?;
            done += step.ended + step.held;
        }
        Ok(done)
    }

    /// Brings back all that there are by now, the oldest first; how many there were. Those that come while it is under
    /// way are left for the next time, so that it has an end.
    pub(crate) async fn reopen_all(&self, live: &Live, wanted: &Return) -> Result<usize, Error> {
        let mut through = EventSeq(0);
        for status in &wanted.from {
            let filter = DeliveryFilter {
                subscription: Some(live.subscription.no),
                status: Some(*status),
                ..DeliveryFilter::default()
            };
            let newest = self.store.list_deliveries(&filter, Page { after: None, limit: 1 }).await?;
            through = newest.first().map_or(through, |newest| through.max(newest.key.event));
        }
        // One moment for all: what is due at the same time is sent in the order of its events.
        let now = self.options.clock.now();
        let mut after = EventSeq(0);
        let mut done = 0;
        loop {
            let which = Which::Range { after, through, since: None, until: None, limit: STEP };
            let step = self.reopen_step(live, which, wanted, now).await?;
            done += step.ended + step.held;
            match step.last {
                Some(last) => after = last,
                None => return Ok(done),
            }
        }
    }

    async fn reopen_step(
        &self,
        live: &Live,
        which: Which,
        wanted: &Return,
        now: Timestamp,
    ) -> Result<Reopened, Error> {
        let subscription = live.subscription.no;
        let ask = Reopen {
            node: self.node,
            subscription,
            which,
            from: wanted.from.clone(),
            to: wanted.to,
            reason: wanted.reason.map(str::to_owned),
            now,
            except: self.dispatch.in_hand(subscription),
        };
        let step = self.store.reopen(ask).await;
        // Without an answer it may have happened all the same: then some are due.
        let Reopened { ended, held, elsewhere, .. } = step.as_ref().copied().unwrap_or_default();
        if wanted.to == DeliveryStatus::Scheduled {
            // Those that were held are counted already.
            let waits = Backlog {
                subscription,
                next_due: Some(now),
                scheduled: ended.saturating_sub(elsewhere) as u64,
                held: 0,
            };
            let settle = !self.sends(subscription);
            self.dispatch.load(&waits, &live.subscription.account, &self.aim_of(live), settle);
        } else {
            self.dispatch.settled(subscription, held, DeliveryStatus::Cancelled, now);
        }
        Ok(step?)
    }
}
