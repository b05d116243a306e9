//! One at a time per key, in sequence. A key whose head waits to be tried again holds up nobody else, and keeps nothing in
//! memory but its place: what comes behind the head stays in the store, from where it is read when the head has gone.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use super::{Item, Key, Next};
use crate::dispatch::lane::Job;
use crate::model::{EventSeq, Timestamp};

/// Deliveries of one key in memory, while there is room for all.
const PER_KEY: usize = 256;
/// And when memory is half full: so that many keys whose target is slow leave room for others.
const PER_KEY_WHEN_FULL: usize = 8;
/// The most keys that are known at once.
const MOST_KEYS: usize = 20_000;

/// What a key is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Doing {
    /// Nothing: its head may be sent.
    Idle,
    /// Its head is in flight.
    Sending,
    /// Its head is tried again then (never, before something else happens), once its record is written.
    Blocked { until: Option<Timestamp>, written: bool },
}

#[derive(Debug)]
struct State {
    waiting: VecDeque<Item>,
    doing: Doing,
    /// From this sequence on its deliveries are in the store alone.
    parked: Option<u64>,
    /// It is being read.
    reading: bool,
    /// One that came while it was being read was left to the store.
    passed: Option<u64>,
    /// The highest sequence that was taken into memory.
    seen: u64,
}

impl State {
    const fn new() -> Self {
        Self {
            waiting: VecDeque::new(),
            doing: Doing::Idle,
            parked: None,
            reading: false,
            passed: None,
            seen: 0,
        }
    }
}

/// Deliveries that are sent in order.
#[derive(Debug, Default)]
pub(super) struct Ordered {
    keys: HashMap<Key, State>,
    /// Keys whose head may be sent.
    ready: VecDeque<Key>,
    /// Keys to read from the store.
    fetch: VecDeque<Key>,
    /// Keys whose head is tried again, by when.
    later: BTreeSet<(Timestamp, Key)>,
    /// Those that are in flight, claimed, or whose record is not written, by event.
    out: HashMap<EventSeq, (Key, u64)>,
    len: usize,
    bytes: usize,
}

impl Ordered {
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether so many keys are known that no more can be.
    pub(super) fn is_full(&self) -> bool {
        self.keys.len() >= MOST_KEYS
    }

    pub(super) fn is_idle(&self) -> bool {
        self.keys.is_empty() && self.out.is_empty()
    }

    /// Whether some of this key's deliveries are in the store alone.
    pub(super) fn is_parked(&self, key: &[u8]) -> bool {
        self.keys.get(key).is_some_and(|state| state.parked.is_some())
    }

    pub(super) fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// When something of it is due.
    pub(super) fn wake(&self) -> Option<Timestamp> {
        self.later.first().map(|(at, _)| *at)
    }

    /// The next delivery of its key. They come in sequence. `crowded`: memory is half full.
    pub(super) fn offer(&mut self, item: Item, crowded: bool, now: Timestamp) {
        let most = if crowded { PER_KEY_WHEN_FULL } else { PER_KEY };
        let is_out = self.out.contains_key(&item.job.event.seq);
        let key = Arc::clone(&item.key);
        let state = self.keys.entry(Arc::clone(&key)).or_insert_with(State::new);
        if state.parked.is_some() {
            state.passed = state.passed.or(state.reading.then_some(item.job.sequence));
            return;
        }
        if item.job.sequence <= state.seen {
            return;
        }
        if is_out {
            // It is in flight already, since before everything was read again.
            state.doing = Doing::Blocked { until: None, written: false };
        }
        if is_out || state.waiting.len() >= most {
            state.parked = Some(item.job.sequence);
            return;
        }
        state.seen = item.job.sequence;
        let is_head = state.waiting.is_empty() && state.doing == Doing::Idle;
        if is_head && item.due > now {
            state.doing = Doing::Blocked { until: Some(item.due), written: true };
            state.parked = Some(item.job.sequence);
            self.later.insert((item.due, key));
            return;
        }
        self.len += 1;
        self.bytes += item.job.bytes();
        state.waiting.push_back(item);
        if is_head {
            self.ready.push_back(key);
        }
    }

    /// The next one to send.
    pub(super) fn pop(&mut self) -> Option<Job> {
        while let Some(key) = self.ready.pop_front() {
            let Some(state) = self.keys.get_mut(&key).filter(|state| state.doing == Doing::Idle) else {
                continue;
            };
            let Some(item) = state.waiting.pop_front() else { continue };
            state.doing = Doing::Sending;
            self.len -= 1;
            self.bytes -= item.job.bytes();
            self.out.insert(item.job.event.seq, (key, item.job.sequence));
            return Some(item.job);
        }
        None
    }

    /// What became of one that was sent. Whether it was one of these.
    pub(super) fn ended(&mut self, seq: EventSeq, next: Next) -> bool {
        let Some((key, sequence)) = self.out.get(&seq).cloned() else { return false };
        let state = self.keys.entry(Arc::clone(&key)).or_insert_with(State::new);
        match next {
            Next::Done => {
                state.doing = Doing::Idle;
                self.go_on(&key);
            }
            Next::Retry(at) => self.park(&key, sequence, Some(at)),
            Next::Held => self.park(&key, sequence, None),
        }
        true
    }

    /// The record of one of these is written, or it is given back: the store says how it stands. Whether it was one.
    pub(super) fn written(&mut self, seq: EventSeq) -> bool {
        let Some((key, _)) = self.out.remove(&seq) else { return false };
        let Some(state) = self.keys.get_mut(&key) else { return true };
        match &mut state.doing {
            Doing::Blocked { until: Some(at), written } => {
                *written = true;
                self.later.insert((*at, key));
            }
            Doing::Blocked { until: None, written: written @ false } => {
                *written = true;
                state.doing = Doing::Idle;
                self.go_on(&key);
            }
            _ => {}
        }
        true
    }

    /// One that is read is claimed for a manual action: its key waits for what comes of it.
    pub(super) fn claimed(&mut self, item: &Item) {
        self.out.insert(item.job.event.seq, (Arc::clone(&item.key), item.job.sequence));
    }

    /// Those that are in flight, claimed or not written.
    pub(super) fn out(&self) -> impl Iterator<Item = EventSeq> {
        self.out.keys().copied()
    }

    /// Takes one out of those that wait, for a manual action: nothing of its key is sent before it is given back.
    pub(super) fn take(&mut self, seq: EventSeq) -> Option<Job> {
        let mut waiting =
            self.keys.iter().flat_map(|(key, state)| state.waiting.iter().map(move |item| (key, item)));
        let (key, item) = waiting.find(|(_, item)| item.job.event.seq == seq)?;
        let (key, job) = (Arc::clone(key), item.job.clone());
        self.out.insert(seq, (Arc::clone(&key), job.sequence));
        let first = self.keys.get(&key).and_then(|state| state.waiting.front()).map(|item| item.job.sequence);
        self.forget_waiting(&key, first.unwrap_or(job.sequence));
        if let Some(state) = self.keys.get_mut(&key).filter(|state| state.doing == Doing::Idle) {
            state.doing = Doing::Blocked { until: None, written: false };
        }
        Some(job)
    }

    /// What is due by now is read again.
    pub(super) fn advance(&mut self, now: Timestamp) {
        while let Some((at, key)) = self.later.first().filter(|(at, _)| *at <= now).cloned() {
            self.later.remove(&(at, Arc::clone(&key)));
            if let Some(state) = self.keys.get_mut(&key) {
                state.doing = Doing::Idle;
                self.go_on(&key);
            }
        }
    }

    /// A key to read, and behind which sequence.
    pub(super) fn next_fetch(&mut self) -> Option<(Key, u64)> {
        while let Some(key) = self.fetch.pop_front() {
            let Some(state) = self.keys.get_mut(&key) else { continue };
            let Some(from) = state.parked.filter(|_| !state.reading && state.doing == Doing::Idle) else {
                continue;
            };
            state.reading = true;
            state.passed = None;
            return Some((key, from.saturating_sub(1)));
        }
        None
    }

    pub(super) fn has_fetch(&self) -> bool {
        !self.fetch.is_empty()
    }

    /// What was read of a key.
    pub(super) fn fetched(&mut self, key: &Key, items: Vec<Item>, more: bool, now: Timestamp) {
        let Some(state) = self.keys.get_mut(key) else { return };
        state.reading = false;
        // Also that which came while it was read is behind what was read.
        let behind = items.last().map(|item| item.job.sequence + 1).or(state.parked);
        let rest = if more { behind } else { state.passed };
        state.parked = None;
        state.passed = None;
        state.seen = 0;
        for item in items {
            self.offer(item, false, now);
        }
        let Some(state) = self.keys.get_mut(key) else { return };
        state.parked = state.parked.or(rest);
        self.go_on(key);
    }

    /// The read of a key has failed: it is to be read again.
    pub(super) fn not_fetched(&mut self, key: &Key) {
        if let Some(state) = self.keys.get_mut(key) {
            state.reading = false;
            self.fetch.push_back(Arc::clone(key));
        }
    }

    /// Forgets all that waits; what is in flight is still known.
    pub(super) fn clear(&mut self) {
        let out = std::mem::take(&mut self.out);
        *self = Self { out, ..Self::default() };
    }

    /// A key whose head has gone: its next one is sent, read, or there is none.
    fn go_on(&mut self, key: &Key) {
        let Some(state) = self.keys.get(key) else { return };
        if state.doing != Doing::Idle || state.reading {
            return;
        }
        if !state.waiting.is_empty() {
            self.ready.push_back(Arc::clone(key));
        } else if state.parked.is_some() {
            self.fetch.push_back(Arc::clone(key));
        } else {
            self.keys.remove(key);
        }
    }

    fn park(&mut self, key: &Key, from: u64, until: Option<Timestamp>) {
        self.forget_waiting(key, from);
        if let Some(state) = self.keys.get_mut(key) {
            // What is held stays until all is read again, whatever is written.
            let written = until.is_none();
            state.doing = Doing::Blocked { until, written };
        }
    }

    fn forget_waiting(&mut self, key: &Key, from: u64) {
        let Some(state) = self.keys.get_mut(key) else { return };
        self.len -= state.waiting.len();
        self.bytes -= state.waiting.iter().map(|item| item.job.bytes()).sum::<usize>();
        state.waiting.clear();
        state.parked = Some(state.parked.map_or(from, |parked| parked.min(from)));
        state.seen = 0;
    }
}
