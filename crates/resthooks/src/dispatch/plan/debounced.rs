//! Of the deliveries of a key within a window, only the newest: it is sent once nothing has come for the window's length, or
//! once the first one has waited for as long as any may. Those that it replaces stay scheduled in the store until it is
//! sent, so that a restart finds the same window.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::{Item, Key, Next, Replaced};
use crate::dispatch::lane::Job;
use crate::model::{EventSeq, Timestamp};

/// One window of a key.
#[derive(Debug)]
struct Quiet {
    key: Key,
    newest: Item,
    /// When the first and the last of it were accepted.
    first: Timestamp,
    last: Timestamp,
    replaced: Vec<Replaced>,
}

/// Deliveries that are debounced.
#[derive(Debug)]
pub(super) struct Debounced {
    window: Duration,
    max_wait: Duration,
    open: HashMap<Key, Quiet>,
    /// When the open ones close.
    closing: BTreeSet<(Timestamp, Key)>,
    /// Those that have closed, in that order.
    closed: VecDeque<Quiet>,
    /// Those that are in flight, claimed, or whose record is not written, by event.
    out: HashMap<EventSeq, (Key, u64)>,
    /// Those that failed, by key: tried again at their time, unless a newer one has come by then.
    failed: HashMap<Key, (Replaced, Timestamp)>,
    /// Keys whose failed one is to be read, and the one that is being read.
    fetch: VecDeque<Key>,
    fetching: Option<EventSeq>,
    /// Of those in flight, the ones in whose place they are sent: known until their ends are written.
    instead: HashMap<EventSeq, Vec<EventSeq>>,
    /// Of those that are out, the ones that were read again meanwhile.
    passed: HashSet<EventSeq>,
    later: BTreeSet<(Timestamp, Key)>,
    bytes: usize,
}

impl Debounced {
    pub(super) fn new(window: Duration, max_wait: Duration) -> Self {
        Self {
            window,
            max_wait,
            open: HashMap::new(),
            closing: BTreeSet::new(),
            closed: VecDeque::new(),
            out: HashMap::new(),
            failed: HashMap::new(),
            fetch: VecDeque::new(),
            fetching: None,
            instead: HashMap::new(),
            passed: HashSet::new(),
            later: BTreeSet::new(),
            bytes: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.open.len() + self.closed.len()
    }

    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn is_idle(&self) -> bool {
        self.len() == 0 && self.out.is_empty() && self.failed.is_empty()
    }

    /// A key in flight waits for its end: a newer window must not overtake an older one.
    pub(super) fn has_ready(&self) -> bool {
        self.closed.iter().any(|quiet| !self.is_sending(&quiet.key))
    }

    fn is_sending(&self, key: &Key) -> bool {
        self.out.values().any(|(own, _)| own == key)
    }

    pub(super) fn wake(&self) -> Option<Timestamp> {
        let first = |set: &BTreeSet<(Timestamp, Key)>| set.first().map(|(at, _)| *at);
        [first(&self.closing), first(&self.later)].into_iter().flatten().min()
    }

    /// The next delivery. They come in sequence.
    pub(super) fn offer(&mut self, item: Item) {
        if self.out.contains_key(&item.job.event.seq) {
            self.passed.insert(item.job.event.seq);
            return;
        }
        let key = Arc::clone(&item.key);
        let at = item.accepted_at();
        if self.open.get(&key).is_some_and(|quiet| self.closes(quiet) < at) {
            self.close(&key);
        }
        self.bytes += item.job.bytes();
        let failed = self.failed.remove(&key);
        if let Some((_, due)) = &failed {
            self.later.remove(&(*due, Arc::clone(&key)));
        }
        let failed = failed.map(|(failed, _)| failed).filter(|failed| failed.event != item.job.event.seq);
        if let Some(mut quiet) = self.open.remove(&key) {
            self.closing.remove(&(self.closes(&quiet), Arc::clone(&key)));
            self.bytes -= quiet.newest.job.bytes();
            quiet.replaced.push(Replaced::of(&quiet.newest.job));
            quiet.replaced.extend(failed);
            quiet.newest = item;
            quiet.last = quiet.last.max(at);
            self.put(quiet);
        } else {
            let replaced = failed.into_iter().collect();
            self.put(Quiet { key, newest: item, first: at, last: at, replaced });
        }
    }

    fn put(&mut self, quiet: Quiet) {
        self.closing.insert((self.closes(&quiet), Arc::clone(&quiet.key)));
        self.open.insert(Arc::clone(&quiet.key), quiet);
    }

    fn closes(&self, quiet: &Quiet) -> Timestamp {
        let at = quiet.last.plus(self.window).min(quiet.first.plus(self.max_wait));
        // One that has failed already, and is the newest all the same, has a time of its own.
        if quiet.newest.job.attempts > 0 { quiet.newest.due } else { at }
    }

    fn close(&mut self, key: &Key) {
        if let Some(quiet) = self.open.remove(key) {
            self.closing.remove(&(self.closes(&quiet), Arc::clone(key)));
            self.closed.push_back(quiet);
        }
    }

    /// The next one to send, and those that it replaces.
    pub(super) fn pop(&mut self) -> Option<(Job, Vec<Replaced>)> {
        let place = self.closed.iter().position(|quiet| !self.is_sending(&quiet.key))?;
        let quiet = self.closed.remove(place)?;
        self.bytes -= quiet.newest.job.bytes();
        let mut replaced = quiet.replaced;
        // An older window's that failed meanwhile is old by now.
        if let Some((failed, due)) = self.failed.remove(&quiet.key) {
            self.later.remove(&(due, Arc::clone(&quiet.key)));
            replaced.push(failed);
        }
        let seq = quiet.newest.job.event.seq;
        for one in &replaced {
            self.out.insert(one.event, (Arc::clone(&quiet.key), one.sequence));
        }
        if !replaced.is_empty() {
            self.instead.insert(seq, replaced.iter().map(|one| one.event).collect());
        }
        self.out.insert(seq, (quiet.key, quiet.newest.job.sequence));
        Some((quiet.newest.job, replaced))
    }

    /// What became of one that was sent. Whether it was one of these.
    pub(super) fn ended(&mut self, job: &Replaced, next: Next) -> bool {
        let Some((key, _)) = self.out.get(&job.event).cloned() else { return false };
        let instead = self.instead.remove(&job.event);
        match next {
            Next::Done => {}
            Next::Retry(at) => drop(self.failed.insert(key, (job.clone(), at))),
            // It was not sent, and so nothing was replaced.
            Next::Held => instead.into_iter().flatten().for_each(|seq| drop(self.out.remove(&seq))),
        }
        true
    }

    /// Whether all is to be read again now that the record of this one is written: it may wait, and was passed over.
    pub(super) fn was_passed(&mut self, seq: EventSeq) -> bool {
        self.passed.remove(&seq)
    }

    /// The record of one of these is written. Whether it was one.
    pub(super) fn written(&mut self, seq: EventSeq) -> bool {
        let Some((key, _)) = self.out.remove(&seq) else { return false };
        if let Some((failed, due)) = self.failed.get(&key)
            && failed.event == seq
        {
            if self.open.contains_key(&key) {
                // A newer one has come while it was in flight.
                if let Some((failed, _)) = self.failed.remove(&key)
                    && let Some(quiet) = self.open.get_mut(&key)
                {
                    quiet.replaced.push(failed);
                }
            } else {
                self.later.insert((*due, key));
            }
        }
        true
    }

    /// Those that are in flight, claimed or not written.
    pub(super) fn out(&self) -> impl Iterator<Item = EventSeq> {
        self.out.keys().copied()
    }

    /// Takes one out of those that wait, for a manual action.
    pub(super) fn take(&mut self, seq: EventSeq) -> Option<Job> {
        let open = self.open.values().find(|quiet| quiet.newest.job.event.seq == seq);
        let key = open.map(|quiet| Arc::clone(&quiet.key));
        if let Some(key) = key {
            self.close(&key);
        }
        let place = self.closed.iter().position(|quiet| quiet.newest.job.event.seq == seq)?;
        let quiet = self.closed.remove(place)?;
        self.bytes -= quiet.newest.job.bytes();
        self.out.insert(seq, (quiet.key, quiet.newest.job.sequence));
        Some(quiet.newest.job)
    }

    /// Closes what is quiet by now, and has what failed read again.
    pub(super) fn advance(&mut self, now: Timestamp) {
        while let Some((_, key)) = self.closing.first().filter(|(at, _)| *at <= now).cloned() {
            self.close(&key);
        }
        while let Some((at, key)) = self.later.first().filter(|(at, _)| *at <= now).cloned() {
            self.later.remove(&(at, Arc::clone(&key)));
            self.fetch.push_back(key);
        }
    }

    /// A key to read, and behind which sequence. `cursor`: the store was read up to here.
    pub(super) fn next_fetch(&mut self, now: Timestamp, cursor: u64) -> Option<(Key, u64)> {
        while let Some(key) = self.fetch.pop_front() {
            // What all is read for again comes without being asked for.
            if self.failed.get(&key).is_some_and(|(failed, _)| failed.sequence > cursor) {
                self.failed.remove(&key);
            }
            // Another one may have failed since, whose time has not come.
            let failed = self
                .failed
                .get(&key)
                .filter(|(failed, due)| *due <= now && !self.out.contains_key(&failed.event));
            if let Some((failed, _)) = failed {
                self.fetching = Some(failed.event);
                return Some((key, failed.sequence.saturating_sub(1)));
            }
        }
        None
    }

    pub(super) fn has_fetch(&self) -> bool {
        !self.fetch.is_empty()
    }

    /// What was read of a key: the one that failed comes first, if it still waits.
    pub(super) fn fetched(&mut self, key: &Key, items: Vec<Item>) {
        let wanted = self.fetching.take();
        if self.failed.get(key).map(|(failed, _)| failed.event) != wanted {
            // A newer one has taken its place meanwhile.
            return;
        }
        self.failed.remove(key);
        let again = items.into_iter().next().filter(|item| Some(item.job.event.seq) == wanted);
        if let Some(item) = again {
            self.bytes += item.job.bytes();
            let at = item.accepted_at();
            let quiet =
                Quiet { key: Arc::clone(key), newest: item, first: at, last: at, replaced: Vec::new() };
            self.closed.push_back(quiet);
        }
    }

    /// The read of a key has failed: it is to be read again.
    pub(super) fn not_fetched(&mut self, key: &Key) {
        self.fetching = None;
        self.fetch.push_back(Arc::clone(key));
    }

    /// Forgets all that waits; what is in flight is still known.
    pub(super) fn clear(&mut self) {
        let (out, instead) = (std::mem::take(&mut self.out), std::mem::take(&mut self.instead));
        *self = Self { out, instead, ..Self::new(self.window, self.max_wait) };
    }
}
