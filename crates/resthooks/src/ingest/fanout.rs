//! From accepted events to deliveries in their lanes.

use std::sync::Arc;

use super::Recorded;
use crate::core::Core;
use crate::dispatch::{Job, start_runners};
use crate::model::{DeliveryStatus, Match, SequencedEvent};

/// Gives each match of each event a place in its subscription's lane. What finds no room there becomes a scheduled
/// row, due at once; what belongs to a subscription that has ended meanwhile becomes a cancelled one.
pub(crate) fn fan_out(core: &Arc<Core>, events: impl Iterator<Item = (SequencedEvent, Vec<Match>)>) {
    let since = core.options.clock.monotonic();
    let mut jobs = Vec::new();
    let mut ended = Vec::new();
    for (event, matched) in events {
        for Match { subscription, sequence } in matched {
            let job =
                Job { event: event.clone(), sequence, attempts: 0, automatic: 0, has_row: false, since };
            match core.index.get(subscription) {
                Some(live) => jobs.push((subscription, core.cap_of(&live), job)),
                None => ended.push((subscription, job)),
            }
        }
    }
    for (no, job) in ended {
        let reason = Some("the subscription has ended".to_owned());
        let record = job.record(no, DeliveryStatus::Cancelled, reason, None);
        core.writer.record(Recorded { record, was_waiting: false, done: None });
    }
    let now = core.options.clock.now();
    for (no, job) in core.dispatch.push(jobs) {
        let record = job.record(no, DeliveryStatus::Scheduled, None, Some(now));
        core.writer.record(Recorded { record, was_waiting: false, done: None });
    }
    start_runners(core);
}
