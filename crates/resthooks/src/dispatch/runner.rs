//! Making attempts: a runner takes one delivery after another while there are any, then ends.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::{Job, Outcome};
use crate::core::Core;
use crate::deliver::{Request, attempt};
use crate::index::Live;
use crate::ingest::Recorded;
use crate::model::{
    Attempt, DeliveryId, DeliveryKey, DeliveryStatus, ErrorClass, Health, SubscriptionId, SubscriptionNo,
    SubscriptionStatus, Timestamp,
};
use crate::record::{self, Judging, Verdict};
use crate::store::Record;

/// After a fault of our own a delivery is tried again after so long.
const AFTER_FAULT: Duration = Duration::from_secs(5);

/// Starts a runner for each delivery that may be sent now.
pub(crate) fn start_runners(core: &Arc<Core>) {
    while let Some((no, job)) = core.dispatch.next() {
        tokio::spawn(run(Arc::clone(core), no, job));
    }
}

async fn run(core: Arc<Core>, no: SubscriptionNo, job: Job) {
    let mut next = Some((no, job));
    while let Some((no, job)) = next {
        let mut held = Held { core: &core, no, job: Some(job) };
        let outcome = held.process().await;
        let admitted = held.job.take().map(|job| job.admitted).unwrap_or_default();
        let (following, more) = core.dispatch.finish(no, &admitted, outcome);
        if more {
            start_runners(&core);
        }
        next = following;
    }
}

/// A delivery in flight. Should its runner end without having recorded it (a panic), it is put back into the store
/// rather than lost until the next start.
struct Held<'a> {
    core: &'a Arc<Core>,
    no: SubscriptionNo,
    job: Option<Job>,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let Some(job) = self.job.take() else { return };
        tracing::error!(subscription = self.no.0, "an attempt broke off; its delivery is scheduled again");
        let at = self.core.options.clock.now().plus(AFTER_FAULT);
        push(self.core, &job, &job.record(self.no, DeliveryStatus::Scheduled, None, Some(at)));
        self.core.dispatch.broke_off(self.no, &job.admitted);
        if tokio::runtime::Handle::try_current().is_ok() {
            start_runners(self.core);
        }
    }
}

impl Held<'_> {
    /// Brings the delivery to its next state. Answers what that says of the target, if it was tried.
    async fn process(&self) -> Option<Outcome> {
        let job = self.job.as_ref()?;
        let live = self.core.index.get(self.no);
        let status = live.as_ref().map_or(SubscriptionStatus::Deleted, |live| live.subscription.status);
        let Some(live) = live.filter(|_| status == SubscriptionStatus::Active) else {
            let (status, reason) = unsent(status);
            push(self.core, job, &job.record(self.no, status, Some(reason), None));
            return None;
        };
        replace(self.core, self.no, job, live.subscription.id);
        if !self.core.dispatch.has_lease() {
            // The process was stopped since this was its turn. Written, if it still is this node's; else refused.
            let now = self.core.options.clock.now();
            push(self.core, job, &job.record(self.no, DeliveryStatus::Scheduled, None, Some(now)));
            return None;
        }
        let attempt = attempt_now(self.core, &live, job, false).await;
        let outcome = outcome(&attempt);
        let record = judged(self.core, &live, job, attempt);
        push(self.core, job, &record);
        outcome
    }
}

/// The state of a delivery whose subscription is not active, and why.
pub(crate) fn unsent(status: SubscriptionStatus) -> (DeliveryStatus, String) {
    let (status, reason) = match status {
        SubscriptionStatus::Gone => {
            (DeliveryStatus::Cancelled, "the target answered 410: the subscription is gone")
        }
        SubscriptionStatus::Deleted => (DeliveryStatus::Cancelled, "the subscription was deleted"),
        SubscriptionStatus::Disabled => (DeliveryStatus::Held, "the subscription is disabled"),
        SubscriptionStatus::Pending => (DeliveryStatus::Held, "the subscription is not confirmed"),
        SubscriptionStatus::Paused | SubscriptionStatus::Active => {
            (DeliveryStatus::Held, "the subscription is paused")
        }
    };
    (status, reason.to_owned())
}

/// What an attempt says of its target; nothing when it was our own doing that it failed.
const fn outcome(attempt: &Attempt) -> Option<Outcome> {
    match (attempt.error, attempt.status_code) {
        (Some(ErrorClass::BlockedAddress | ErrorClass::InvalidRequest), _) | (None, None) => None,
        (Some(_), _) => Some(Outcome::Unreached),
        (None, Some(200..=299)) => Some(Outcome::Well),
        (None, Some(429 | 502 | 503 | 504)) => Some(Outcome::Overloaded),
        (None, Some(_)) => Some(Outcome::Answered),
    }
}

/// Makes one attempt and counts it.
pub(crate) async fn attempt_now(core: &Core, live: &Live, job: &Job, manual: bool) -> Attempt {
    let with = job.group.iter().flat_map(|group| &group.with).map(|other| &*other.event.event).collect();
    let request =
        Request { event: &job.event.event, with, sequence: job.sequence, number: job.attempts + 1, manual };
    let made = attempt(&core.client, &*core.options.clock, &core.catalog, live, request).await;
    let stats = &core.stats;
    match (made.error, made.is_success()) {
        (Some(class), _) => {
            let place = ErrorClass::ALL.iter().position(|c| *c == class);
            if let Some(counter) = place.and_then(|place| stats.attempts_failed.get(place)) {
                counter.fetch_add(1, Ordering::Relaxed);
            }
        }
        (None, true) => {
            stats.attempts_succeeded.fetch_add(1, Ordering::Relaxed);
        }
        (None, false) => {
            stats.attempts_refused.fetch_add(1, Ordering::Relaxed);
        }
    }
    stats.attempt_time.observe(Duration::from_micros(made.duration_us));
    made
}

/// Judges an automatic attempt: the delivery's record, the subscription's health, and its end if it has come.
fn judged(core: &Arc<Core>, live: &Live, job: &Job, attempt: Attempt) -> Record {
    let no = live.subscription.no;
    let now = core.options.clock.now();
    let automatic = job.automatic + 1;
    let by = Judging {
        automatic,
        accepted_at: job.event.event.uid.time(),
        now,
        policy: &core.options.retry,
        own: live.subscription.terms.retry.as_ref(),
        skip_after: live.subscription.terms.skip_after(),
        fraction: core.options.random.fraction(),
    };
    let verdict = record::judge(&attempt, &by);
    note_health(core, no, attempt.is_success(), now);
    let mut record = job.record(no, DeliveryStatus::Delivered, None, None);
    record.attempts = job.attempts + 1;
    record.automatic = automatic;
    match verdict {
        Verdict::Delivered => {}
        Verdict::Retry(at) => {
            record.status = DeliveryStatus::Scheduled;
            record.next_attempt_at = Some(at);
            let batches = job.planned && live.subscription.terms.batch.is_some();
            record.group = batches.then_some(job.sequence);
        }
        Verdict::Dead(reason) => {
            record.status = DeliveryStatus::Dead;
            record.reason = Some(reason);
        }
        Verdict::Gone => {
            record.status = DeliveryStatus::Dead;
            record.reason = Some("the target answered 410: the subscription is gone".to_owned());
            core.subscription_gone(no, live.subscription.target_url.clone());
        }
    }
    record.attempt = Some(attempt);
    record
}

/// Notes an attempt's success or failure; a subscription that has failed for too long is disabled.
pub(crate) fn note_health(core: &Arc<Core>, no: SubscriptionNo, success: bool, now: Timestamp) {
    let Some(live) = core.index.get(no) else { return };
    let health = core.index.note_health(&live, |health| {
        if success {
            *health = Health {
                last_success_at: Some(now),
                last_failure_at: health.last_failure_at,
                ..Health::default()
            };
        } else {
            health.last_failure_at = Some(now);
            health.consecutive_failures += 1;
            health.failing_since.get_or_insert(now);
        }
    });
    let too_long = |since: Timestamp| now.since(since) >= core.options.disable_after;
    if let Some(since) = health.failing_since.filter(|since| too_long(*since))
        && live.subscription.status == SubscriptionStatus::Active
    {
        core.subscription_failing(no, since);
    }
}

/// Records what became of a delivery, and of those that were sent with it: the same. Its plan is told first: whatever is
/// sent next of it, the store hears of it after this.
fn push(core: &Core, job: &Job, record: &Record) {
    for other in job.group.iter().flat_map(|group| &group.with) {
        let record = shared(record, job, other);
        core.writer.record(Recorded { record, was_waiting: other.has_row, done: None });
    }
    core.writer.record(Recorded { record: record.clone(), was_waiting: job.has_row, done: None });
    if job.planned {
        core.dispatch.planned_ended(record);
    }
}

/// The record of a delivery that was sent together with another one.
fn shared(record: &Record, first: &Job, other: &Job) -> Record {
    let made = record.attempts - first.attempts;
    let attempt = record.attempt.clone();
    Record {
        key: DeliveryKey { event: other.event.seq, ..record.key },
        sequence: other.sequence,
        has_row: other.has_row,
        attempts: other.attempts + made,
        automatic: other.automatic + (record.automatic - first.automatic),
        attempt: attempt.map(|attempt| Attempt { number: other.attempts + made, ..attempt }),
        ..record.clone()
    }
}

/// Those in whose place a delivery is about to be sent are at their end.
fn replace(core: &Core, no: SubscriptionNo, job: &Job, subscription: SubscriptionId) {
    let Some(group) = job.group.as_ref().filter(|group| !group.replaced.is_empty()) else { return };
    let by = DeliveryId { event: job.event.event.uid, subscription };
    for replaced in &group.replaced {
        let record = Record {
            key: DeliveryKey { event: replaced.event, subscription: no },
            sequence: replaced.sequence,
            attempts: replaced.attempts,
            automatic: replaced.automatic,
            ..job.record(no, DeliveryStatus::Cancelled, Some(format!("replaced by {by}")), None)
        };
        core.writer.record(Recorded { record, was_waiting: true, done: None });
    }
}
