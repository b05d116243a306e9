//! What waits for the next transaction: calls' events, and records of deliveries.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};

use super::Tracker;
use super::fanout::FanOut;
use crate::error::Error;
use crate::events::Accepted;
use crate::model::{Event, Match, SequencedEvent};
use crate::store::{EmittedNo, Record};

/// Events in one transaction.
const MAX_EVENTS: usize = 1000;
/// Bytes of events in one transaction (one call's may be more).
const MAX_BYTES: usize = 16 * 1024 * 1024;
/// Records in one transaction.
const MAX_RECORDS: usize = 4000;
/// With so many records, or bytes of them, waiting, no events are taken and nothing new is sent.
const FULL_RECORDS: usize = 10_000;
const FULL_RECORD_BYTES: usize = 32 * 1024 * 1024;
/// Events and bytes that may wait; what comes then is refused.
const MAX_WAITING_EVENTS: usize = 50_000;
const MAX_WAITING_BYTES: usize = 128 * 1024 * 1024;
/// What a refused producer is told to wait.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Where a call's events come from.
#[derive(Debug)]
pub(crate) enum Origin {
    /// From a producer.
    Call,
    /// From the outbox: what stands there goes with the same transaction.
    Emitted(EmittedNo),
    /// From the outbox, where what stands can't be accepted for this reason. There are no events.
    Refused(EmittedNo, String),
}

/// One call's events: all or none.
#[derive(Debug)]
pub(crate) struct Append {
    pub events: Vec<Event>,
    pub origin: Origin,
    pub reply: oneshot::Sender<Result<Vec<Accepted>, Error>>,
}

/// A record to be written.
#[derive(Debug)]
pub(crate) struct Recorded {
    pub record: Record,
    /// Whether the delivery's row was scheduled or held before.
    pub was_waiting: bool,
    /// Told when it is durable.
    pub done: Option<oneshot::Sender<()>>,
}

#[derive(Debug, Default)]
pub(super) struct Queue {
    pub(super) appends: VecDeque<Append>,
    pub(super) events: usize,
    pub(super) bytes: usize,
    pub(super) records: VecDeque<Recorded>,
    pub(super) record_bytes: usize,
    /// Calls and records in the transaction that is under way.
    pub(super) writing: usize,
    /// No more events are taken.
    pub(super) closed: bool,
    /// Everything is to be written out, then the writer ends.
    pub(super) ending: bool,
    /// The writer has ended: nobody takes anything from here any more.
    pub(super) ended: bool,
}

impl Queue {
    /// Calls and records that are not durable yet.
    fn unwritten(&self) -> usize {
        self.appends.len() + self.records.len() + self.writing
    }

    pub(super) fn is_full(&self) -> bool {
        self.records.len() > FULL_RECORDS || self.record_bytes > FULL_RECORD_BYTES
    }
}

impl Recorded {
    /// About what it costs to keep.
    fn bytes(&self) -> usize {
        512 + self.record.attempt.as_ref().map_or(0, |attempt| attempt.response_body.len())
    }
}

/// Where events and records wait for the next transaction.
#[derive(Debug)]
pub(crate) struct Writer {
    queue: Mutex<Queue>,
    pub(super) wake: Notify,
    /// Something was written or fanned out: it may be calmer now.
    pub(super) calmed: Notify,
    tracker: Mutex<Tracker>,
    fan_out: Mutex<FanOut>,
    /// Whether the last transaction was written.
    pub(super) healthy: AtomicBool,
    /// Whether it is not known if the last transaction was written.
    pub(super) in_doubt: AtomicBool,
}

impl Writer {
    pub(crate) fn new(tracker: Tracker) -> Self {
        Self {
            queue: Mutex::default(),
            wake: Notify::new(),
            calmed: Notify::new(),
            tracker: Mutex::new(tracker),
            fan_out: Mutex::default(),
            healthy: AtomicBool::new(true),
            in_doubt: AtomicBool::new(false),
        }
    }

    pub(super) fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn tracker(&self) -> MutexGuard<'_, Tracker> {
        self.tracker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a call's events in line.
    pub(crate) fn append(&self, append: Append) -> Result<(), Error> {
        let bytes: usize = append.events.iter().map(|event| event.data.len()).sum();
        let mut queue = self.queue();
        if queue.closed {
            return Err(unavailable("the engine is stopping"));
        }
        if queue.events >= MAX_WAITING_EVENTS || queue.bytes >= MAX_WAITING_BYTES {
            return Err(unavailable("too many events wait to be written"));
        }
        queue.events += append.events.len();
        queue.bytes += bytes;
        queue.appends.push_back(append);
        drop(queue);
        self.wake.notify_one();
        Ok(())
    }

    /// Puts a delivery's next state in line. Never refuses: what is in flight is bounded, and nothing more is sent while
    /// the line is full.
    pub(crate) fn record(&self, recorded: Recorded) {
        let mut queue = self.queue();
        if queue.ended {
            return;
        }
        queue.record_bytes += recorded.bytes();
        queue.records.push_back(recorded);
        drop(queue);
        self.wake.notify_one();
    }

    pub(super) fn fan_out(&self) -> MutexGuard<'_, FanOut> {
        self.fan_out.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts an event's deliveries in line for their lanes.
    pub(super) fn fan_out_later(&self, event: SequencedEvent, matched: Vec<Match>) {
        self.fan_out().push(event, matched);
        self.wake.notify_one();
    }

    /// Whether there is more than enough to write out and to fan out.
    pub(super) fn is_crowded(&self) -> bool {
        self.queue().is_full() || !self.fan_out().is_empty()
    }

    /// Whether new deliveries may be sent: their records can be written.
    pub(super) fn may_send(&self) -> bool {
        self.healthy.load(Ordering::Relaxed) && !self.queue().is_full()
    }

    pub(crate) fn is_healthy(&self) -> bool {
        self.healthy.load(Ordering::Relaxed) && !self.queue().closed
    }

    /// Takes no more events.
    pub(crate) fn close(&self) {
        self.queue().closed = true;
    }

    /// Lets the writer end once everything is written.
    pub(crate) fn end(&self) {
        self.queue().ending = true;
        self.wake.notify_one();
    }

    /// Drops what waits, and ends: this node was taken over, and all of it is another one's now. Producers that wait are
    /// told to try again.
    pub(crate) fn abandon(&self) {
        let mut queue = self.queue();
        queue.closed = true;
        queue.ended = true;
        queue.ending = true;
        let (appends, records) = (std::mem::take(&mut queue.appends), std::mem::take(&mut queue.records));
        drop(queue);
        tracing::debug!(
            appends = appends.len(),
            records = records.len(),
            "dropped what another node has taken over"
        );
        self.wake.notify_one();
    }

    /// What goes into the next transaction; `None` when nothing waits.
    pub(super) fn take(&self) -> Option<Taken> {
        let fanned_out = self.fan_out().is_empty();
        let mut queue = self.queue();
        let take = queue.records.len().min(MAX_RECORDS);
        let crowded = queue.is_full() || !fanned_out;
        let records: Vec<Recorded> = queue.records.drain(..take).collect();
        queue.record_bytes -= records.iter().map(Recorded::bytes).sum::<usize>();
        let mut appends = Vec::new();
        let (mut events, mut bytes) = (0, 0);
        while let Some(append) = queue.appends.front().filter(|_| !crowded) {
            let size: usize = append.events.iter().map(|event| event.data.len()).sum();
            if !appends.is_empty() && (events + append.events.len() > MAX_EVENTS || bytes + size > MAX_BYTES)
            {
                break;
            }
            events += append.events.len();
            bytes += size;
            appends.extend(queue.appends.pop_front());
        }
        queue.events -= events;
        queue.bytes -= bytes;
        queue.writing = appends.len() + records.len();
        let taken = Taken { appends, records };
        (!taken.appends.is_empty() || !taken.records.is_empty()).then_some(taken)
    }

    /// The transaction is over, and what came of it is known to all whom it concerns.
    pub(super) fn transaction_ended(&self) {
        self.queue().writing = 0;
        self.calmed.notify_waiters();
    }

    /// Calls and records that are not durable yet.
    pub(crate) fn unwritten(&self) -> usize {
        self.queue().unwritten()
    }

    pub(super) fn is_ending(&self) -> bool {
        self.queue().ending
    }

    pub(super) fn put_back(&self, records: Vec<Recorded>) {
        let mut queue = self.queue();
        if queue.ended {
            return;
        }
        queue.record_bytes += records.iter().map(Recorded::bytes).sum::<usize>();
        records.into_iter().rev().for_each(|recorded| queue.records.push_front(recorded));
    }

    /// Puts appends back to the head of the line, in their order.
    pub(super) fn put_back_appends(&self, appends: Vec<Append>) {
        let mut queue = self.queue();
        if queue.ended {
            return;
        }
        for append in appends.into_iter().rev() {
            queue.events += append.events.len();
            queue.bytes += append.events.iter().map(|event| event.data.len()).sum::<usize>();
            queue.appends.push_front(append);
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Taken {
    pub(super) appends: Vec<Append>,
    pub(super) records: Vec<Recorded>,
}

pub(super) fn unavailable(detail: &str) -> Error {
    Error::Unavailable { retry_after: RETRY_AFTER, detail: detail.to_owned() }
}
