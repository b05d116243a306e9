//! Makes a batch of what was taken from the line: ids are looked up, events are matched.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::ids::{Sorted, sort_out};
use super::line::Taken;
use super::{Append, Origin};
use crate::core::Core;
use crate::error::Error;
use crate::events::Accepted;
use crate::model::Event;
use crate::store::{Batch, PlannedRow};

/// Deliveries that the events of one transaction may give (one call's may be more).
const MAX_MATCHES: usize = 50_000;
/// Deliveries that one call's events may give, if there is more than one.
const MAX_CALL_MATCHES: usize = 1_000_000;

/// What goes with a record: whether it was waiting, and who is to be told.
pub(super) type Side = (bool, Option<oneshot::Sender<()>>);

/// What belongs to a batch and is not written.
pub(super) struct Sides {
    pub(super) appends: Vec<Placed>,
    pub(super) records: Vec<Side>,
}

/// Makes a batch of what was taken; `None` when there is nothing to write.
pub(super) async fn prepared(core: &Arc<Core>, taken: Taken, save: bool) -> Option<(Arc<Batch>, Sides)> {
    let Taken { appends, records } = taken;
    let sorted = sort_out(core, appends).await;
    let Matched { placed: appends, events, planned, later } = matched(core, sorted);
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
    let batch =
        Batch { node: core.node, events, planned, records, watermark, progress, emitted, refused, now };
    Some((Arc::new(batch), Sides { appends, records: sides }))
}

/// An append whose events are in the transaction, by the place of the first one.
pub(super) struct Placed {
    pub(super) first: usize,
    pub(super) count: usize,
    pub(super) origin: Origin,
    pub(super) reply: oneshot::Sender<Result<Vec<Accepted>, Error>>,
}

/// What a transaction takes of the appends.
struct Matched {
    placed: Vec<Placed>,
    events: Vec<Arc<Event>>,
    planned: Vec<PlannedRow>,
    later: Vec<Append>,
}

/// Matches each event with the subscriptions as they stand now, as far as one transaction goes.
fn matched(core: &Core, sorted: Sorted) -> Matched {
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
    let planned = planned(core, &events);
    Matched { placed, events, planned, later }
}

/// The deliveries that get their row with their event.
fn planned(core: &Core, events: &[Arc<Event>]) -> Vec<PlannedRow> {
    let now = core.options.clock.now();
    let mut rows = Vec::new();
    for (place, event) in events.iter().enumerate() {
        let planned = core.index.planned(event).into_iter();
        rows.extend(planned.map(|(matched, key, wait)| PlannedRow {
            event: place,
            matched,
            key,
            due: now.plus(wait),
        }));
    }
    rows
}

fn too_many(matches: usize) -> Error {
    Error::field(
        "",
        format!(
            "gives {matches} deliveries, more than {MAX_CALL_MATCHES} in one call: send fewer events at once"
        ),
    )
}
