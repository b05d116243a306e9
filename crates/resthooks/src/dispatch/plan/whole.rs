//! The plan of one subscription: its ordered, debounced and batched deliveries, and how far the store was read.

use std::collections::HashSet;
use std::sync::Arc;

use super::batched::Batched;
use super::debounced::Debounced;
use super::ordered::Ordered;
use crate::dispatch::lane::{Group, Job};
use crate::model::{DeliveryStatus, EventSeq, Mode, PlanKey, Timestamp};
use crate::store::{Pick, Record};

/// What a delivery is ordered or debounced by.
pub(crate) type Key = Arc<[u8]>;

/// Deliveries that are kept in memory, beside those that a batch or the windows need.
const ROOM: usize = 1024;
/// Keys whose windows are watched at once.
const WINDOWS: usize = 10_000;
/// Bytes of what is kept in memory.
const ROOM_BYTES: usize = 4 * 1024 * 1024;

/// A planned delivery that waits in memory.
#[derive(Debug, Clone)]
pub(crate) struct Item {
    pub job: Job,
    pub key: Key,
    /// Not before.
    pub due: Timestamp,
    /// The batch that it failed with, if it did.
    pub group: Option<u64>,
}

impl Item {
    /// When its event was accepted.
    pub(super) fn accepted_at(&self) -> Timestamp {
        self.job.event.event.uid.time()
    }
}

/// A delivery that another one is sent in the place of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Replaced {
    pub event: EventSeq,
    pub sequence: u64,
    pub attempts: u32,
    pub automatic: u32,
}

impl Replaced {
    pub(super) const fn of(job: &Job) -> Self {
        Self {
            event: job.event.seq,
            sequence: job.sequence,
            attempts: job.attempts,
            automatic: job.automatic,
        }
    }

    const fn after(record: &Record) -> Self {
        Self {
            event: record.key.event,
            sequence: record.sequence,
            attempts: record.attempts,
            automatic: record.automatic,
        }
    }
}

/// What becomes of a delivery that was in flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// It has ended.
    Done,
    /// It is tried again.
    Retry(Timestamp),
    /// It is held.
    Held,
}

/// The plan.
#[derive(Debug)]
pub(crate) struct Plan {
    mode: Mode,
    /// Other nodes may write deliveries as well.
    shared: bool,
    ordered: Ordered,
    debounced: Option<Debounced>,
    batched: Option<Batched>,
    /// Everything up to here has been taken into memory or can be found again from there.
    cursor: u64,
    /// There may be more behind the cursor.
    more: bool,
    /// What is being read.
    reading: Option<Pick>,
    /// What is being read is of no use.
    stale: bool,
    /// Those whose records were written while something was being read: what that says of them is old.
    touched: HashSet<EventSeq>,
    /// Claimed for a manual action while only the store knew them.
    claimed: HashSet<EventSeq>,
}

impl Plan {
    pub(crate) fn new(mode: Mode, shared: bool) -> Self {
        Self {
            mode,
            shared,
            ordered: Ordered::default(),
            debounced: match mode {
                Mode::Debounce { window, max_wait } => Some(Debounced::new(window, max_wait)),
                _ => None,
            },
            batched: match mode {
                Mode::Batch(terms) => Some(Batched::new(terms)),
                _ => None,
            },
            cursor: 0,
            more: true,
            reading: None,
            stale: false,
            touched: HashSet::new(),
            claimed: HashSet::new(),
        }
    }

    /// The subscription's owner may have asked for something else.
    pub(crate) fn set_mode(&mut self, mode: Mode) {
        if mode == self.mode {
            return;
        }
        let (reading, mut claimed) = (self.reading.take(), std::mem::take(&mut self.claimed));
        let stale = reading.is_some();
        // What is in flight is nothing of the new mode's, and must not be sent at the same time.
        claimed.extend(self.ordered.out());
        claimed.extend(self.debounced.iter().flat_map(Debounced::out));
        claimed.extend(self.batched.iter().flat_map(Batched::out));
        *self = Self { reading, stale, claimed, ..Self::new(mode, self.shared) };
    }

    pub(crate) fn len(&self) -> usize {
        self.ordered.len()
            + self.debounced.as_ref().map_or(0, Debounced::len)
            + self.batched.as_ref().map_or(0, Batched::len)
    }

    pub(crate) fn bytes(&self) -> usize {
        self.ordered.bytes()
            + self.debounced.as_ref().map_or(0, Debounced::bytes)
            + self.batched.as_ref().map_or(0, Batched::bytes)
    }

    /// Whether nothing is to be remembered.
    pub(crate) fn is_idle(&self) -> bool {
        self.reading.is_none()
            && !self.more
            && self.claimed.is_empty()
            && self.ordered.is_idle()
            && self.debounced.as_ref().is_none_or(Debounced::is_idle)
            && self.batched.as_ref().is_none_or(Batched::is_idle)
    }

    /// Whether something can be sent now.
    pub(crate) fn has_ready(&self) -> bool {
        self.ordered.has_ready()
            || self.debounced.as_ref().is_some_and(Debounced::has_ready)
            || self.batched.as_ref().is_some_and(Batched::has_ready)
    }

    /// The next delivery to send.
    pub(crate) fn pop(&mut self) -> Option<Job> {
        if let Some(job) = self.ordered.pop() {
            return Some(job);
        }
        if let Some((mut job, replaced)) = self.debounced.as_mut().and_then(Debounced::pop) {
            job.group = (!replaced.is_empty()).then(|| Box::new(Group { with: Vec::new(), replaced }));
            return Some(job);
        }
        let (mut job, with) = self.batched.as_mut().and_then(Batched::pop)?;
        // A batch of one is a batch as well.
        job.group = Some(Box::new(Group { with, replaced: Vec::new() }));
        Some(job)
    }

    /// A delivery that has just been committed.
    pub(crate) fn feed(&mut self, item: Item, now: Timestamp) {
        let sequence = item.job.sequence;
        if sequence <= self.cursor {
            return;
        }
        let follows = !self.shared || sequence == self.cursor + 1;
        if self.more || self.reading.is_some() || !follows || !self.has_room() {
            self.more = true;
            return;
        }
        self.cursor = sequence;
        self.offer(item, now);
    }

    fn offer(&mut self, item: Item, now: Timestamp) {
        let claimed = self.claimed.contains(&item.job.event.seq);
        let debounces = PlanKey::is_debounce(&item.key);
        let batches = PlanKey::is_batch(&item.key);
        match (&mut self.debounced, &mut self.batched) {
            (Some(debounced), _) if debounces && !claimed => debounced.offer(item),
            (_, Some(batched)) if batches && !claimed => batched.offer(item),
            (Some(_), _) if debounces => {}
            (_, Some(_)) if batches => {}
            _ => {
                self.pass_claim(&item);
                let crowded = self.ordered.len() >= ROOM / 2;
                self.ordered.offer(item, crowded, now);
            }
        }
    }

    /// The key of one that is claimed waits for what comes of it.
    fn pass_claim(&mut self, item: &Item) {
        if self.claimed.remove(&item.job.event.seq) {
            self.ordered.claimed(item);
        }
    }

    fn has_room(&self) -> bool {
        let batched = self.batched.as_ref().map_or(0, Batched::room);
        let windows = if self.debounced.is_some() { WINDOWS } else { 0 };
        // A strict order has one key: behind what it has in the store there is nothing else.
        let parked = self.mode == Mode::Strict && self.ordered.is_parked(PlanKey::STRICT);
        let rest = self.len() < ROOM.max(batched).max(windows) && self.bytes() < ROOM_BYTES;
        rest && !parked && !self.ordered.is_full()
    }

    /// There is more in the store.
    pub(crate) fn came(&mut self) {
        self.more = true;
    }

    /// Everything is to be read again: the store has changed in some other way.
    pub(crate) fn read_again(&mut self) {
        self.ordered.clear();
        if let Some(debounced) = &mut self.debounced {
            debounced.clear();
        }
        if let Some(batched) = &mut self.batched {
            batched.clear();
        }
        self.cursor = 0;
        self.more = true;
        self.stale = self.reading.is_some();
    }

    /// Whether something is to be read.
    pub(crate) fn wants(&self) -> bool {
        self.reading.is_none()
            && (self.more && self.has_room()
                || self.ordered.has_fetch()
                || self.debounced.as_ref().is_some_and(Debounced::has_fetch)
                || self.batched.as_ref().is_some_and(Batched::wants_group))
    }

    /// When it is to be looked at again, if it does not want to read.
    pub(crate) fn wake(&self) -> Option<Timestamp> {
        let debounced = self.debounced.as_ref().and_then(Debounced::wake);
        let batched = self.batched.as_ref().and_then(Batched::wake);
        [self.ordered.wake(), debounced, batched].into_iter().flatten().min()
    }

    /// Brings it to this moment.
    pub(crate) fn advance(&mut self, now: Timestamp) {
        self.ordered.advance(now);
        if let Some(debounced) = &mut self.debounced {
            debounced.advance(now);
        }
        if let Some(batched) = &mut self.batched {
            batched.advance(now);
        }
    }

    /// What is to be read next, if anything. It is being read from now on.
    pub(crate) fn next_read(&mut self, now: Timestamp) -> Option<Pick> {
        if self.reading.is_some() {
            return None;
        }
        let of_key = |(key, after): (Key, u64)| Pick::OfKey { key: key.to_vec(), after };
        let group = self.batched.as_ref().is_some_and(Batched::wants_group).then_some(Pick::DueGroup(now));
        let pick = group
            .or_else(|| self.ordered.next_fetch().map(of_key))
            .or_else(|| {
                self.debounced
                    .as_mut()
                    .and_then(|debounced| debounced.next_fetch(now, self.cursor))
                    .map(of_key)
            })
            .or_else(|| (self.more && self.has_room()).then_some(Pick::After(self.cursor)));
        if pick == Some(Pick::After(self.cursor)) {
            self.more = false;
        }
        self.stale = false;
        self.reading.clone_from(&pick);
        pick
    }

    /// What was read; `None` when it could not be.
    pub(crate) fn read(&mut self, read: Option<Read>, now: Timestamp) {
        let Some(pick) = self.reading.take() else { return };
        let touched = std::mem::take(&mut self.touched);
        let is_old = |read: &Read| read.items.iter().any(|item| touched.contains(&item.job.event.seq));
        let fresh = !std::mem::take(&mut self.stale) && !read.as_ref().is_some_and(is_old);
        match (pick, read.filter(|_| fresh)) {
            (Pick::After(_), Some(read)) => {
                self.more |= read.more;
                for item in read.items {
                    self.cursor = self.cursor.max(item.job.sequence);
                    self.offer(item, now);
                }
            }
            (Pick::After(_), None) => self.more = true,
            (Pick::OfKey { key, .. }, read) => self.read_key(&Key::from(key), read, now),
            (Pick::DueGroup(_), Some(read)) => {
                if let Some(batched) = &mut self.batched {
                    batched.fetched(read.items, read.next_due);
                }
            }
            // It is due still.
            (Pick::DueGroup(_), None) => {}
        }
    }

    fn read_key(&mut self, key: &Key, read: Option<Read>, now: Timestamp) {
        let debounced = self.debounced.as_mut().filter(|_| PlanKey::is_debounce(key));
        match (debounced, read) {
            (Some(debounced), Some(read)) => debounced.fetched(key, read.items),
            (Some(debounced), None) => debounced.not_fetched(key),
            (None, Some(read)) => {
                let last = read.items.last().map_or(0, |item| item.job.sequence);
                read.items.iter().for_each(|item| self.pass_claim(item));
                self.ordered.fetched(key, read.items, read.more, now);
                if self.mode == Mode::Strict {
                    self.cursor = self.cursor.max(last);
                }
            }
            (None, None) => self.ordered.not_fetched(key),
        }
    }

    /// What became of one that was in flight, before its record is written.
    pub(crate) fn ended(&mut self, record: &Record) {
        let next = match (record.status, record.next_attempt_at) {
            (DeliveryStatus::Scheduled, at) => Next::Retry(at.unwrap_or(Timestamp::EPOCH)),
            (DeliveryStatus::Held, _) => Next::Held,
            _ => Next::Done,
        };
        let seq = record.key.event;
        let _known = self.ordered.ended(seq, next)
            || self
                .debounced
                .as_mut()
                .is_some_and(|debounced| debounced.ended(&Replaced::after(record), next))
            || self.batched.as_mut().is_some_and(|batched| batched.ended(seq, next));
    }

    /// A record is written, or a claim was given back.
    pub(crate) fn written(&mut self, seq: EventSeq) {
        if self.reading.is_some() {
            self.touched.insert(seq);
        }
        let _known = self.ordered.written(seq)
            || self.debounced.as_mut().is_some_and(|debounced| debounced.written(seq))
            || self.batched.as_mut().is_some_and(|batched| batched.written(seq));
        let passed = self.debounced.as_mut().is_some_and(|debounced| debounced.was_passed(seq));
        if self.claimed.remove(&seq) || passed {
            // Its key may have waited for its time, and need not any more.
            self.read_again();
        }
    }

    /// Takes one out of those that wait, for a manual action.
    pub(crate) fn take(&mut self, seq: EventSeq) -> Option<Job> {
        if let Some(job) = self.ordered.take(seq) {
            return Some(job);
        }
        let taken = self.debounced.as_mut().and_then(|debounced| debounced.take(seq));
        let taken = taken.or_else(|| self.batched.as_mut()?.take(seq))?;
        // What becomes of it, the store says.
        self.claimed.insert(seq);
        Some(taken)
    }

    /// One that only the store knows of was claimed for a manual action.
    pub(crate) fn claimed(&mut self, seq: EventSeq) {
        self.claimed.insert(seq);
    }
}

/// What was read.
#[derive(Debug, Default)]
pub(crate) struct Read {
    pub items: Vec<Item>,
    pub more: bool,
    pub next_due: Option<Timestamp>,
}
