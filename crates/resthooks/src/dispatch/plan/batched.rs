//! Many deliveries in one request: by count, by size, or by age. A batch that failed is tried again as it was: its members
//! carry its first sequence in the store, and are read together when it is due.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use super::{Item, Next};
use crate::dispatch::lane::Job;
use crate::model::{Batching, EventSeq, Timestamp};

/// A batch that was sent and whose members' records are not all written.
#[derive(Debug, Default)]
struct Sent {
    unwritten: usize,
    retry: Option<Timestamp>,
}

/// Deliveries that are sent in batches.
#[derive(Debug)]
pub(super) struct Batched {
    terms: Batching,
    open: VecDeque<Item>,
    /// The size of the open ones' data, as it counts for a batch.
    size: usize,
    /// What they take in memory.
    bytes: usize,
    /// The oldest open one has waited for as long as any may.
    ripe: bool,
    /// One that failed and is to be sent again.
    again: Option<Vec<Item>>,
    /// When the next one that failed is due, as far as is known.
    retry: Option<Timestamp>,
    /// It is due: to be read.
    fetch: bool,
    /// The batches of those that are in flight or whose record is not written.
    out: HashMap<EventSeq, u64>,
    sent: HashMap<u64, Sent>,
}

impl Batched {
    pub(super) fn new(terms: Batching) -> Self {
        Self {
            terms,
            open: VecDeque::new(),
            size: 0,
            bytes: 0,
            ripe: false,
            again: None,
            retry: None,
            fetch: false,
            out: HashMap::new(),
            sent: HashMap::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.open.len() + self.again.as_ref().map_or(0, Vec::len)
    }

    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn is_idle(&self) -> bool {
        self.len() == 0 && self.out.is_empty() && self.retry.is_none()
    }

    /// How many open ones are worth keeping in memory.
    pub(super) fn room(&self) -> usize {
        2 * self.terms.max_events
    }

    pub(super) fn has_ready(&self) -> bool {
        self.again.is_some() || self.ripe || self.is_full()
    }

    fn is_full(&self) -> bool {
        self.open.len() >= self.terms.max_events || self.size >= self.terms.max_bytes
    }

    pub(super) fn wake(&self) -> Option<Timestamp> {
        let ripe =
            self.open.front().filter(|_| !self.ripe).map(|item| item.accepted_at().plus(self.max_wait()));
        let retry = self.retry.filter(|_| !self.fetch && self.again.is_none());
        [ripe, retry].into_iter().flatten().min()
    }

    fn max_wait(&self) -> Duration {
        self.terms.max_wait.get()
    }

    /// The next delivery. They come in sequence.
    pub(super) fn offer(&mut self, item: Item) {
        if self.out.contains_key(&item.job.event.seq) {
            return;
        }
        if item.group.is_some() {
            // It comes again with its batch.
            self.retry = Some(self.retry.map_or(item.due, |at| at.min(item.due)));
            return;
        }
        self.size += item.job.event.event.data.len();
        self.bytes += item.job.bytes();
        self.open.push_back(item);
    }

    /// What is due by now.
    pub(super) fn advance(&mut self, now: Timestamp) {
        let oldest = self.open.front().map(Item::accepted_at);
        self.ripe = oldest.is_some_and(|at| at.plus(self.max_wait()) <= now);
        if self.retry.is_some_and(|at| at <= now) && self.again.is_none() {
            self.fetch = true;
        }
    }

    /// Whether the batch that is due is to be read.
    pub(super) fn wants_group(&self) -> bool {
        // One after the other: until its records are written the store still says that it is due.
        self.fetch && self.again.is_none() && self.sent.values().all(|sent| sent.retry.is_none())
    }

    /// The batch that was due, and when the next one is.
    pub(super) fn fetched(&mut self, items: Vec<Item>, next: Option<Timestamp>) {
        self.fetch = false;
        self.retry = next;
        if items.is_empty() {
            return;
        }
        if let Some(item) = items.iter().find(|item| self.out.contains_key(&item.job.event.seq)) {
            self.retry = Some(item.due);
            return;
        }
        self.bytes += items.iter().map(|item| item.job.bytes()).sum::<usize>();
        self.again = Some(items);
    }

    /// The next batch: its first delivery, then the others.
    pub(super) fn pop(&mut self) -> Option<(Job, Vec<Job>)> {
        let mut jobs = match self.again.take() {
            Some(items) => items.into_iter().map(|item| item.job).collect::<Vec<_>>(),
            None if self.has_ready() => self.take_open(),
            None => return None,
        };
        if jobs.is_empty() {
            return None;
        }
        self.bytes -= jobs.iter().map(Job::bytes).sum::<usize>();
        let first = jobs.remove(0);
        self.sent.insert(first.sequence, Sent { unwritten: 1 + jobs.len(), retry: None });
        for job in std::iter::once(&first).chain(&jobs) {
            self.out.insert(job.event.seq, first.sequence);
        }
        Some((first, jobs))
    }

    fn take_open(&mut self) -> Vec<Job> {
        let (mut jobs, mut size) = (Vec::new(), 0);
        while let Some(item) = self.open.front().filter(|_| jobs.len() < self.terms.max_events) {
            let own = item.job.event.event.data.len();
            if !jobs.is_empty() && size + own > self.terms.max_bytes {
                break;
            }
            size += own;
            jobs.extend(self.open.pop_front().map(|item| item.job));
        }
        self.size -= size;
        // Whether what is left is ripe is found when it is looked at next.
        self.ripe = false;
        jobs
    }

    /// What became of a batch, by its first delivery. Whether it was one of these.
    pub(super) fn ended(&mut self, first: EventSeq, next: Next) -> bool {
        let Some(group) = self.out.get(&first) else { return false };
        if let (Some(sent), Next::Retry(at)) = (self.sent.get_mut(group), next) {
            sent.retry = Some(at);
        }
        true
    }

    /// The record of one of these is written. Whether it was one.
    pub(super) fn written(&mut self, seq: EventSeq) -> bool {
        let Some(group) = self.out.remove(&seq) else { return false };
        let Some(sent) = self.sent.get_mut(&group) else { return true };
        sent.unwritten = sent.unwritten.saturating_sub(1);
        if sent.unwritten == 0
            && let Some(sent) = self.sent.remove(&group)
            && let Some(at) = sent.retry
        {
            self.retry = Some(self.retry.map_or(at, |other| other.min(at)));
        }
        true
    }

    /// Those that are in flight, claimed or not written.
    pub(super) fn out(&self) -> impl Iterator<Item = EventSeq> {
        self.out.keys().copied()
    }

    /// Takes one out of those that wait, for a manual action. The others of a batch that failed are read again.
    pub(super) fn take(&mut self, seq: EventSeq) -> Option<Job> {
        if let Some(place) = self.open.iter().position(|item| item.job.event.seq == seq) {
            let item = self.open.remove(place)?;
            self.size -= item.job.event.event.data.len();
            self.bytes -= item.job.bytes();
            self.note_taken(&item.job);
            return Some(item.job);
        }
        let items = self.again.as_ref()?;
        let job = items.iter().find(|item| item.job.event.seq == seq)?.job.clone();
        let due = items.first().map(|item| item.due);
        self.bytes -= items.iter().map(|item| item.job.bytes()).sum::<usize>();
        self.again = None;
        self.retry = due;
        self.note_taken(&job);
        Some(job)
    }

    fn note_taken(&mut self, job: &Job) {
        self.out.insert(job.event.seq, job.sequence);
        self.sent.insert(job.sequence, Sent { unwritten: 1, retry: None });
    }

    /// Forgets all that waits; what is in flight is still known.
    pub(super) fn clear(&mut self) {
        let (out, sent) = (std::mem::take(&mut self.out), std::mem::take(&mut self.sent));
        *self = Self { out, sent, ..Self::new(self.terms) };
    }
}
