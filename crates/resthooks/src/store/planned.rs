//! Planned deliveries: what is sent in order, once its key is quiet, or with others, as a store sees it.
//!
//! Written with their events by [`Log::commit`](super::Log::commit), read by
//! [`Log::lease_planned`](super::Log::lease_planned). What is sent when is the engine's to say.

use super::LeasedDelivery;
use crate::model::{NodeNo, SubscriptionNo, Timestamp};

/// A planned delivery: one that is sent in order, once its key is quiet, or with others. It has a row from the start,
/// written with its event, so that nothing of an order or a window is ever only in memory; and its subscription has one
/// owner among the nodes, whoever accepted the event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedRow {
    /// The place of its event in [`Batch::events`](super::Batch::events).
    pub event: usize,
    /// Its place in what that event matched: subscription and sequence.
    pub matched: usize,
    /// What it is ordered or debounced by; empty when by nothing. At most [`MAX_PLAN_KEY`] bytes.
    pub key: Vec<u8>,
    /// When it may be sent at the earliest.
    pub due: Timestamp,
}

/// The longest key of a planned delivery, in bytes.
pub const MAX_PLAN_KEY: usize = 512;

/// Which planned deliveries to read.
#[derive(Debug, Clone)]
pub struct LeasePlanned {
    /// This node's.
    pub node: NodeNo,
    /// Of this subscription.
    pub subscription: SubscriptionNo,
    /// These.
    pub pick: Pick,
    /// At most so many (from 1); a group that is due comes whole.
    pub limit: usize,
}

/// Which of a subscription's planned deliveries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pick {
    /// All behind this sequence.
    After(u64),
    /// Those of one key behind a sequence.
    OfKey {
        /// The key.
        key: Vec<u8>,
        /// Behind this sequence.
        after: u64,
    },
    /// The group (see [`Record::group`](super::Record::group)) that has been due for longest at this moment.
    DueGroup(Timestamp),
}

/// What was read.
#[derive(Debug, Clone, Default)]
pub struct LeasedPlanned {
    /// The deliveries, by sequence.
    pub deliveries: Vec<PlannedDelivery>,
    /// Whether there are more behind them.
    pub more: bool,
    /// For [`Pick::DueGroup`]: when the next group is due, beside the one that was read.
    pub next_due: Option<Timestamp>,
}

/// A planned delivery with its event.
#[derive(Debug, Clone)]
pub struct PlannedDelivery {
    /// The delivery.
    pub delivery: LeasedDelivery,
    /// Its key.
    pub key: Vec<u8>,
    /// When it may be sent.
    pub due: Timestamp,
    /// Its group, if it has one.
    pub group: Option<u64>,
}
