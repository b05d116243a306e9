//! Group commit: everything that waits goes into one transaction, then the next.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};

use super::Tracker;
use super::fanout::{FanOut, fan_out};
use super::ids::{Sorted, sort_out};
use super::recover::recover_doubt;
use crate::core::Core;
use crate::dispatch::{Dispatch, start_runners};
use crate::error::Error;
use crate::events::Accepted;
use crate::model::{DeliveryStatus, Event, EventSeq, Match, SequencedEvent, SubscriptionNo};
use crate::stats::Stats;
use crate::store::{self, Batch, Committed, EmittedNo, Record, Shift};

/// Events in one transaction.
const MAX_EVENTS: usize = 1000;
/// Bytes of events in one transaction (one call's may be more).
const MAX_BYTES: usize = 16 * 1024 * 1024;
/// Deliveries that the events of one transaction may give (one call's may be more).
const MAX_MATCHES: usize = 50_000;
/// Records in one transaction.
const MAX_RECORDS: usize = 4000;
/// Deliveries that one call's events may give, if there is more than one.
const MAX_CALL_MATCHES: usize = 1_000_000;
/// With so many records, or bytes of them, waiting, no events are taken and nothing new is sent.
const FULL_RECORDS: usize = 10_000;
const FULL_RECORD_BYTES: usize = 32 * 1024 * 1024;
/// Events and bytes that may wait; what comes then is refused.
const MAX_WAITING_EVENTS: usize = 50_000;
const MAX_WAITING_BYTES: usize = 128 * 1024 * 1024;
/// After a failed transaction the next one is tried after so long.
const AFTER_FAILURE: Duration = Duration::from_millis(250);
/// What a refused producer is told to wait.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Where a call's events come from.
#[derive(Debug)]
pub(crate) enum Origin {
    /// From a producer.
    Call,
    /// From the outbox: what stands there goes with the same transaction.
    Emitted(EmittedNo),
    /// From the outbox, where what stands can't be accepted for this reason. There are no events.
    Refused(EmittedNo, String),
}

/// One call's events: all or none.
#[derive(Debug)]
pub(crate) struct Append {
    pub events: Vec<Event>,
    pub origin: Origin,
    pub reply: oneshot::Sender<Result<Vec<Accepted>, Error>>,
}

/// A record to be written.
#[derive(Debug)]
pub(crate) struct Recorded {
    pub record: Record,
    /// Whether the delivery's row was scheduled or held before.
    pub was_waiting: bool,
    /// Told when it is durable.
    pub done: Option<oneshot::Sender<()>>,
}

#[derive(Debug, Default)]
struct Queue {
    appends: VecDeque<Append>,
    events: usize,
    bytes: usize,
    records: VecDeque<Recorded>,
    record_bytes: usize,
    /// No more events are taken.
    closed: bool,
    /// Everything is to be written out, then the writer ends.
    ending: bool,
    /// The writer has ended: nobody takes anything from here any more.
    ended: bool,
}

impl Queue {
    fn is_full(&self) -> bool {
        self.records.len() > FULL_RECORDS || self.record_bytes > FULL_RECORD_BYTES
    }
}

impl Recorded {
    /// About what it costs to keep.
    fn bytes(&self) -> usize {
        512 + self.record.attempt.as_ref().map_or(0, |attempt| attempt.response_body.len())
    }
}

/// Where events and records wait for the next transaction.
#[derive(Debug)]
pub(crate) struct Writer {
    queue: Mutex<Queue>,
    wake: Notify,
    tracker: Mutex<Tracker>,
    fan_out: Mutex<FanOut>,
    /// Whether the last transaction was written.
    healthy: AtomicBool,
    /// Whether it is not known if the last transaction was written.
    in_doubt: AtomicBool,
}

impl Writer {
    pub(crate) fn new(tracker: Tracker) -> Self {
        Self {
            queue: Mutex::default(),
            wake: Notify::new(),
            tracker: Mutex::new(tracker),
            fan_out: Mutex::default(),
            healthy: AtomicBool::new(true),
            in_doubt: AtomicBool::new(false),
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn tracker(&self) -> MutexGuard<'_, Tracker> {
        self.tracker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a call's events in line.
    pub(crate) fn append(&self, append: Append) -> Result<(), Error> {
        let bytes: usize = append.events.iter().map(|event| event.data.len()).sum();
        let mut queue = self.queue();
        if queue.closed {
            return Err(unavailable("the engine is stopping"));
        }
        if queue.events >= MAX_WAITING_EVENTS || queue.bytes >= MAX_WAITING_BYTES {
            return Err(unavailable("too many events wait to be written"));
        }
        queue.events += append.events.len();
        queue.bytes += bytes;
        queue.appends.push_back(append);
        drop(queue);
        self.wake.notify_one();
        Ok(())
    }

    /// Puts a delivery's next state in line. Never refuses: what is in flight is bounded, and nothing more is sent while
    /// the line is full.
    pub(crate) fn record(&self, recorded: Recorded) {
        let mut queue = self.queue();
        if queue.ended {
            return;
        }
        queue.record_bytes += recorded.bytes();
        queue.records.push_back(recorded);
        drop(queue);
        self.wake.notify_one();
    }

    pub(super) fn fan_out(&self) -> MutexGuard<'_, FanOut> {
        self.fan_out.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts an event's deliveries in line for their lanes.
    pub(super) fn fan_out_later(&self, event: SequencedEvent, matched: Vec<Match>) {
        self.fan_out().push(event, matched);
        self.wake.notify_one();
    }

    /// Whether there is more than enough to write out and to fan out.
    pub(super) fn is_crowded(&self) -> bool {
        self.queue().is_full() || !self.fan_out().is_empty()
    }

    /// Whether new deliveries may be sent: their records can be written.
    fn may_send(&self) -> bool {
        self.healthy.load(Ordering::Relaxed) && !self.queue().is_full()
    }

    pub(crate) fn is_healthy(&self) -> bool {
        self.healthy.load(Ordering::Relaxed) && !self.queue().closed
    }

    /// Takes no more events.
    pub(crate) fn close(&self) {
        self.queue().closed = true;
    }

    /// Lets the writer end once everything is written.
    pub(crate) fn end(&self) {
        self.queue().ending = true;
        self.wake.notify_one();
    }

    /// Drops what waits, and ends: this node was taken over, and all of it is another one's now. Producers that wait are
    /// told to try again.
    pub(crate) fn abandon(&self) {
        let mut queue = self.queue();
        queue.closed = true;
        queue.ended = true;
        queue.ending = true;
        let (appends, records) = (std::mem::take(&mut queue.appends), std::mem::take(&mut queue.records));
        drop(queue);
        tracing::debug!(
            appends = appends.len(),
            records = records.len(),
            "dropped what another node has taken over"
        );
        self.wake.notify_one();
    }

    /// What goes into the next transaction; `None` when nothing waits.
    fn take(&self) -> Option<Taken> {
        let fanned_out = self.fan_out().is_empty();
        let mut queue = self.queue();
        let take = queue.records.len().min(MAX_RECORDS);
        let crowded = queue.is_full() || !fanned_out;
        let records: Vec<Recorded> = queue.records.drain(..take).collect();
        queue.record_bytes -= records.iter().map(Recorded::bytes).sum::<usize>();
        let mut appends = Vec::new();
        let (mut events, mut bytes) = (0, 0);
        while let Some(append) = queue.appends.front().filter(|_| !crowded) {
            let size: usize = append.events.iter().map(|event| event.data.len()).sum();
            if !appends.is_empty() && (events + append.events.len() > MAX_EVENTS || bytes + size > MAX_BYTES)
            {
                break;
            }
            events += append.events.len();
            bytes += size;
            appends.extend(queue.appends.pop_front());
        }
        queue.events -= events;
        queue.bytes -= bytes;
        let taken = Taken { appends, records };
        (!taken.appends.is_empty() || !taken.records.is_empty()).then_some(taken)
    }

    fn is_ending(&self) -> bool {
        self.queue().ending
    }

    fn put_back(&self, records: Vec<Recorded>) {
        let mut queue = self.queue();
        if queue.ended {
            return;
        }
        queue.record_bytes += records.iter().map(Recorded::bytes).sum::<usize>();
        records.into_iter().rev().for_each(|recorded| queue.records.push_front(recorded));
    }

    /// Puts appends back to the head of the line, in their order.
    pub(super) fn put_back_appends(&self, appends: Vec<Append>) {
        let mut queue = self.queue();
        if queue.ended {
            return;
        }
        for append in appends.into_iter().rev() {
            queue.events += append.events.len();
            queue.bytes += append.events.iter().map(|event| event.data.len()).sum::<usize>();
            queue.appends.push_front(append);
        }
    }
}

#[derive(Debug, Default)]
struct Taken {
    appends: Vec<Append>,
    records: Vec<Recorded>,
}

fn unavailable(detail: &str) -> Error {
    Error::Unavailable { retry_after: RETRY_AFTER, detail: detail.to_owned() }
}

/// The writer's loop: one transaction after another, until it is told to end and everything is written.
pub(crate) async fn write(core: Arc<Core>) {
    let clock = Arc::clone(&core.options.clock);
    let _stands_down = StandsDown(&core);
    let mut saved = Saved { watermark: core.writer.tracker().watermark(), at: clock.monotonic() };
    loop {
        let woken = core.writer.wake.notified();
        if core.fenced.is_cancelled() {
            return;
        }
        let ending = core.writer.is_ending();
        // Once it ends nothing is sent any more: what has no lane is found again at the next start.
        let fans_out = !ending && !core.writer.fan_out().is_empty();
        if fans_out && !core.writer.queue().is_full() {
            fan_out(&core);
        }
        let taken = core.writer.take();
        let save_due = saved.is_due(&core, ending);
        if taken.is_none() && !save_due {
            if ending {
                return;
            }
            if fans_out {
                tokio::task::yield_now().await;
                continue;
            }
            tokio::select! {
                () = woken => {}
                () = clock.sleep(core.options.checkpoint_interval) => {}
            }
            continue;
        }
        let ok = transaction(&core, taken.unwrap_or_default(), save_due, &mut saved).await;
        if core.fenced.is_cancelled() {
            return;
        }
        core.dispatch.set_gate(core.writer.may_send());
        if ok {
            start_runners(&core);
        } else {
            clock.sleep(AFTER_FAILURE).await;
        }
    }
}

/// However the writer ends, nobody goes on waiting for it.
struct StandsDown<'a>(&'a Core);

impl Drop for StandsDown<'_> {
    fn drop(&mut self) {
        let mut queue = self.0.writer.queue();
        queue.closed = true;
        queue.ended = true;
        queue.appends.clear();
        queue.records.clear();
        let broke_off = !queue.ending && !self.0.fenced.is_cancelled();
        drop(queue);
        if broke_off {
            tracing::error!("the writer broke off: nothing is accepted and nothing is sent any more");
            self.0.dispatch.close();
        }
    }
}

/// What was saved of the watermark, and when.
struct Saved {
    watermark: EventSeq,
    at: Duration,
}

impl Saved {
    /// Whether counters and watermark are to be saved now. After a failure: to find out whether it works again.
    fn is_due(&self, core: &Core, ending: bool) -> bool {
        let waited =
            core.options.clock.monotonic().saturating_sub(self.at) >= core.options.checkpoint_interval;
        let changed = core.index.is_dirty() || core.writer.tracker().watermark() != self.watermark;
        let failed = !core.writer.healthy.load(Ordering::Relaxed);
        ((waited || ending) && changed) || (waited && failed)
    }
}

/// Writes what was taken, and makes known what came of it. Whether the store is fit to take more at once.
async fn transaction(core: &Arc<Core>, taken: Taken, save: bool, saved: &mut Saved) -> bool {
    if let Err(error) = end_doubt(core).await {
        refuse(core, taken, &error);
        return false;
    }
    let Some((batch, sides)) = prepared(core, taken, save).await else { return true };
    let begun = core.options.clock.monotonic();
    let committed = core.store.commit(Arc::clone(&batch)).await;
    let took = core.options.clock.monotonic().saturating_sub(begun);
    core.stats.commit_time.observe(took);
    core.stats.commits.fetch_add(1, Ordering::Relaxed);
    match committed {
        Ok(committed) => {
            if let Some(watermark) = batch.watermark {
                *saved = Saved { watermark, at: core.options.clock.monotonic() };
            }
            if !core.writer.healthy.swap(true, Ordering::Relaxed) {
                tracing::info!("the store takes writes again");
            }
            let batch = Arc::try_unwrap(batch).unwrap_or_else(|shared| (*shared).clone());
            core.stats.emitted_refused.fetch_add(batch.refused.len() as u64, Ordering::Relaxed);
            accepted(core, sides.appends, batch.events, &committed);
            recorded(core, &batch.records, sides.records);
            true
        }
        Err(store::Error::Overtaken) => {
            overtaken(core, sides, batch);
            true
        }
        Err(error) => {
            failed(core, sides, batch, &error);
            saved.at = core.options.clock.monotonic();
            false
        }
    }
}

/// Finds out what became of a transaction whose outcome is not known.
async fn end_doubt(core: &Arc<Core>) -> Result<(), store::Error> {
    if core.writer.in_doubt.load(Ordering::Relaxed) {
        recover_doubt(core).await?;
        core.writer.in_doubt.store(false, Ordering::Relaxed);
    }
    Ok(())
}

/// What belongs to a batch and is not written.
struct Sides {
    appends: Vec<Placed>,
    records: Vec<Side>,
}

/// Makes a batch of what was taken; `None` when there is nothing to write.
async fn prepared(core: &Arc<Core>, taken: Taken, save: bool) -> Option<(Arc<Batch>, Sides)> {
    let Taken { appends, records } = taken;
    let sorted = sort_out(core, appends).await;
    let (appends, events, later) = matched(core, sorted);
    core.writer.put_back_appends(later);
    let (records, sides): (Vec<_>, Vec<_>) =
        records.into_iter().map(|r| (r.record, (r.was_waiting, r.done))).unzip();
    let watermark = save.then(|| core.writer.tracker().watermark());
    let progress = if save { core.index.take_dirty() } else { Vec::new() };
    if appends.is_empty() && records.is_empty() && watermark.is_none() {
        return None;
    }
    let (mut emitted, mut refused) = (Vec::new(), Vec::new());
    for placed in &appends {
        match &placed.origin {
            Origin::Call => {}
            Origin::Emitted(no) => emitted.push(*no),
            Origin::Refused(no, reason) => refused.push((*no, reason.clone())),
        }
    }
    let now = core.options.clock.now();
    let batch = Batch { node: core.node, events, records, watermark, progress, emitted, refused, now };
    Some((Arc::new(batch), Sides { appends, records: sides }))
}

/// An append whose events are in the transaction, by the place of the first one.
struct Placed {
    first: usize,
    count: usize,
    origin: Origin,
    reply: oneshot::Sender<Result<Vec<Accepted>, Error>>,
}

/// Matches each event with the subscriptions as they stand now, as far as one transaction goes.
fn matched(core: &Core, sorted: Sorted) -> (Vec<Placed>, Vec<Arc<Event>>, Vec<Append>) {
    let (mut placed, mut events, mut later) = (Vec::new(), Vec::new(), Vec::new());
    let mut matches = 0;
    for append in sorted.appends {
        if matches > MAX_MATCHES {
            later.push(append);
            continue;
        }
        let first = events.len();
        let mut own = 0;
        for mut event in append.events {
            event.matched = core.index.match_event(&event.account, &event.event);
            own += event.matched.len();
            events.push(Arc::new(event));
        }
        if own > MAX_CALL_MATCHES && events.len() - first > 1 {
            events.drain(first..).rev().for_each(|event| core.index.unmatch(&event.matched));
            drop(append.reply.send(Err(too_many(own))));
            continue;
        }
        matches += own;
        let count = events.len() - first;
        placed.push(Placed { first, count, origin: append.origin, reply: append.reply });
    }
    (placed, events, later)
}

fn too_many(matches: usize) -> Error {
    Error::field(
        "",
        format!(
            "gives {matches} deliveries, more than {MAX_CALL_MATCHES} in one call: send fewer events at once"
        ),
    )
}

fn accepted(core: &Arc<Core>, appends: Vec<Placed>, mut events: Vec<Arc<Event>>, committed: &Committed) {
    if !committed.shifts.is_empty() {
        shift(core, &mut events, &committed.shifts);
    }
    let numbered = committed.numbers.iter().zip(events);
    let events: Vec<_> = numbered.map(|(seq, event)| SequencedEvent { seq: *seq, event }).collect();
    let deliveries: usize = events.iter().map(|e| e.event.matched.len()).sum();
    core.stats.events_accepted.fetch_add(events.len() as u64, Ordering::Relaxed);
    core.stats.deliveries_matched.fetch_add(deliveries as u64, Ordering::Relaxed);
    let mut tracker = core.writer.tracker();
    events.iter().for_each(|e| tracker.appended(e.seq, e.event.matched.len()));
    drop(tracker);
    let mut line = core.writer.fan_out();
    events.iter().for_each(|e| line.push(e.clone(), e.event.matched.clone()));
    drop(line);
    fan_out(core);
    for append in appends {
        let own = events.iter().skip(append.first).take(append.count);
        let answer = own.map(|e| Accepted::of(&e.event)).collect();
        // A caller that has gone away is no reason to do otherwise.
        drop(append.reply.send(Ok(answer)));
    }
}

/// Other nodes have given sequence numbers meanwhile: the store has moved these events' own on, and so does memory.
fn shift(core: &Core, events: &mut [Arc<Event>], shifts: &[Shift]) {
    let by: HashMap<SubscriptionNo, i64> =
        shifts.iter().map(|shift| (shift.subscription, shift.by)).collect();
    for event in events {
        for given in &mut Arc::make_mut(event).matched {
            if let Some(by) = by.get(&given.subscription) {
                given.sequence = given.sequence.saturating_add_signed(*by);
            }
        }
    }
    shifts.iter().for_each(|shift| core.index.shift(*shift));
}

/// What goes with a record: whether it was waiting, and who is to be told.
type Side = (bool, Option<oneshot::Sender<()>>);

fn recorded(core: &Core, records: &[Record], sides: Vec<Side>) {
    if records.is_empty() {
        return;
    }
    count(&core.stats, records);
    for (record, (was_waiting, _)) in records.iter().zip(&sides) {
        if Dispatch::concerns(record, *was_waiting) {
            let no = record.key.subscription;
            core.dispatch.recorded(record, *was_waiting, core.cap(no));
            // Its subscription may have been resumed or have ended while this waited to be written.
            if record.status == DeliveryStatus::Held && !core.holds(no) {
                core.dispatch.settle_again(no);
            }
        }
    }
    let mut tracker = core.writer.tracker();
    records.iter().filter(|record| !record.has_row).for_each(|record| tracker.recorded(record.key.event));
    drop(tracker);
    sides.into_iter().filter_map(|side| side.1).for_each(|done| {
        let _told = done.send(());
    });
}

fn count(stats: &Stats, records: &[Record]) {
    for record in records.iter().filter(|record| !record.keep_state) {
        let counter = match record.status {
            DeliveryStatus::Delivered => &stats.deliveries_delivered,
            DeliveryStatus::Scheduled => &stats.deliveries_scheduled,
            DeliveryStatus::Held => &stats.deliveries_held,
            DeliveryStatus::Dead => &stats.deliveries_dead,
            DeliveryStatus::Cancelled => &stats.deliveries_cancelled,
            DeliveryStatus::Pending => continue,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// Nothing was written, or it is not known: the producers are told so, the records are kept for the next transaction.
fn failed(core: &Core, sides: Sides, batch: Arc<Batch>, error: &store::Error) {
    match error {
        store::Error::Fenced => core.fenced.cancel(),
        store::Error::InDoubt(_) => core.writer.in_doubt.store(true, Ordering::Relaxed),
        _ => {}
    }
    note_failure(core, batch.events.len(), error);
    for append in undone(core, sides, batch).0 {
        drop(append.reply.send(Err(unavailable("the store does not take writes"))));
    }
}

/// Another node was quicker with something in the batch: all of it is looked at again.
fn overtaken(core: &Core, sides: Sides, batch: Arc<Batch>) {
    let (appends, events) = undone(core, sides, batch);
    let mut events = events.into_iter();
    let mut again = Vec::new();
    for Placed { count, origin, reply, .. } in appends {
        let events: Vec<Event> = events.by_ref().take(count).map(Arc::unwrap_or_clone).collect();
        match origin {
            Origin::Call => again.push(Append { events, origin, reply }),
            // Whoever took it from the outbox looks there again.
            Origin::Emitted(_) | Origin::Refused(..) => drop(reply.send(Err(unavailable("overtaken")))),
        }
    }
    core.writer.put_back_appends(again);
}

/// The store does not take writes: nothing is tried.
fn refuse(core: &Core, taken: Taken, error: &store::Error) {
    if matches!(error, store::Error::Fenced) {
        core.fenced.cancel();
    }
    note_failure(core, taken.appends.iter().map(|append| append.events.len()).sum(), error);
    core.writer.put_back(taken.records);
    for append in taken.appends {
        drop(append.reply.send(Err(unavailable("the store does not take writes"))));
    }
}

fn note_failure(core: &Core, events: usize, error: &store::Error) {
    if core.writer.healthy.swap(false, Ordering::Relaxed) {
        tracing::error!(%error, "the store does not take writes");
    }
    core.stats.commits_failed.fetch_add(1, Ordering::Relaxed);
    core.stats.events_refused.fetch_add(events as u64, Ordering::Relaxed);
}

/// Takes a batch back that was not written: the sequence numbers it gave, its counters and its records, which go in
/// line again. Gives back the rest.
fn undone(core: &Core, sides: Sides, batch: Arc<Batch>) -> (Vec<Placed>, Vec<Arc<Event>>) {
    let batch = Arc::try_unwrap(batch).unwrap_or_else(|shared| (*shared).clone());
    batch.events.iter().rev().for_each(|event| core.index.unmatch(&event.matched));
    core.index.mark_dirty(&batch.progress);
    let restored = batch.records.into_iter().zip(sides.records);
    let restored = restored.map(|(record, (was_waiting, done))| Recorded { record, was_waiting, done });
    core.writer.put_back(restored.collect());
    (sides.appends, batch.events)
}
