//! The write path: append events, record deliveries, lease what is due; and what a restart needs.

use std::sync::Arc;

use async_trait::async_trait;

use super::{EmittedNo, Error, LeasePlanned, LeasedPlanned, PlannedRow};
use crate::model::{
    AccountId, Attempt, DeliveryKey, DeliveryStatus, Event, EventId, EventSeq, Match, NodeNo, Progress,
    SequencedEvent, SubscriptionNo, Timestamp,
};

/// The append-and-lease part of a store.
#[async_trait]
pub trait Log: std::fmt::Debug + Send + Sync + 'static {
    /// How far a node's log goes and how far it is recorded. Waits for what that node is writing just now.
    async fn position(&self, node: NodeNo) -> Result<Position, Error>;

    /// For each (account, producer's id) the event that has it, in the same order.
    async fn find_ids(&self, ids: &[(AccountId, EventId)]) -> Result<Vec<Option<Prior>>, Error>;

    /// Appends events, in this order and with ascending numbers, and writes records, watermark and progress, all in one
    /// durable transaction. The caller has made sure, as far as it can, that no event's id is taken. One commit of a
    /// node at a time.
    ///
    /// # Errors
    /// [`Error::Fenced`] when the node was taken over; [`Error::Overtaken`] when an event's id or an emitted event is
    /// taken by now; [`Error::InDoubt`].
    async fn commit(&self, batch: Arc<Batch>) -> Result<Committed, Error>;

    /// A node's events numbered above `after` and up to `through`, ascending, at most `limit`, each with those of its
    /// matches that have no row yet (all, some or none). May be fewer than `limit` when they are large; none means
    /// that there are no more.
    async fn unrecorded(
        &self,
        node: NodeNo,
        after: EventSeq,
        through: EventSeq,
        limit: usize,
    ) -> Result<Vec<Unrecorded>, Error>;

    /// Takes a node's scheduled deliveries of one subscription that are due, the longest due first, leaving out
    /// `except`, which the caller still has in hand. A store with several nodes marks them, so that no other node
    /// claims them, until they are recorded. May be fewer than `limit` when they are large.
    async fn lease_due(&self, ask: LeaseDue) -> Result<Leased, Error>;

    /// Reads a subscription's scheduled planned deliveries (see [`PlannedRow`]), by sequence, when this node is the one
    /// that owns them: else there are none. Nothing is marked. May be fewer than `limit` when they are large.
    async fn lease_planned(&self, ask: LeasePlanned) -> Result<LeasedPlanned, Error>;

    /// Moves up to `limit` of a node's waiting deliveries of a subscription to another state, the oldest first, except
    /// those in `except`. Answers how many were moved; fewer than `limit` means that none are left.
    async fn settle(&self, ask: Settle) -> Result<usize, Error>;

    /// Takes up to `limit` of a subscription's deliveries that ended or are held, the oldest first, to another state, and
    /// makes them this node's: the one way back for what was given up. Their ids, sequences and attempts stay; of those
    /// that are scheduled again the schedule starts from its beginning. What another node has in hand, and what is in
    /// `except`, is left as it is.
    async fn reopen(&self, ask: Reopen) -> Result<Reopened, Error>;

    /// Makes a delivery that has a row this node's, for a manual action, and marks it like one that was leased.
    async fn claim(&self, node: NodeNo, key: DeliveryKey) -> Result<Claimed, Error>;
}

/// How far the log goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Position {
    /// Every delivery of every event up to here has a row. 0 before the first.
    pub watermark: EventSeq,
    /// The last event's number; 0 before the first.
    pub last: EventSeq,
}

/// The event that has a producer's id already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prior {
    /// What its producer sent, to tell a repetition from a conflict.
    pub digest: [u8; 32],
    /// When it happened.
    pub created_at: Timestamp,
    /// How many subscriptions it matched.
    pub matched: usize,
}

/// What is written in one transaction.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// Whose log it is.
    pub node: NodeNo,
    /// Events to append. The sequences of what they matched are as this node believes; see [`Committed::shifts`].
    pub events: Vec<Arc<Event>>,
    /// Deliveries of these events that get their row with them.
    pub planned: Vec<PlannedRow>,
    /// Deliveries' next states. A key occurs at most once.
    pub records: Vec<Record>,
    /// When set, all deliveries of all events up to here have rows now (with this batch).
    pub watermark: Option<EventSeq>,
    /// Subscriptions' counters as they stand after this batch's events. Given with every watermark for each
    /// subscription that has changed since the last one.
    pub progress: Vec<(SubscriptionNo, Progress)>,
    /// Events emitted in transactions that are taken away: accepted with this batch (they are among `events`), or
    /// repetitions of what was accepted before. When one of them is gone, nothing of the batch happens.
    pub emitted: Vec<EmittedNo>,
    /// Events emitted in transactions that can't be accepted, with the reason: set aside where an operator finds them.
    pub refused: Vec<(EmittedNo, String)>,
    /// The time of writing.
    pub now: Timestamp,
}

/// What a commit gave.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Committed {
    /// The events' numbers, in their order.
    pub numbers: Vec<EventSeq>,
    /// Subscriptions for which another node has given sequence numbers meanwhile: those that this batch's events
    /// carried are moved by so many, in the store as well. Empty in a store with a single owner.
    pub shifts: Vec<Shift>,
    /// Of the subscriptions with planned deliveries in this batch, those that another node owns: it has been told.
    /// Empty in a store with a single owner.
    pub elsewhere: Vec<SubscriptionNo>,
}

/// By how much the sequence numbers that a batch gave for a subscription are moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shift {
    /// The subscription.
    pub subscription: SubscriptionNo,
    /// What is added; may be negative.
    pub by: i64,
}

/// A delivery's next state, and the attempt that led to it, if one did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Which delivery.
    pub key: DeliveryKey,
    /// Whose it is.
    pub account: AccountId,
    /// Its place in its subscription's order.
    pub sequence: u64,
    /// Whether it has a row already: then that is changed (if it is still there), else one is inserted.
    pub has_row: bool,
    /// Its state from now on; never `Pending`.
    pub status: DeliveryStatus,
    /// Why, for dead, cancelled and held ones.
    pub reason: Option<String>,
    /// When it is tried next; with `Scheduled` only.
    pub next_attempt_at: Option<Timestamp>,
    /// How many attempts have been made.
    pub attempts: u32,
    /// Of these, the ones that the schedule made; manual ones never move it on.
    pub automatic: u32,
    /// The attempt that has just been made.
    pub attempt: Option<Attempt>,
    /// A manual attempt that failed: only the attempt and the count are written when the row exists; its status,
    /// reason and next attempt stay as they are stored.
    pub keep_state: bool,
    /// The planned deliveries that are tried again together with this one: the sequence of the first of them. With
    /// `Scheduled` only.
    pub group: Option<u64>,
}

/// An event above the watermark, as a restart finds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unrecorded {
    /// The event.
    pub event: SequencedEvent,
    /// Its matches that have no row.
    pub missing: Vec<Match>,
}

/// What waits for one subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backlog {
    /// The subscription.
    pub subscription: SubscriptionNo,
    /// When its first scheduled delivery is due; `None` when all that waits is held or planned.
    pub next_due: Option<Timestamp>,
    /// Scheduled deliveries.
    pub scheduled: u64,
    /// Held deliveries.
    pub held: u64,
}

/// Which due deliveries to take.
#[derive(Debug, Clone)]
pub struct LeaseDue {
    /// This node's.
    pub node: NodeNo,
    /// Of this subscription.
    pub subscription: SubscriptionNo,
    /// Due at or before this moment.
    pub now: Timestamp,
    /// At most so many (from 1).
    pub limit: usize,
    /// These are in hand already.
    pub except: Vec<EventSeq>,
}

/// What was taken.
#[derive(Debug, Clone, Default)]
pub struct Leased {
    /// The deliveries, the longest due first.
    pub deliveries: Vec<LeasedDelivery>,
    /// When the next one of this subscription is due (maybe already), beside these and `except`.
    pub next_due: Option<Timestamp>,
}

/// A due delivery with its event.
#[derive(Debug, Clone)]
pub struct LeasedDelivery {
    /// The event.
    pub event: SequencedEvent,
    /// Its place in its subscription's order.
    pub sequence: u64,
    /// How many attempts have been made.
    pub attempts: u32,
    /// Of these, the ones that the schedule made.
    pub automatic: u32,
}

/// What claiming a delivery gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claimed {
    /// Nothing: another node has it in hand.
    Busy,
    /// It was this node's already, or it does not wait and so is nobody's. All that a store with a single owner says.
    Own,
    /// It waited with another node, and waits with this one now.
    Moved,
}

/// A move of a subscription's waiting deliveries from one state to another.
#[derive(Debug, Clone)]
pub struct Settle {
    /// This node's.
    pub node: NodeNo,
    /// Of this subscription.
    pub subscription: SubscriptionNo,
    /// Those in this state (`Scheduled` or `Held`).
    pub from: DeliveryStatus,
    /// Get this one (`Scheduled`, `Held` or `Cancelled`).
    pub to: DeliveryStatus,
    /// With this reason.
    pub reason: Option<String>,
    /// The time of writing; those moved to `Scheduled` are due at it.
    pub now: Timestamp,
    /// At most so many (from 1).
    pub limit: usize,
    /// Not these.
    pub except: Vec<EventSeq>,
}

/// A move of a subscription's ended or held deliveries to another state.
#[derive(Debug, Clone)]
pub struct Reopen {
    /// For this node.
    pub node: NodeNo,
    /// Of this subscription.
    pub subscription: SubscriptionNo,
    /// These.
    pub which: Which,
    /// Those of them in one of these states (`Held`, `Delivered`, `Dead`, `Cancelled`); others are left alone.
    pub from: Vec<DeliveryStatus>,
    /// Get this one: `Scheduled`, or a final one.
    pub to: DeliveryStatus,
    /// With this reason.
    pub reason: Option<String>,
    /// The time of writing; those that are scheduled are due at it.
    pub now: Timestamp,
    /// These are in hand: not to be touched.
    pub except: Vec<EventSeq>,
}

/// Which of a subscription's deliveries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// Those of these events.
    Events(Vec<EventSeq>),
    /// Those of events numbered above `after` and up to `through`.
    Range {
        /// Above this one.
        after: EventSeq,
        /// Up to this one.
        through: EventSeq,
        /// Of events created at or after.
        since: Option<Timestamp>,
        /// Of events created before.
        until: Option<Timestamp>,
        /// At most so many are looked at (from 1).
        limit: usize,
    },
}

/// What was reopened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reopened {
    /// So many that had ended.
    pub ended: usize,
    /// So many that were held.
    pub held: usize,
    /// Of all these, so many planned ones that another node owns: they wait there.
    pub elsewhere: usize,
    /// In a range: the last one that was looked at, when there may be more behind it.
    pub last: Option<EventSeq>,
}
