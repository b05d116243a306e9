//! Counters of a running engine, for metrics.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::model::ErrorClass;

/// Upper bounds of the latency histograms' buckets.
pub const BUCKETS: [Duration; 12] = [
    Duration::from_millis(1),
    Duration::from_micros(2500),
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(25),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(250),
    Duration::from_secs(1),
    Duration::from_micros(2_500_000),
    Duration::from_secs(5),
    Duration::from_secs(15),
];

/// How asking a target to confirm can end.
pub(crate) const HANDSHAKES: [&str; 4] = ["confirmed", "awaiting", "gone", "failed"];

/// A histogram over [`BUCKETS`], and what lies above.
#[derive(Debug, Default)]
pub(crate) struct Histogram {
    buckets: [AtomicU64; BUCKETS.len() + 1],
    sum_us: AtomicU64,
}

impl Histogram {
    pub(crate) fn observe(&self, duration: Duration) {
        let place = BUCKETS.iter().position(|bound| duration <= *bound).unwrap_or(BUCKETS.len());
        if let Some(bucket) = self.buckets.get(place) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        self.sum_us.fetch_add(micros, Ordering::Relaxed);
    }

    fn snapshot(&self) -> HistogramSnapshot {
        HistogramSnapshot {
            counts: std::array::from_fn(|i| self.buckets.get(i).map_or(0, |b| b.load(Ordering::Relaxed))),
            sum: Duration::from_micros(self.sum_us.load(Ordering::Relaxed)),
        }
    }
}

/// A histogram at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistogramSnapshot {
    /// Observations per bucket of [`BUCKETS`] (not cumulative), then those above the last bound.
    pub counts: [u64; BUCKETS.len() + 1],
    /// All observations together.
    pub sum: Duration,
}

/// The counters, written by every part of the engine.
#[derive(Debug, Default)]
pub(crate) struct Stats {
    pub events_accepted: AtomicU64,
    pub events_repeated: AtomicU64,
    pub events_refused: AtomicU64,
    pub deliveries_matched: AtomicU64,
    pub deliveries_delivered: AtomicU64,
    pub deliveries_scheduled: AtomicU64,
    pub deliveries_held: AtomicU64,
    pub deliveries_dead: AtomicU64,
    pub deliveries_cancelled: AtomicU64,
    pub attempts_succeeded: AtomicU64,
    pub attempts_refused: AtomicU64,
    pub attempts_failed: [AtomicU64; ErrorClass::ALL.len()],
    pub handshakes: [AtomicU64; HANDSHAKES.len()],
    pub unconfirmed: AtomicU64,
    pub emitted_refused: AtomicU64,
    pub takeovers: AtomicU64,
    pub expired_events: AtomicU64,
    pub expired_attempts: AtomicU64,
    pub expired_audit: AtomicU64,
    pub commits: AtomicU64,
    pub commits_failed: AtomicU64,
    pub commit_time: Histogram,
    pub attempt_time: Histogram,
}

/// The counters at one moment. Counts are since the start of the process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// Events that were answered with success, repetitions left out.
    pub events_accepted: u64,
    /// Repetitions of accepted events.
    pub events_repeated: u64,
    /// Events that could not be made durable.
    pub events_refused: u64,
    /// Events emitted in transactions that could not be accepted, and were set aside.
    pub emitted_refused: u64,
    /// Nodes that this one has taken over from.
    pub takeovers: u64,
    /// Nodes that share the store, now, with this one.
    pub live_nodes: u64,
    /// Deliveries that accepted events gave.
    pub deliveries_matched: u64,
    /// Deliveries that became delivered.
    pub deliveries_delivered: u64,
    /// Times a delivery was scheduled (again).
    pub deliveries_scheduled: u64,
    /// Deliveries that were held.
    pub deliveries_held: u64,
    /// Deliveries that were given up.
    pub deliveries_dead: u64,
    /// Deliveries that were cancelled.
    pub deliveries_cancelled: u64,
    /// Attempts answered with 2xx.
    pub attempts_succeeded: u64,
    /// Attempts answered with another status.
    pub attempts_refused: u64,
    /// Attempts without a usable answer, by class.
    pub attempts_failed: Vec<(ErrorClass, u64)>,
    /// Requests by which targets were asked to confirm, by outcome.
    pub handshakes: Vec<(&'static str, u64)>,
    /// Subscriptions that were never confirmed, and so removed.
    pub unconfirmed: u64,
    /// Events that were deleted because they were old, or to make room.
    pub expired_events: u64,
    /// Deliveries that outlive their attempts.
    pub expired_attempts: u64,
    /// Entries of the audit trail that were deleted because they were old.
    pub expired_audit: u64,
    /// Bytes that the store held when this node last looked; 0 before.
    pub store_bytes: u64,
    /// When the oldest event was accepted, in seconds since 1970, when this node last looked; 0 when there is none.
    pub oldest_event: u64,
    /// Transactions of the write path.
    pub commits: u64,
    /// Those that failed.
    pub commits_failed: u64,
    /// How long they took.
    pub commit_time: HistogramSnapshot,
    /// How long attempts took.
    pub attempt_time: HistogramSnapshot,
    /// Subscriptions that have not ended, now.
    pub subscriptions: u64,
    /// Of these, the ones whose targets have yet to confirm, now.
    pub pending: u64,
    /// Requests in flight, now.
    pub in_flight: u64,
    /// Deliveries that wait in memory, now.
    pub queued: u64,
    /// Bytes of their events, now.
    pub queued_bytes: u64,
    /// Deliveries that wait in the store (scheduled or held), now.
    pub waiting: u64,
    /// Events above the watermark, now.
    pub unrecorded_events: u64,
    /// Calls that emit, and records of deliveries, that are not durable yet, now.
    pub unwritten: u64,
    /// Subscriptions for which due deliveries are being fetched from the store, now.
    pub fetching: u64,
    /// Subscriptions that have changed, and whose deliveries in the store have not been moved yet, now.
    pub moving: u64,
    /// Targets that are being asked to confirm, now.
    pub confirming: u64,
    /// Hosts that can't be reached and are left alone but for a probe, now.
    pub open_circuits: u64,
}

impl Stats {
    /// A target was asked to confirm, with this outcome.
    pub(crate) fn count_handshake(&self, outcome: &str) {
        let place = HANDSHAKES.iter().position(|one| *one == outcome);
        if let Some(counter) = place.and_then(|place| self.handshakes.get(place)) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The counters now; what is now in flight and waiting is the caller's to fill in.
    pub(crate) fn snapshot(&self) -> Snapshot {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Snapshot {
            events_accepted: get(&self.events_accepted),
            events_repeated: get(&self.events_repeated),
            events_refused: get(&self.events_refused),
            emitted_refused: get(&self.emitted_refused),
            takeovers: get(&self.takeovers),
            expired_events: get(&self.expired_events),
            expired_attempts: get(&self.expired_attempts),
            expired_audit: get(&self.expired_audit),
            store_bytes: 0,
            oldest_event: 0,
            live_nodes: 1,
            deliveries_matched: get(&self.deliveries_matched),
            deliveries_delivered: get(&self.deliveries_delivered),
            deliveries_scheduled: get(&self.deliveries_scheduled),
            deliveries_held: get(&self.deliveries_held),
            deliveries_dead: get(&self.deliveries_dead),
            deliveries_cancelled: get(&self.deliveries_cancelled),
            attempts_succeeded: get(&self.attempts_succeeded),
            attempts_refused: get(&self.attempts_refused),
            attempts_failed: ErrorClass::ALL.into_iter().zip(self.attempts_failed.iter().map(get)).collect(),
            handshakes: HANDSHAKES.into_iter().zip(self.handshakes.iter().map(get)).collect(),
            unconfirmed: get(&self.unconfirmed),
            commits: get(&self.commits),
            commits_failed: get(&self.commits_failed),
            commit_time: self.commit_time.snapshot(),
            attempt_time: self.attempt_time.snapshot(),
            subscriptions: 0,
            pending: 0,
            in_flight: 0,
            queued: 0,
            queued_bytes: 0,
            waiting: 0,
            unrecorded_events: 0,
            unwritten: 0,
            fetching: 0,
            moving: 0,
            confirming: 0,
            open_circuits: 0,
        }
    }
}
