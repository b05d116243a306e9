//! How far the log is recorded: the watermark.
//!
//! Counts, for each event above the watermark, the deliveries that have no row yet. The counts stand in a ring in
//! the order of the events' numbers, four bytes each, so that a slow delivery costs memory only for the events that
//! came after it.

use std::collections::VecDeque;

use crate::model::EventSeq;

/// Events from an earlier run that have not been looked at yet.
const UNKNOWN: u32 = u32::MAX;

#[derive(Debug)]
pub(crate) struct Tracker {
    /// The number of the ring's first event.
    base: EventSeq,
    open: VecDeque<u32>,
}

impl Tracker {
    /// After a start: everything up to `watermark` is recorded, what follows up to `last` is not known yet.
    pub(crate) fn new(watermark: EventSeq, last: EventSeq) -> Self {
        let unknown = usize::try_from(last.0 - watermark.0).unwrap_or(0);
        Self { base: watermark.next(), open: std::iter::repeat_n(UNKNOWN, unknown).collect() }
    }

    /// An event of an earlier run lacks so many rows.
    pub(crate) fn found(&mut self, seq: EventSeq, missing: usize) {
        if let Some(count) = self.place(seq).and_then(|place| self.open.get_mut(place)) {
            *count = u32::try_from(missing).unwrap_or(UNKNOWN - 1);
        }
        self.advance();
    }

    /// Whatever of an earlier run was not found is not there any more (its account was deleted).
    pub(crate) fn nothing_unknown(&mut self) {
        self.open.iter_mut().filter(|count| **count == UNKNOWN).for_each(|count| *count = 0);
        self.advance();
    }

    /// The next event was committed with so many deliveries to come.
    pub(crate) fn appended(&mut self, seq: EventSeq, deliveries: usize) {
        // Numbers are consecutive. Should the store have more events than it told of (a transaction that it reported as
        // failed and that is there all the same), these are left for the next start to find.
        while self.place(seq).is_some_and(|place| place > self.open.len()) {
            self.open.push_back(UNKNOWN);
        }
        self.open.push_back(u32::try_from(deliveries).unwrap_or(UNKNOWN - 1));
        self.advance();
    }

    /// One of an event's deliveries has its row now.
    pub(crate) fn recorded(&mut self, seq: EventSeq) {
        if let Some(count) = self.place(seq).and_then(|place| self.open.get_mut(place)) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.advance();
            }
        }
    }

    /// Every delivery of every event up to here has a row.
    pub(crate) const fn watermark(&self) -> EventSeq {
        self.base.previous()
    }

    /// Events above the watermark.
    pub(crate) fn unrecorded(&self) -> usize {
        self.open.len()
    }

    fn place(&self, seq: EventSeq) -> Option<usize> {
        usize::try_from(seq.0 - self.base.0).ok()
    }

    fn advance(&mut self) {
        while self.open.front() == Some(&0) {
            self.open.pop_front();
            self.base = self.base.next();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slowest_delivery_holds_it() {
        let mut tracker = Tracker::new(EventSeq(0), EventSeq(0));
        tracker.appended(EventSeq(1), 2);
        tracker.appended(EventSeq(2), 1);
        tracker.appended(EventSeq(3), 0);
        tracker.recorded(EventSeq(2));
        tracker.recorded(EventSeq(1));
        assert_eq!((tracker.watermark(), tracker.unrecorded()), (EventSeq(0), 3));
        tracker.recorded(EventSeq(1));
        assert_eq!((tracker.watermark(), tracker.unrecorded()), (EventSeq(3), 0));
        tracker.appended(EventSeq(4), 0);
        assert_eq!(tracker.watermark(), EventSeq(4));
    }

    #[test]
    fn what_an_earlier_run_left_holds_it_until_it_is_known() {
        let mut tracker = Tracker::new(EventSeq(7), EventSeq(9));
        tracker.appended(EventSeq(10), 0);
        assert_eq!(tracker.watermark(), EventSeq(7));
        tracker.found(EventSeq(8), 0);
        tracker.found(EventSeq(9), 1);
        assert_eq!(tracker.watermark(), EventSeq(8));
        tracker.recorded(EventSeq(9));
        assert_eq!(tracker.watermark(), EventSeq(10));
        tracker.recorded(EventSeq(9));
        assert_eq!(tracker.watermark(), EventSeq(10), "what is below is not counted twice");
    }
}
