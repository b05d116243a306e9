//! The numbers of this node's events: time, the node's slot, a counter.
//!
//! They are given here and not by the database, so that events of one node ascend, those of all nodes are in the order of
//! time, and no two nodes ever meet. What a number was given to that was then not written is never numbered so again.

use std::sync::{Mutex, PoisonError};

use resthooks::model::{NodeNo, Timestamp};
use resthooks::store::Error;

/// Bits of the counter.
const COUNTER: u32 = 11;
/// Bits of counter and slot.
const BELOW_TIME: u32 = COUNTER + 10;
/// The last millisecond that has numbers: in the year 2109.
const LAST_MILLI: i64 = (1 << 42) - 1;
/// Of a partition.
const DAY_MILLIS: i64 = 86_400_000;

/// Gives numbers to the events of the node that works here.
#[derive(Debug, Default)]
pub(crate) struct Numbers(Mutex<Option<Owner>>);

#[derive(Debug, Clone, Copy)]
struct Owner {
    node: NodeNo,
    slot: i32,
    /// The last number given.
    last: i64,
    /// No number up to here is given any more.
    floor: i64,
    /// What its batches carry, so that those of before a doubt are refused.
    epoch: i64,
}

/// A node that joined, with what makes its writes its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) node: i64,
    pub(crate) slot: i32,
    pub(crate) epoch: i64,
}

impl Numbers {
    fn with<T>(&self, act: impl FnOnce(&mut Option<Owner>) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// From now on events are this node's.
    pub(crate) fn begin(&self, node: NodeNo, slot: i32, last: i64) {
        self.with(|owner| *owner = Some(Owner { node, slot, last, floor: last, epoch: 0 }));
    }

    /// Who works here; [`Error::Fenced`] when that is not this node, or not any more.
    pub(crate) fn identity(&self, node: NodeNo) -> Result<Identity, Error> {
        self.with(|owner| match owner {
            Some(owner) if owner.node == node => {
                Ok(Identity { node: node.0, slot: owner.slot, epoch: owner.epoch })
            }
            _ => Err(Error::Fenced),
        })
    }

    /// The node that works here; 0 before one has joined.
    pub(crate) fn node(&self) -> i64 {
        self.with(|owner| owner.map_or(0, |owner| owner.node.0))
    }

    /// The next `count` numbers at this time, ascending.
    pub(crate) fn give(&self, node: NodeNo, now: Timestamp, count: usize) -> Result<Vec<i64>, Error> {
        self.with(|owner| {
            let owner = owner.as_mut().filter(|owner| owner.node == node).ok_or(Error::Fenced)?;
            let slot = i64::from(owner.slot) << COUNTER;
            let first = (now.as_millis().min(LAST_MILLI) << BELOW_TIME) | slot;
            let mut last = owner.last.max(owner.floor);
            let numbers = (0..count)
                .map(|_| {
                    last = if last < first { first } else { after(last, slot) };
                    last
                })
                .collect();
            if count > 0 {
                owner.last = last;
            }
            Ok(numbers)
        })
    }

    /// What batches carry from now on.
    pub(crate) fn renew_epoch(&self, node: NodeNo, epoch: i64) {
        self.with(|owner| {
            if let Some(owner) = owner.as_mut().filter(|owner| owner.node == node) {
                owner.epoch = owner.epoch.max(epoch);
            }
        });
    }

    /// Every number from now on is above this one.
    pub(crate) fn rise(&self, node: NodeNo, above: i64) {
        self.with(|owner| {
            if let Some(owner) = owner.as_mut().filter(|owner| owner.node == node) {
                owner.floor = owner.floor.max(above);
            }
        });
    }

    /// The last number given, and one up to which no further is given from now on: between the two there is none, also
    /// while a commit is under way.
    pub(crate) fn rest(&self, node: NodeNo, now: Timestamp) -> Option<(i64, i64)> {
        self.with(|owner| {
            let owner = owner.as_mut().filter(|owner| owner.node == node)?;
            let floor = (now.as_millis().min(LAST_MILLI) << BELOW_TIME) - 1;
            owner.floor = owner.floor.max(floor).max(owner.last);
            Some((owner.last, owner.floor))
        })
    }
}

/// The first number of this slot (in its place) above another number of any slot.
fn after(last: i64, slot: i64) -> i64 {
    let own = (1 << COUNTER) - 1;
    let (milli, rest) = (last >> BELOW_TIME, last & ((1 << BELOW_TIME) - 1));
    let this_milli = milli << BELOW_TIME;
    if rest < slot {
        this_milli | slot
    } else if rest & !own == slot && rest & own < own {
        last + 1
    } else {
        // Borrowed from the future; time catches up.
        ((milli + 1) << BELOW_TIME) | slot
    }
}

/// The day, since 1970, of a number.
pub(crate) const fn day_of(number: i64) -> i64 {
    (number >> BELOW_TIME) / DAY_MILLIS
}

/// The first number of a day, and the first one of the next day.
pub(crate) const fn numbers_of(day: i64) -> (i64, i64) {
    ((day * DAY_MILLIS) << BELOW_TIME, ((day + 1) * DAY_MILLIS) << BELOW_TIME)
}

/// The first number of a time.
pub(crate) fn number_at(at: Timestamp) -> i64 {
    at.as_millis().clamp(0, LAST_MILLI) << BELOW_TIME
}

/// When an event of this number was accepted.
pub(crate) fn time_of(number: i64) -> Timestamp {
    Timestamp::from_millis(number >> BELOW_TIME)
}

/// The day of a time.
pub(crate) fn day_at(at: Timestamp) -> i64 {
    at.as_millis().min(LAST_MILLI) / DAY_MILLIS
}

/// The first and last number that an event can have which was numbered within `slack` of these times.
pub(crate) fn numbers_around(since: Option<Timestamp>, until: Option<Timestamp>, slack: i64) -> (i64, i64) {
    let first = since.map_or(0, |at| (at.as_millis() - slack).clamp(0, LAST_MILLI) << BELOW_TIME);
    let last = until.map_or(i64::MAX, |at| {
        let milli = at.as_millis().saturating_add(slack);
        if milli >= LAST_MILLI { i64::MAX } else { ((milli + 1) << BELOW_TIME) - 1 }
    });
    (first, last)
}

/// The slot in a number.
#[cfg(test)]
fn slot_of(number: i64) -> i64 {
    (number >> COUNTER) & 1023
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn numbers_ascend_whatever_the_clock_does() {
        let numbers = Numbers::default();
        let node = NodeNo(7);
        assert!(matches!(numbers.give(node, at(5), 1), Err(Error::Fenced)));
        numbers.begin(node, 3, 0);
        let mut all = Vec::new();
        for (millis, count) in [(1_000, 2), (500, 1), (1_000, 5_000), (1_001, 3), (9_000, 1), (9_000, 1)] {
            all.extend(numbers.give(node, at(millis), count).unwrap());
        }
        assert!(all.is_sorted_by(|one, next| one < next));
        assert!(all.iter().all(|number| slot_of(*number) == 3));
        assert_eq!(all[0], (1_000 << BELOW_TIME) | (3 << COUNTER));
        assert_eq!(all.last().unwrap() >> BELOW_TIME, 9_000);
    }

    #[test]
    fn numbers_come_after_those_of_others() {
        for (slot, floor_slot, floor_counter) in
            [(3, 2, 2_047), (3, 4, 0), (3, 3, 2_047), (1_023, 1_023, 2_047)]
        {
            let numbers = Numbers::default();
            let floor = (1_000 << BELOW_TIME) | (floor_slot << COUNTER) | floor_counter;
            numbers.begin(NodeNo(1), slot, floor);
            let given = numbers.give(NodeNo(1), at(10), 1).unwrap()[0];
            assert!(given > floor && given >> BELOW_TIME <= 1_001);
            assert_eq!(slot_of(given), i64::from(slot));
        }
    }

    #[test]
    fn after_a_rest_nothing_is_numbered_below_it() {
        let numbers = Numbers::default();
        numbers.begin(NodeNo(1), 5, 0);
        let before = numbers.give(NodeNo(1), at(1_000), 1).unwrap()[0];
        let (last, floor) = numbers.rest(NodeNo(1), at(5_000)).unwrap();
        assert_eq!((last, floor >> BELOW_TIME), (before, 4_999));
        assert!(numbers.give(NodeNo(1), at(1_000), 1).unwrap()[0] > floor);
        numbers.rise(NodeNo(1), i64::MAX >> 1);
        assert!(numbers.give(NodeNo(1), at(1_000), 1).unwrap()[0] > i64::MAX >> 1);
        assert_eq!(numbers.rest(NodeNo(2), at(9)), None);
    }

    #[test]
    fn days_and_ranges() {
        assert_eq!(day_of((DAY_MILLIS << BELOW_TIME) - 1), 0);
        assert_eq!(day_of(DAY_MILLIS << BELOW_TIME), 1);
        assert_eq!(day_at(at(DAY_MILLIS)), 1);
        assert_eq!(numbers_around(None, None, 5), (0, i64::MAX));
        let (first, last) = numbers_around(Some(at(10)), Some(at(10)), 3);
        assert_eq!((first >> BELOW_TIME, last >> BELOW_TIME), (7, 13));
    }
}
