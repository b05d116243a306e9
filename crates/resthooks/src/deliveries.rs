//! Reading deliveries, and trying or ending one by hand.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::oneshot;

use crate::core::Core;
use crate::dispatch::{Admitted, Aim, Claim, Job, attempt_now, note_health};
use crate::error::Error;
use crate::hooks::{Hooks, List, Scope};
use crate::index::Live;
use crate::ingest::Recorded;
use crate::limits::MAX_PAGE;
use crate::model::{
    AccountId, Attempt, Delivery, DeliveryId, DeliveryKey, DeliveryStatus, Event, EventId, EventName,
    EventSeq, Match, SequencedEvent, SubscriptionId, SubscriptionNo, SubscriptionStatus, Timestamp, Uid,
};
use crate::store::{self, Backlog, Claimed, DeliveryFilter, Page, Record};

/// A request by hand waits so long for a turn that its target has granted.
const LONGEST_TURN: Duration = Duration::from_secs(5);
/// A delivery that is recorded again each time it is read is shown as it is after so many.
const READ_AGAIN: usize = 3;

/// Which deliveries to list, in public ids.
#[derive(Debug, Clone, Default)]
pub struct DeliveryQuery {
    /// Of one account.
    pub account: Option<AccountId>,
    /// Of one subscription.
    pub subscription: Option<SubscriptionId>,
    /// Of one event.
    pub event: Option<EventId>,
    /// Of events of one type.
    pub event_type: Option<EventName>,
    /// In one status.
    pub status: Option<DeliveryStatus>,
    /// Whose event was created at or after.
    pub since: Option<Timestamp>,
    /// Whose event was created before.
    pub until: Option<Timestamp>,
}

impl Hooks {
    /// Deliveries that have a row, newest first. Unknown subscriptions and events give an empty list.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn deliveries(
        &self,
        scope: &Scope,
        query: DeliveryQuery,
        page: Page<DeliveryId>,
    ) -> Result<List<Delivery, DeliveryId>, Error> {
        let nothing = List { items: Vec::new(), next: None };
        let mut filter = DeliveryFilter {
            account: scope.account().cloned().or(query.account),
            event_type: query.event_type,
            status: query.status,
            since: query.since,
            until: query.until,
            ..DeliveryFilter::default()
        };
        if let Some(id) = query.subscription {
            let Some(subscription) = self.core().store.subscription(id).await? else { return Ok(nothing) };
            filter.subscription = Some(subscription.no);
        }
        if let Some(id) = &query.event {
            let mut found = self.core().store.events_by_id(filter.account.as_ref(), id).await?;
            let Some(event) = found.pop() else { return Ok(nothing) };
            filter.event = Some(event.seq);
        }
        let limit = page.limit.clamp(1, MAX_PAGE);
        let page = Page { after: page.after, limit: limit + 1 };
        let items = self.core().store.list_deliveries(&filter, page).await?;
        Ok(List::cut(items, limit, |delivery| delivery.id))
    }

    /// One delivery with all its attempts; one without a row is pending.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn delivery(&self, scope: &Scope, id: DeliveryId) -> Result<(Delivery, Vec<Attempt>), Error> {
        let mut found = self.find(scope, id).await?;
        let mut attempts = self.core().store.attempts(found.delivery.key).await?;
        // An attempt that was recorded between the two reads shows in the second one alone: then the delivery is old.
        for _ in 0..READ_AGAIN {
            if usize::try_from(found.delivery.attempts).is_ok_and(|count| count == attempts.len()) {
                break;
            }
            found = self.find(scope, id).await?;
            attempts = self.core().store.attempts(found.delivery.key).await?;
        }
        Ok((found.delivery, attempts))
    }

    /// Makes one attempt now and answers when it has ended. A success ends the delivery; a failure changes nothing
    /// but the list of attempts. It takes one of the turns that the target has granted, and waits for it for a moment.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Conflict`]: `delivery_in_flight`, `subscription_ended` or `subscription_pending`;
    /// [`Error::TooSoon`] (`rate_granted`) when the target's next turn is not soon.
    pub async fn retry_delivery(
        &self,
        scope: &Scope,
        id: DeliveryId,
    ) -> Result<(Delivery, Vec<Attempt>), Error> {
        let found = self.find(scope, id).await?;
        let live = self.core().index.get(found.delivery.key.subscription).ok_or_else(|| {
            let detail = "the subscription of this delivery has ended".to_owned();
            Error::Conflict { code: "subscription_ended", detail }
        })?;
        if found.delivery.status == DeliveryStatus::Pending {
            return Err(in_flight());
        }
        is_confirmed(&live)?;
        self.core().turn(&live).await?;
        // In a task of its own: an attempt that was made is recorded although the caller has gone away.
        let core = Arc::clone(&self.core());
        let task = tokio::spawn(async move { retry_claimed(&core, found).await });
        task.await.map_err(|_| Error::Internal("the attempt broke off".to_owned()))??;
        self.delivery(scope, id).await
    }

    /// Ends a delivery that is pending, scheduled or held.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Conflict`]: `delivery_in_flight` or `delivery_finished`.
    pub async fn cancel_delivery(&self, scope: &Scope, id: DeliveryId) -> Result<Delivery, Error> {
        let found = self.find(scope, id).await?;
        if found.delivery.status.is_final() {
            let detail = format!("the delivery is {} already", found.delivery.status.as_str());
            return Err(Error::Conflict { code: "delivery_finished", detail });
        }
        let core = Arc::clone(&self.core());
        let task = tokio::spawn(async move { cancel_claimed(&core, found).await });
        task.await.map_err(|_| Error::Internal("the cancellation broke off".to_owned()))??;
        Ok(self.find(scope, id).await?.delivery)
    }

    /// Sends one test event to a subscription now, though it may be paused or disabled, and answers what came of it.
    /// Nothing is stored. It takes one of the turns that the target has granted, and waits for it for a moment.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Conflict`] (`subscription_pending`): nothing is sent before the target has confirmed
    /// that it wants hooks; [`Error::TooSoon`] (`rate_granted`) when the target's next turn is not soon.
    pub async fn ping(&self, scope: &Scope, id: SubscriptionId) -> Result<Attempt, Error> {
        let stored = self.core().store.subscription(id).await?.ok_or(Error::NotFound)?;
        scope.check(&stored.account)?;
        let live = self.core().index.get(stored.no).ok_or(Error::NotFound)?;
        is_confirmed(&live)?;
        self.core().turn(&live).await?;
        // It may have another target by now.
        let live = self.core().index.get(stored.no).ok_or(Error::NotFound)?;
        is_confirmed(&live)?;
        let now = self.core().options.clock.now();
        let uid = Uid::new(now, self.core().options.random.u128());
        let event = Event {
            uid,
            id: EventId::generated(uid),
            account: stored.account,
            event: "hooks.ping".parse().expect("a valid name"),
            created_at: now,
            data: Bytes::from_static(br#"{"message":"This is a test."}"#),
            resource_url: None,
            order_key: None,
            debounce_key: None,
            digest: None,
            matched: Vec::new(),
        };
        let event = SequencedEvent { seq: EventSeq(0), event: Arc::new(event) };
        let since = self.core().options.clock.monotonic();
        let job = Job {
            event,
            sequence: 0,
            attempts: 0,
            automatic: 0,
            has_row: false,
            since,
            admitted: Admitted::default(),
            planned: false,
            group: None,
        };
        Ok(attempt_now(&self.core(), &live, &job, true).await)
    }

    async fn find(&self, scope: &Scope, id: DeliveryId) -> Result<Found, Error> {
        let event = self.core().store.event_by_uid(id.event).await?.ok_or(Error::NotFound)?;
        scope.check(&event.event.account)?;
        let subscription = self.core().store.subscription(id.subscription).await?.ok_or(Error::NotFound)?;
        let matched = event.event.matched.iter().find(|m| m.subscription == subscription.no);
        let matched = *matched.ok_or(Error::NotFound)?;
        let mut found = self.core().deliveries_of(&event, &[matched]).await?;
        let delivery = found.pop().ok_or(Error::NotFound)?;
        Ok(Found { event, delivery })
    }
}

/// A delivery with its event.
struct Found {
    event: SequencedEvent,
    delivery: Delivery,
}

impl Found {
    fn job(&self, since: Duration) -> Job {
        Job {
            event: self.event.clone(),
            sequence: self.delivery.sequence,
            attempts: self.delivery.attempts,
            automatic: self.delivery.automatic,
            has_row: true,
            since,
            admitted: Admitted::default(),
            planned: false,
            group: None,
        }
    }

    fn is_waiting(&self) -> bool {
        matches!(self.delivery.status, DeliveryStatus::Scheduled | DeliveryStatus::Held)
    }
}

/// Nothing is sent before a target has confirmed that it wants hooks, not even by hand.
fn is_confirmed(live: &Live) -> Result<(), Error> {
    if live.subscription.status != SubscriptionStatus::Pending {
        return Ok(());
    }
    let detail = "the subscription is pending: nothing is sent before its target has confirmed".to_owned();
    Err(Error::Conflict { code: "subscription_pending", detail })
}

fn in_flight() -> Error {
    let detail = "the delivery is being sent now".to_owned();
    Error::Conflict { code: "delivery_in_flight", detail }
}

/// Takes a delivery that has a row away from dispatch, as the store has it now.
async fn claim(core: &Arc<Core>, found: Found) -> Result<(Found, Job), Error> {
    let key = found.delivery.key;
    let has_row = found.delivery.status != DeliveryStatus::Pending;
    let aim = core.aim(key.subscription).unwrap_or_else(Aim::nowhere);
    match core.dispatch.claim(key.subscription, &found.delivery.account, &aim, key.event, has_row) {
        Claim::Waiting(job) => {
            // What it was when it was looked up may be old: it waits in memory, so that it is due.
            let mut found = found;
            if job.has_row {
                found.delivery.status = DeliveryStatus::Scheduled;
                found.delivery.next_attempt_at = Some(core.options.clock.now());
            }
            Ok((found, job))
        }
        Claim::Busy => Err(in_flight()),
        Claim::Free => {
            match core.store.claim(core.node, key).await {
                Ok(Claimed::Own) => {}
                Ok(Claimed::Moved) => core.adopt(&found.delivery, &aim),
                Ok(Claimed::Busy) => {
                    core.dispatch.release(key.subscription, key.event, None);
                    return Err(in_flight());
                }
                Err(error) => {
                    core.put_back(&found.delivery);
                    return Err(error.into());
                }
            }
            // Nobody else touches it from here on: what it was when it was looked up may be old.
            let event = found.event;
            match core.store.deliveries(&[key]).await {
                Ok(mut rows) if !rows.is_empty() => {
                    let found = Found { event, delivery: rows.remove(0) };
                    let job = found.job(core.options.clock.monotonic());
                    Ok((found, job))
                }
                Ok(_) => {
                    core.dispatch.release(key.subscription, key.event, None);
                    Err(Error::NotFound)
                }
                Err(error) => {
                    core.put_back(&found.delivery);
                    Err(error.into())
                }
            }
        }
    }
}

async fn retry_claimed(core: &Arc<Core>, found: Found) -> Result<(), Error> {
    let no = found.delivery.key.subscription;
    let (found, job) = claim(core, found).await?;
    let Some(live) = core.index.get(no) else {
        core.put_back(&found.delivery);
        return Err(Error::NotFound);
    };
    if let Err(pending) = is_confirmed(&live) {
        core.put_back(&found.delivery);
        return Err(pending);
    }
    if !core.dispatch.has_lease() {
        core.put_back(&found.delivery);
        return Err(store::Error::Unavailable("this node's lease has run out".to_owned()).into());
    }
    let attempt = attempt_now(core, &live, &job, true).await;
    let success = attempt.is_success();
    note_health(core, no, success, core.options.clock.now());
    let kept = found.delivery.status;
    let mut record = job.record(no, if success { DeliveryStatus::Delivered } else { kept }, None, None);
    if !success {
        record.keep_state = true;
        record.next_attempt_at = found.delivery.next_attempt_at;
        record.reason = found.delivery.reason.clone();
    }
    record.attempts += 1;
    let gone = attempt.status_code == Some(410);
    record.attempt = Some(attempt);
    write(core, record, found.is_waiting()).await?;
    if gone {
        core.subscription_gone(no, live.subscription.target_url.clone());
    }
    Ok(())
}

async fn cancel_claimed(core: &Arc<Core>, found: Found) -> Result<(), Error> {
    let no = found.delivery.key.subscription;
    let (found, job) = claim(core, found).await?;
    if found.delivery.status.is_final() {
        core.dispatch.release(no, job.event.seq, None);
        let detail = format!("the delivery is {} already", found.delivery.status.as_str());
        return Err(Error::Conflict { code: "delivery_finished", detail });
    }
    let reason = Some("cancelled by hand".to_owned());
    let record = job.record(no, DeliveryStatus::Cancelled, reason, None);
    write(core, record, job.has_row).await
}

/// Writes a record and waits until it is durable.
async fn write(core: &Core, record: Record, was_waiting: bool) -> Result<(), Error> {
    let (done, written) = oneshot::channel();
    core.writer.record(Recorded { record, was_waiting, done: Some(done) });
    written.await.map_err(|_| Error::Unavailable {
        retry_after: Duration::from_secs(1),
        detail: "the engine stopped".to_owned(),
    })
}

impl Core {
    /// Takes one of the turns that a target has granted for a request by hand, and waits for it.
    async fn turn(&self, live: &Live) -> Result<(), Error> {
        let wait = self.dispatch.reserve(live.subscription.no, LONGEST_TURN).map_err(|retry_after| {
            let rate = live.subscription.rate().map(|rate| rate.to_string()).unwrap_or_default();
            let (code, who) = match live.subscription.is_rate_granted() {
                true => ("rate_granted", "the target has granted"),
                false => ("target_rate_limited", "the subscription's rate_limit is"),
            };
            let detail = format!("{who} {rate}, and these are taken for now");
            Error::TooSoon { code, retry_after, detail }
        })?;
        if !wait.is_zero() {
            self.options.clock.sleep(wait).await;
        }
        Ok(())
    }

    /// A delivery that waited with another node waits with this one now: its lane knows of it, whatever comes of the
    /// claim.
    fn adopt(&self, delivery: &Delivery, aim: &Aim) {
        let held = delivery.status == DeliveryStatus::Held;
        let waits = Backlog {
            subscription: delivery.key.subscription,
            next_due: delivery.next_attempt_at,
            scheduled: u64::from(!held),
            held: u64::from(held),
        };
        // Its subscription may have changed before this node had a lane that would have been told.
        self.dispatch.load(&waits, &delivery.account, aim, held);
    }

    /// Gives a claimed delivery back as it is in the store. One that is held may have been passed over meanwhile by
    /// what a change of its subscription asked for.
    fn put_back(&self, delivery: &Delivery) {
        let DeliveryKey { event, subscription } = delivery.key;
        self.dispatch.release(subscription, event, delivery.next_attempt_at);
        if delivery.status == DeliveryStatus::Held {
            self.dispatch.settle_again(subscription);
        }
    }

    /// An event's deliveries for these of its matches, in their order; those without a row as pending.
    pub(crate) async fn deliveries_of(
        &self,
        event: &SequencedEvent,
        wanted: &[Match],
    ) -> Result<Vec<Delivery>, Error> {
        let key = |m: &Match| DeliveryKey { event: event.seq, subscription: m.subscription };
        let keys: Vec<_> = wanted.iter().map(key).collect();
        let rows = self.store.deliveries(&keys).await?;
        let mut rows: HashMap<_, _> = rows.into_iter().map(|row| (row.key, row)).collect();
        let missing: Vec<_> =
            keys.iter().filter(|key| !rows.contains_key(key)).map(|key| key.subscription).collect();
        let ids = self.subscription_ids(&missing).await?;
        let pending = |m: &Match| {
            let subscription = *ids.get(&m.subscription)?;
            Some(Delivery {
                key: key(m),
                id: DeliveryId { event: event.event.uid, subscription },
                account: event.event.account.clone(),
                event: event.event.id.clone(),
                event_type: event.event.event.clone(),
                sequence: m.sequence,
                status: DeliveryStatus::Pending,
                reason: None,
                attempts: 0,
                automatic: 0,
                next_attempt_at: None,
                created_at: event.event.created_at,
                updated_at: event.event.created_at,
            })
        };
        Ok(wanted.iter().filter_map(|m| rows.remove(&key(m)).or_else(|| pending(m))).collect())
    }

    async fn subscription_ids(
        &self,
        numbers: &[SubscriptionNo],
    ) -> Result<HashMap<SubscriptionNo, SubscriptionId>, Error> {
        let live = numbers.iter().filter_map(|no| Some((*no, self.index.get(*no)?.subscription.id)));
        let mut ids: HashMap<_, _> = live.collect();
        let ended: Vec<_> = numbers.iter().filter(|no| !ids.contains_key(no)).copied().collect();
        if !ended.is_empty() {
            let stored = self.store.subscriptions_by_no(&ended).await?;
            ids.extend(stored.into_iter().map(|subscription| (subscription.no, subscription.id)));
        }
        Ok(ids)
    }
}
