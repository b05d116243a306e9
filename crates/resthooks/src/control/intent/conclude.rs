//! Writing down what came of asking, what a node has claimed, and what has run out: each within a change's turn, many of
//! them side by side so that they share the store's commits.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::task::JoinSet;

use super::ask::Asked;
use super::handshake::{self, Plan, Round, Step};
use crate::core::Core;
use crate::error::Error;
use crate::model::{
    Actor, AuditAction, AuditEntry, Subscription, SubscriptionNo, SubscriptionStatus, format_duration,
};
use crate::store;

/// How often something is written anew when others are quicker.
const TRIES: usize = 10;

/// An attempt that has ended.
#[derive(Debug, Clone)]
pub(super) struct Ended {
    pub(super) no: SubscriptionNo,
    pub(super) round: Round,
    pub(super) asked: Asked,
}

/// What is to be written.
#[derive(Debug, Clone)]
pub(super) enum Work {
    /// What came of an attempt.
    Conclude(Box<Ended>),
    /// That this node makes the next attempt.
    Claim(SubscriptionNo),
    /// That a subscription was never confirmed.
    Expire(SubscriptionNo),
}

impl Core {
    /// Does it all, and answers in the same order: whether each was done, which a claim is not when another node was
    /// quicker.
    pub(super) async fn write_down(
        self: &Arc<Self>,
        work: Vec<Work>,
    ) -> Result<Vec<Result<bool, Error>>, Error> {
        self.in_order(|core| async move {
            let count = work.len();
            let mut writing = JoinSet::new();
            for (place, work) in work.into_iter().enumerate() {
                let core = Arc::clone(&core);
                writing.spawn(async move { (place, core.write_one(work).await) });
            }
            let mut done: Vec<_> = (0..count).map(|_| None).collect();
            while let Some(written) = writing.join_next().await {
                if let Ok((place, result)) = written
                    && let Some(slot) = done.get_mut(place)
                {
                    *slot = Some(result);
                }
            }
            let broken = || Err(Error::Internal("a confirmation could not be written".to_owned()));
            Ok(done.into_iter().map(|result| result.unwrap_or_else(broken)).collect())
        })
        .await
    }

    async fn write_one(&self, work: Work) -> Result<bool, Error> {
        match work {
            Work::Conclude(ended) => self.conclude(&ended).await,
            Work::Claim(no) => self.claim_attempt(no).await,
            Work::Expire(no) => self.expire(no).await,
        }
    }

    /// What came of an attempt, unless it was made for something that is over. When another node has written meanwhile, on
    /// top of that: a confirmation counts whoever got it.
    async fn conclude(&self, ended: &Ended) -> Result<bool, Error> {
        let Some(live) = self.index.get(ended.no) else { return Ok(false) };
        let mut former = live.subscription.clone();
        for _ in 0..TRIES {
            if Round::of(&former).as_ref() != Some(&ended.round) {
                return Ok(false);
            }
            let now = self.options.clock.now();
            let mut next = former.clone();
            let Asked { attempt, finding } = ended.asked.clone();
            let plan = Plan::of(&self.options);
            handshake::concluded(&mut next, attempt, finding, now, &plan, || self.handshake_secret());
            let entry = self.audit_conclusion(&former, &next);
            match self.store_change(next, entry.as_ref()).await {
                Err(store::Error::Overtaken) => match self.stored(ended.no).await? {
                    Some(stored) => former = stored,
                    None => return Ok(false),
                },
                stored => return Ok(stored.map(|_| true)?),
            }
        }
        Err(store::Error::Overtaken.into())
    }

    /// What the trail says of it: nothing of an attempt that decides nothing.
    fn audit_conclusion(&self, former: &Subscription, next: &Subscription) -> Option<AuditEntry> {
        let system = Actor::system();
        let entry = |action| self.audit(&system, action, &next.id, Some(&next.account));
        match (former.status, next.status) {
            (_, SubscriptionStatus::Gone) => Some(self.audit_stop(&system, next)),
            (former, next) if former == next => None,
            (_, SubscriptionStatus::Pending) => {
                let entry = entry(AuditAction::SubscriptionUpdated).changing(&["active"]);
                Some(entry.because("the target no longer grants that it is sent hooks"))
            }
            _ => Some(entry(AuditAction::SubscriptionActivated)),
        }
    }

    async fn claim_attempt(&self, no: SubscriptionNo) -> Result<bool, Error> {
        let Some(live) = self.index.get(no) else { return Ok(false) };
        let now = self.options.clock.now();
        if handshake::step(&live.subscription, now) != Step::Ask {
            return Ok(false);
        }
        let mut subscription = live.subscription.clone();
        handshake::claim(&mut subscription, now, &Plan::of(&self.options));
        match self.store_change(subscription, None).await {
            Err(store::Error::Overtaken) => Ok(false),
            stored => Ok(stored.map(|_| true)?),
        }
    }

    async fn expire(&self, no: SubscriptionNo) -> Result<bool, Error> {
        let Some(live) = self.index.get(no) else { return Ok(false) };
        let subscription = live.subscription.clone();
        let now = self.options.clock.now();
        if handshake::step(&subscription, now) != Step::Expire {
            return Ok(false);
        }
        let unconfirmed = handshake::is_never_confirmed(&subscription, now);
        let reason = match subscription.terms.expires_at {
            Some(at) if !unconfirmed => format!("it was to end at {at}"),
            _ => format!("not confirmed within {}", format_duration(self.options.intent_timeout)),
        };
        let (id, account) = (subscription.id, subscription.account.clone());
        let mut ended = subscription;
        ended.status = SubscriptionStatus::Deleted;
        ended.status_reason = Some(reason.clone());
        ended.updated_at = now;
        let entry = self.audit_stop(&Actor::system(), &ended);
        match self.store_change(ended, Some(&entry)).await {
            // Somebody has written meanwhile: whether it is still to be removed shows when that is known here.
            Err(store::Error::Overtaken) => Ok(false),
            stored => {
                stored?;
                self.stats.unconfirmed.fetch_add(u64::from(unconfirmed), Ordering::Relaxed);
                if unconfirmed {
                    tracing::info!(subscription = %id, %account, "removed: its target never confirmed");
                } else {
                    tracing::info!(subscription = %id, %account, reason, "removed: its time is over");
                }
                Ok(true)
            }
        }
    }

    async fn stored(&self, no: SubscriptionNo) -> Result<Option<Subscription>, Error> {
        Ok(self.store.subscriptions_by_no(&[no]).await?.pop())
    }
}
