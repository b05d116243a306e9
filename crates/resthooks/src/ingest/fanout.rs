//! From accepted events to deliveries in their lanes.

use std::collections::VecDeque;
use std::sync::Arc;

use super::Recorded;
use crate::core::Core;
use crate::dispatch::{Admitted, Job, start_runners};
use crate::model::{DeliveryStatus, Match, SequencedEvent};

/// Matches that are given lanes in one go.
const STEP: usize = 10_000;

/// Accepted events whose deliveries have no lane yet, in the order of their commits. The tracker counts them already,
/// so that a crash in between is made up for like any other.
#[derive(Debug, Default)]
pub(crate) struct FanOut {
    line: VecDeque<(SequencedEvent, Vec<Match>)>,
    /// How many of the first one's matches are done.
    done: usize,
}

impl FanOut {
    /// Puts an event in line.
    pub(super) fn push(&mut self, event: SequencedEvent, matched: Vec<Match>) {
        if !matched.is_empty() {
            self.line.push_back((event, matched));
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.line.is_empty()
    }

    /// The next matches, at most [`STEP`].
    fn take(&mut self) -> Vec<(SequencedEvent, Match)> {
        let mut taken = Vec::new();
        while let Some((event, matched)) = self.line.front() {
            let rest = matched.iter().skip(self.done).take(STEP - taken.len());
            let before = taken.len();
            taken.extend(rest.map(|m| (event.clone(), *m)));
            self.done += taken.len() - before;
            if self.done < matched.len() {
                break;
            }
            self.done = 0;
            self.line.pop_front();
        }
        taken
    }
}

/// Gives the next matches in line a place in their subscriptions' lanes. What finds no room there becomes a scheduled
/// row, due at once; what belongs to a subscription that has ended meanwhile becomes a cancelled one.
pub(super) fn fan_out(core: &Arc<Core>) {
    let since = core.options.clock.monotonic();
    let mut jobs = Vec::new();
    for (event, Match { subscription, sequence }) in core.writer.fan_out().take() {
        let admitted = Admitted::default();
        let job = Job {
            event,
            sequence,
            attempts: 0,
            automatic: 0,
            has_row: false,
            since,
            admitted,
            planned: false,
            group: None,
        };
        match core.aim(subscription) {
            Some(aim) => jobs.push((subscription, aim, job)),
            None => {
                let reason = Some("the subscription has ended".to_owned());
                let record = job.record(subscription, DeliveryStatus::Cancelled, reason, None);
                core.writer.record(Recorded { record, was_waiting: false, done: None });
            }
        }
    }
    let now = core.options.clock.now();
    for (no, job) in core.dispatch.push(jobs) {
        let record = job.record(no, DeliveryStatus::Scheduled, None, Some(now));
        core.writer.record(Recorded { record, was_waiting: false, done: None });
    }
    start_runners(core);
}
