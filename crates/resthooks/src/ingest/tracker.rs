//! How far the log is recorded: the watermark.
//!
//! Counts, for each event that this node answers for, the deliveries that have no row yet: its own events above its
//! watermark, in the order of their numbers, and the events of nodes that it has taken over. A slow delivery costs
//! memory only for the events that came after it.

use std::collections::{HashMap, VecDeque};

use crate::model::{EventSeq, NodeNo};

/// Events that have deliveries without a row, and how many, ascending by number.
#[derive(Debug, Default)]
struct Open(VecDeque<(EventSeq, usize)>);

impl Open {
    fn push(&mut self, seq: EventSeq, deliveries: usize) {
        if deliveries > 0 {
            self.0.push_back((seq, deliveries));
        }
    }

    /// Whether this event is among them.
    fn recorded(&mut self, seq: EventSeq) -> bool {
        let Ok(place) = self.0.binary_search_by_key(&seq, |event| event.0) else { return false };
        if let Some((_, count)) = self.0.get_mut(place) {
            *count = count.saturating_sub(1);
        }
        while self.0.front().is_some_and(|event| event.1 == 0) {
            self.0.pop_front();
        }
        true
    }

    fn first(&self) -> Option<EventSeq> {
        self.0.front().map(|event| event.0)
    }
}

/// What this node's log has from an earlier run. Holds the watermark until all of it is recorded.
#[derive(Debug)]
struct Earlier {
    open: Open,
    /// Everything up to here has been looked at.
    seen: EventSeq,
    all_seen: bool,
}

/// What a node that was taken over left.
#[derive(Debug, Default)]
struct Taken {
    /// Deliveries without a row, as far as they have been looked at.
    open: usize,
    all_seen: bool,
}

#[derive(Debug)]
pub(crate) struct Tracker {
    open: Open,
    /// The last event of this node.
    last: EventSeq,
    earlier: Option<Earlier>,
    taken: HashMap<NodeNo, Taken>,
    /// The open events of the nodes that were taken over.
    foreign: HashMap<EventSeq, (NodeNo, usize)>,
}

impl Tracker {
    /// For a node whose events will be numbered above `last`. `watermark`: it goes on with the log of an earlier run,
    /// recorded up to there.
    pub(crate) fn new(watermark: Option<EventSeq>, last: EventSeq) -> Self {
        let earlier = watermark.filter(|watermark| *watermark < last);
        let earlier = earlier.map(|seen| Earlier { open: Open::default(), seen, all_seen: false });
        Self { open: Open::default(), last, earlier, taken: HashMap::new(), foreign: HashMap::new() }
    }

    /// The next event was committed with so many deliveries to come.
    pub(crate) fn appended(&mut self, seq: EventSeq, deliveries: usize) {
        self.last = seq;
        self.open.push(seq, deliveries);
    }

    /// An event of an earlier run lacks so many rows. They come in order.
    pub(crate) fn found(&mut self, seq: EventSeq, missing: usize) {
        if let Some(earlier) = &mut self.earlier {
            earlier.seen = seq;
            earlier.open.push(seq, missing);
        }
    }

    /// All events of an earlier run have been found.
    pub(crate) fn all_found(&mut self) {
        if let Some(earlier) = &mut self.earlier {
            earlier.all_seen = true;
        }
        self.end_earlier();
    }

    /// An event of a node that was taken over lacks so many rows.
    pub(crate) fn took(&mut self, node: NodeNo, seq: EventSeq, missing: usize) {
        self.taken.entry(node).or_default().open += missing;
        if missing > 0 {
            self.foreign.insert(seq, (node, missing));
        }
    }

    /// All events of a node that was taken over have been looked at.
    pub(crate) fn took_all(&mut self, node: NodeNo) {
        self.taken.entry(node).or_default().all_seen = true;
    }

    /// Whether all deliveries of a node that was taken over have their rows; it is forgotten then.
    pub(crate) fn has_settled(&mut self, node: NodeNo) -> bool {
        let settled = self.taken.get(&node).is_some_and(|taken| taken.all_seen && taken.open == 0);
        if settled {
            self.taken.remove(&node);
        }
        settled
    }

    /// One of an event's deliveries has its row now.
    pub(crate) fn recorded(&mut self, seq: EventSeq) {
        if self.open.recorded(seq) {
            return;
        }
        if let Some(earlier) = &mut self.earlier
            && earlier.open.recorded(seq)
        {
            return self.end_earlier();
        }
        let Some((node, count)) = self.foreign.get_mut(&seq) else { return };
        if let Some(taken) = self.taken.get_mut(node) {
            taken.open = taken.open.saturating_sub(1);
        }
        *count -= 1;
        if *count == 0 {
            self.foreign.remove(&seq);
        }
    }

    fn end_earlier(&mut self) {
        if self.earlier.as_ref().is_some_and(|earlier| earlier.all_seen && earlier.open.0.is_empty()) {
            self.earlier = None;
        }
    }

    /// Every delivery of every event of this node up to here has a row.
    pub(crate) fn watermark(&self) -> EventSeq {
        if let Some(earlier) = &self.earlier {
            return earlier.open.first().map_or(earlier.seen, EventSeq::previous);
        }
        self.open.first().map_or(self.last, EventSeq::previous)
    }

    /// The last event of this node.
    pub(crate) const fn last(&self) -> EventSeq {
        self.last
    }

    /// Events that are not recorded in full.
    pub(crate) fn unrecorded(&self) -> usize {
        self.open.0.len()
            + self.earlier.as_ref().map_or(0, |earlier| earlier.open.0.len())
            + self.foreign.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slowest_delivery_holds_it() {
        let mut tracker = Tracker::new(None, EventSeq(0));
        tracker.appended(EventSeq(1), 2);
        tracker.appended(EventSeq(5), 1);
        tracker.appended(EventSeq(9), 0);
        tracker.recorded(EventSeq(5));
        tracker.recorded(EventSeq(1));
        assert_eq!((tracker.watermark(), tracker.unrecorded()), (EventSeq(0), 2));
        tracker.recorded(EventSeq(1));
        assert_eq!((tracker.watermark(), tracker.unrecorded()), (EventSeq(9), 0));
        tracker.appended(EventSeq(12), 0);
        assert_eq!(tracker.watermark(), EventSeq(12));
        tracker.recorded(EventSeq(9));
        assert_eq!(tracker.watermark(), EventSeq(12), "what is below is not counted twice");
    }

    #[test]
    fn what_an_earlier_run_left_holds_it_until_it_is_known() {
        let mut tracker = Tracker::new(Some(EventSeq(7)), EventSeq(9));
        tracker.appended(EventSeq(10), 0);
        assert_eq!(tracker.watermark(), EventSeq(7));
        tracker.found(EventSeq(8), 0);
        assert_eq!(tracker.watermark(), EventSeq(8));
        tracker.found(EventSeq(9), 1);
        tracker.all_found();
        assert_eq!(tracker.watermark(), EventSeq(8));
        tracker.recorded(EventSeq(9));
        assert_eq!(tracker.watermark(), EventSeq(10));
        assert_eq!(Tracker::new(Some(EventSeq(9)), EventSeq(9)).watermark(), EventSeq(9));
    }

    #[test]
    fn what_was_taken_over_is_counted_apart() {
        let mut tracker = Tracker::new(None, EventSeq(100));
        let gone = NodeNo(1);
        assert!(!tracker.has_settled(gone), "nothing is known of it yet");
        tracker.took(gone, EventSeq(3), 2);
        tracker.took(gone, EventSeq(4), 0);
        tracker.appended(EventSeq(101), 0);
        assert_eq!(tracker.watermark(), EventSeq(101));
        tracker.took_all(gone);
        tracker.recorded(EventSeq(3));
        assert!(!tracker.has_settled(gone));
        tracker.recorded(EventSeq(3));
        assert!(tracker.has_settled(gone) && !tracker.has_settled(gone));
        assert_eq!(tracker.unrecorded(), 0);
    }
}
