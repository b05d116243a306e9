//! The plan against a plain store in memory: whatever fails, is claimed or is read again, each delivery is sent until it
//! has ended, and no key's order is broken.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::{Item, Key, Plan, Read};
use crate::dispatch::circuit::Admitted;
use crate::dispatch::lane::Job;
use crate::model::{
    Batching, DeliveryStatus, Event, EventId, EventSeq, Mode, PlanKey, SequencedEvent, Span, SubscriptionNo,
    Timestamp, Uid,
};
use crate::store::{Pick, Record};

/// Random sequences that are tried with each mode.
const SEQUENCES: u64 = 400;
/// Steps of each.
const STEPS: usize = 300;

#[derive(Debug, Clone)]
struct Row {
    key: Key,
    at: Timestamp,
    due: Timestamp,
    attempts: u32,
    group: Option<u64>,
}

/// A small generator of numbers that look random.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % most
    }

    fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }
}

/// The plan and all that is around it.
struct Trial {
    dice: Dice,
    mode: Mode,
    plan: Plan,
    now: Timestamp,
    last: u64,
    /// Scheduled rows, by sequence.
    rows: BTreeMap<u64, Row>,
    /// What was sent and has not come back.
    flying: Vec<Job>,
    /// Records that are not written yet.
    unwritten: Vec<Record>,
    /// A read that is under way, with what the store said.
    reading: Option<Read>,
    /// The last one that ended, per key.
    ended: HashMap<Key, u64>,
    delivered: HashSet<u64>,
    replaced: HashSet<u64>,
    /// The members of batches that failed, by their first.
    groups: HashMap<u64, Vec<u64>>,
}

fn job(sequence: u64, row: &Row) -> Job {
    let uid = Uid::new(row.at, u128::from(sequence));
    let event = Event {
        uid,
        id: EventId::generated(uid),
        account: "a".parse().unwrap(),
        event: "a.b".parse().unwrap(),
        created_at: row.at,
        data: Bytes::from_static(b"{}"),
        resource_url: None,
        order_key: None,
        debounce_key: None,
        digest: None,
        matched: Vec::new(),
    };
    Job {
        event: SequencedEvent { seq: EventSeq(sequence.cast_signed()), event: Arc::new(event) },
        sequence,
        attempts: row.attempts,
        automatic: row.attempts,
        has_row: true,
        since: Duration::ZERO,
        admitted: Admitted::default(),
        planned: true,
        group: None,
    }
}

fn item(sequence: u64, row: &Row) -> Item {
    Item { job: job(sequence, row), key: Arc::clone(&row.key), due: row.due, group: row.group }
}

impl Trial {
    fn new(seed: u64, mode: Mode) -> Self {
        Self {
            dice: Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1),
            mode,
            plan: Plan::new(mode, seed.is_multiple_of(2)),
            now: Timestamp::from_millis(1_000_000),
            last: 0,
            rows: BTreeMap::new(),
            flying: Vec::new(),
            unwritten: Vec::new(),
            reading: None,
            ended: HashMap::new(),
            delivered: HashSet::new(),
            replaced: HashSet::new(),
            groups: HashMap::new(),
        }
    }

    fn key(&mut self) -> Key {
        let name = self.dice.below(4);
        match self.mode {
            Mode::Strict => PlanKey::STRICT.into(),
            Mode::Batch(_) => PlanKey::BATCH.into(),
            Mode::Debounce { .. } => format!("d={name}").into_bytes().into(),
            Mode::Keyed | Mode::Free => format!("o={name}").into_bytes().into(),
        }
    }

    fn emit(&mut self) {
        self.last += 1;
        let due = match self.mode {
            Mode::Debounce { window, .. } => self.now.plus(window),
            _ => self.now,
        };
        let row = Row { key: self.key(), at: self.now, due, attempts: 0, group: None };
        self.rows.insert(self.last, row.clone());
        // Another node's is told, if at all, without being handed over.
        if self.dice.once_in(5) {
            self.plan.came();
        } else {
            self.plan.feed(item(self.last, &row), self.now);
        }
    }

    fn begin_read(&mut self) {
        self.plan.advance(self.now);
        if self.reading.is_some() {
            return;
        }
        let Some(pick) = self.plan.next_read(self.now) else { return };
        let limit = usize::try_from(1 + self.dice.below(6)).unwrap();
        self.reading = Some(self.store_says(&pick, limit));
    }

    fn store_says(&self, pick: &Pick, limit: usize) -> Read {
        let all = |wanted: &dyn Fn(u64, &Row) -> bool| -> Vec<Item> {
            self.rows.iter().filter(|(no, row)| wanted(**no, row)).map(|(no, row)| item(*no, row)).collect()
        };
        let cut = |mut items: Vec<Item>| {
            let more = items.len() > limit;
            items.truncate(limit);
            Read { items, more, next_due: None }
        };
        match pick {
            Pick::After(after) => cut(all(&|no, _| no > *after)),
            Pick::OfKey { key, after } => cut(all(&|no, row| no > *after && row.key[..] == key[..])),
            Pick::DueGroup(now) => {
                let mut groups: Vec<(Timestamp, u64)> =
                    self.rows.values().filter_map(|row| Some((row.due, row.group?))).collect();
                groups.sort_unstable();
                groups.dedup();
                let Some((due, group)) = groups.first().copied() else { return Read::default() };
                if due > *now {
                    return Read { next_due: Some(due), ..Read::default() };
                }
                let items = all(&|_, row| row.group == Some(group) && row.due == due);
                Read { items, more: false, next_due: groups.get(1).map(|next| next.0) }
            }
        }
    }

    fn send(&mut self) {
        self.plan.advance(self.now);
        let Some(job) = self.plan.pop() else { return };
        let members = members(&job);
        for (no, attempts) in &members {
            let row = self.rows.get(no).unwrap_or_else(|| panic!("{no} is sent and does not wait"));
            assert_eq!(*attempts, row.attempts, "{no} is sent as it was before");
            assert!(row.attempts == 0 || row.due <= self.now, "{no} is tried too early");
        }
        let flying = |no: u64| self.flying.iter().flat_map(members_of).any(|other| other == no);
        let unwritten = |no: u64| self.unwritten.iter().any(|record| record.sequence == no);
        for (no, _) in &members {
            assert!(!flying(*no) && !unwritten(*no), "{no} is sent twice at once");
        }
        self.check_order(&job);
        for replaced in job.group.iter().flat_map(|group| &group.replaced) {
            assert!(replaced.sequence != job.sequence);
            self.replaced.insert(replaced.sequence);
            let gone = self::job(replaced.sequence, &self.rows[&replaced.sequence]);
            self.unwritten.push(gone.record(SubscriptionNo(1), DeliveryStatus::Cancelled, None, None));
        }
        self.flying.push(job);
    }

    fn check_order(&self, job: &Job) {
        let row = &self.rows[&job.sequence];
        let earlier: Vec<u64> = self
            .rows
            .iter()
            .filter(|(no, other)| **no < job.sequence && other.key == row.key)
            .map(|(no, _)| *no)
            .collect();
        let replaced: Vec<u64> =
            job.group.iter().flat_map(|group| &group.replaced).map(|one| one.sequence).collect();
        match self.mode {
            // Those whose end is not written yet have rows.
            Mode::Strict | Mode::Keyed | Mode::Free => {
                let open: Vec<_> = earlier.iter().filter(|no| !self.delivered.contains(*no)).collect();
                assert!(open.is_empty(), "{} overtakes {open:?}", job.sequence);
            }
            Mode::Debounce { window, max_wait } => {
                let ended = |no: &u64| self.delivered.contains(no) || self.replaced.contains(no);
                for no in earlier.iter().filter(|no| !ended(no) && !replaced.contains(*no)) {
                    // Of a window of its own.
                    let quiet = self.rows[no].at.plus(window) <= row.at || self.rows[no].attempts > 0;
                    assert!(
                        quiet || window > max_wait || max_wait <= window * 3,
                        "{no} is left out of its window"
                    );
                }
                if row.attempts == 0 {
                    let first = replaced.iter().filter_map(|no| self.rows.get(no)).map(|row| row.at).min();
                    let first = first.unwrap_or(row.at).min(row.at);
                    let may = row.at.plus(window).min(first.plus(max_wait));
                    assert!(may <= self.now, "{} is sent before it was quiet", job.sequence);
                }
            }
            Mode::Batch(terms) => {
                let all: Vec<u64> = members_of(job).collect();
                assert!(all.len() <= terms.max_events && all.is_sorted());
                if let Some(group) = row.group {
                    assert_eq!(self.groups[&group], all, "it is sent again as it was");
                } else {
                    let full = all.len() == terms.max_events;
                    assert!(full || row.at.plus(terms.max_wait.get()) <= self.now, "a batch goes too early");
                }
            }
        }
    }

    fn come_back(&mut self) {
        if self.flying.is_empty() {
            return;
        }
        let place = usize::try_from(self.dice.below(self.flying.len() as u64)).unwrap();
        let job = self.flying.remove(place);
        let well = !self.dice.once_in(3);
        let wait = Duration::from_secs(1 + self.dice.below(30));
        let key = Arc::clone(&self.rows[&job.sequence].key);
        for member in std::iter::once(&job).chain(job.group.iter().flat_map(|group| &group.with)) {
            let (status, next) = match well {
                true => (DeliveryStatus::Delivered, None),
                false => (DeliveryStatus::Scheduled, Some(self.now.plus(wait))),
            };
            let mut record = member.record(SubscriptionNo(1), status, None, next);
            record.attempts += 1;
            record.automatic += 1;
            record.group = (!well && matches!(self.mode, Mode::Batch(_))).then_some(job.sequence);
            if well {
                assert!(self.delivered.insert(member.sequence), "{} is delivered twice", member.sequence);
            }
            self.unwritten.push(record);
        }
        if well {
            self.ended.insert(key, job.sequence);
        } else if matches!(self.mode, Mode::Batch(_)) {
            self.groups.insert(job.sequence, members_of(&job).collect());
        }
        // As the runner does: the first member's speaks for all.
        let record =
            self.unwritten.iter().rev().find(|record| record.sequence == job.sequence).unwrap().clone();
        self.plan.ended(&record);
    }

    /// The store takes what waits for it, in its order.
    fn write(&mut self) {
        let count = usize::try_from(self.dice.below(1 + self.unwritten.len() as u64)).unwrap();
        for record in self.unwritten.drain(..count).collect::<Vec<_>>() {
            match record.next_attempt_at {
                Some(due) => {
                    if let Some(row) = self.rows.get_mut(&record.sequence) {
                        row.due = due;
                        row.attempts = record.attempts;
                        row.group = record.group;
                    }
                }
                None => drop(self.rows.remove(&record.sequence)),
            }
            self.plan.written(record.key.event);
        }
    }

    fn end_read(&mut self) {
        if let Some(read) = self.reading.take() {
            let fails = self.dice.once_in(10);
            self.plan.read((!fails).then_some(read), self.now);
        }
    }

    fn step(&mut self, emits: bool) {
        match self.dice.below(if emits { 12 } else { 10 }) {
            0 | 1 => self.begin_read(),
            2 | 3 => self.end_read(),
            4 | 5 => self.send(),
            6 => self.come_back(),
            7 => self.write(),
            8 => self.now = self.now.plus(Duration::from_millis(self.dice.below(3_000))),
            9 if self.dice.once_in(10) => self.plan.read_again(),
            9 => {}
            _ => self.emit(),
        }
    }

    fn run(&mut self) {
        for _ in 0..STEPS {
            self.step(true);
        }
        for _ in 0..40_000 {
            if self.rows.is_empty() && self.flying.is_empty() && self.unwritten.is_empty() {
                break;
            }
            self.step(false);
        }
        assert!(self.rows.is_empty(), "these were never sent: {:?}", self.rows);
        for no in 1..=self.last {
            let ends = usize::from(self.delivered.contains(&no)) + usize::from(self.replaced.contains(&no));
            assert_eq!(ends, 1, "{no} has one end");
        }
        for _ in 0..200 {
            self.now = self.now.plus(Duration::from_secs(60));
            self.begin_read();
            self.end_read();
        }
        assert!(self.plan.is_idle() && self.plan.len() == 0 && self.plan.bytes() == 0, "{:?}", self.plan);
    }
}

fn members(job: &Job) -> Vec<(u64, u32)> {
    let with = job.group.iter().flat_map(|group| &group.with);
    std::iter::once(job).chain(with).map(|one| (one.sequence, one.attempts)).collect()
}

fn members_of(job: &Job) -> impl Iterator<Item = u64> + '_ {
    let with = job.group.iter().flat_map(|group| &group.with);
    std::iter::once(job).chain(with).map(|one| one.sequence)
}

fn try_all(mode: Mode) {
    for seed in 1..=SEQUENCES {
        // Shown when it fails.
        println!("seed {seed} of {mode:?}");
        Trial::new(seed, mode).run();
    }
}

#[test]
fn a_strict_order_holds() {
    try_all(Mode::Strict);
}

#[test]
fn the_order_of_each_key_holds() {
    try_all(Mode::Keyed);
}

#[test]
fn what_was_planned_before_keeps_its_order() {
    try_all(Mode::Free);
}

#[test]
fn the_newest_of_each_window_is_sent() {
    try_all(Mode::Debounce { window: Duration::from_secs(5), max_wait: Duration::from_secs(12) });
}

#[test]
fn batches_are_sent_whole_and_again_as_they_were() {
    let max_wait = Span(Duration::from_secs(4));
    try_all(Mode::Batch(Batching { max_events: 3, max_bytes: 1_000_000, max_wait }));
}
