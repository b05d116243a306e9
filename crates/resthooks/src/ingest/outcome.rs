//! What comes of a transaction: callers are answered, deliveries go to their lanes, records count; or all of it is taken
//! back.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::batch::{Placed, Side, Sides};
use super::fanout::fan_out;
use super::line::{Taken, unavailable};
use super::{Append, Origin, Recorded};
use crate::core::Core;
use crate::dispatch::{Admitted, Aim, Dispatch, Item, Job};
use crate::events::Accepted;
use crate::model::{DeliveryStatus, Event, SequencedEvent, SubscriptionNo};
use crate::stats::Stats;
use crate::store::{self, Batch, Committed, PlannedRow, Record, Shift};

/// Events are durable: they go to their lanes, and their callers are answered.
pub(super) fn accepted(
    core: &Arc<Core>,
    appends: Vec<Placed>,
    mut events: Vec<Arc<Event>>,
    planned: Vec<PlannedRow>,
    committed: &Committed,
) {
    if !committed.shifts.is_empty() {
        shift(core, &mut events, &committed.shifts);
    }
    let numbered = committed.numbers.iter().zip(events);
    let events: Vec<_> = numbered.map(|(seq, event)| SequencedEvent { seq: *seq, event }).collect();
    let deliveries: usize = events.iter().map(|e| e.event.matched.len()).sum();
    core.stats.events_accepted.fetch_add(events.len() as u64, Ordering::Relaxed);
    core.stats.deliveries_matched.fetch_add(deliveries as u64, Ordering::Relaxed);
    fan_out_unplanned(core, &events, &planned);
    feed(core, &events, planned, committed);
    fan_out(core);
    for append in appends {
        let own = events.iter().skip(append.first).take(append.count);
        let answer = own.map(|e| Accepted::of(&e.event)).collect();
        // A caller that has gone away is no reason to do otherwise.
        drop(append.reply.send(Ok(answer)));
    }
}

/// Deliveries that have no row yet go in line for their lanes.
fn fan_out_unplanned(core: &Core, events: &[SequencedEvent], planned: &[PlannedRow]) {
    // In the order of events, and of what each matched.
    let mut rows = planned.iter().peekable();
    let mut tracker = core.writer.tracker();
    let mut line = core.writer.fan_out();
    for (place, event) in events.iter().enumerate() {
        let mut rest = event.event.matched.clone();
        let mut gone = 0;
        while let Some(row) = rows.next_if(|row| row.event == place) {
            rest.remove(row.matched - gone);
            gone += 1;
        }
        tracker.appended(event.seq, rest.len());
        line.push(event.clone(), rest);
    }
}

/// Planned deliveries, which have theirs: those that are this node's go to their lanes.
fn feed(core: &Core, events: &[SequencedEvent], planned: Vec<PlannedRow>, committed: &Committed) {
    let (since, now) = (core.options.clock.monotonic(), core.options.clock.now());
    for row in planned {
        let Some(event) = events.get(row.event) else { continue };
        let Some(given) = event.event.matched.get(row.matched) else { continue };
        if committed.elsewhere.contains(&given.subscription) {
            continue;
        }
        let job = Job {
            event: event.clone(),
            sequence: given.sequence,
            attempts: 0,
            automatic: 0,
            has_row: true,
            since,
            admitted: Admitted::default(),
            planned: true,
            group: None,
        };
        let item = Item { job, key: row.key.into(), due: row.due, group: None };
        let aim = core.aim(given.subscription).unwrap_or_else(Aim::nowhere);
        core.dispatch.feed(given.subscription, &aim, item, now);
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

/// Records are durable: lanes and the watermark are told.
pub(super) fn recorded(core: &Core, records: &[Record], sides: Vec<Side>) {
    if records.is_empty() {
        return;
    }
    count(&core.stats, records);
    for (record, (was_waiting, _)) in records.iter().zip(&sides) {
        if Dispatch::concerns(record, *was_waiting) {
            let no = record.key.subscription;
            let aim = core.aim(no).unwrap_or_else(Aim::nowhere);
            core.dispatch.recorded(record, *was_waiting, &aim);
            // Its subscription may have been resumed, stopped or ended while this waited to be written.
            let fits = match record.status {
                DeliveryStatus::Held => core.holds(no),
                DeliveryStatus::Scheduled => core.sends(no),
                _ => true,
            };
            if !fits {
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
pub(super) fn failed(core: &Core, sides: Sides, batch: Arc<Batch>, error: &store::Error) {
    match error {
        store::Error::Fenced => core.fenced.cancel(),
        store::Error::InDoubt(_) => core.writer.in_doubt.store(true, Ordering::Relaxed),
        _ => {}
    }
    note_failure(core, batch.events.len(), error);
    let detail = match error {
        store::Error::InDoubt(_) => {
            "it is not known whether this was accepted: repeat it, with its own id if it has one"
        }
        _ => "the store does not take writes",
    };
    for append in undone(core, sides, batch).0 {
        drop(append.reply.send(Err(unavailable(detail))));
    }
}

/// Another node was quicker with something in the batch: all of it is looked at again.
pub(super) fn overtaken(core: &Core, sides: Sides, batch: Arc<Batch>) {
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
pub(super) fn refuse(core: &Core, taken: Taken, error: &store::Error) {
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
