//! Deleting what is old, some at a time.
//!
//! A step is one short transaction; what is cut off between two has happened in whole steps, and asking again does the
//! rest. Nothing that still waits to be sent is ever deleted, nor an event whose deliveries have no rows yet.

use async_trait::async_trait;

use super::Error;
use crate::model::{EventSeq, Timestamp};

/// The deleting part of a store.
#[async_trait]
pub trait Retention: Send + Sync + 'static {
    /// Deletes some of what is old, the oldest first. A store may take away a large part at once where that costs nobody
    /// anything. May as well be asked by several nodes at once.
    async fn expire(&self, ask: &Expire) -> Result<Expired, Error>;

    /// Returns some of the space of what was deleted to the file system. Whether there is more to return.
    async fn give_back(&self) -> Result<bool, Error>;

    /// How much there is.
    async fn holdings(&self) -> Result<Holdings, Error>;
}

/// What to delete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expire {
    /// Of what.
    pub what: Expiring,
    /// Events are looked at from above this one.
    pub after: EventSeq,
    /// At most so many are looked at (from 1).
    pub limit: usize,
}

/// What is old.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expiring {
    /// Events accepted before, with their deliveries, attempts, and producers' ids.
    Events {
        /// When they are old.
        before: Timestamp,
        /// When those are that have missed deliveries.
        missed_before: Timestamp,
    },
    /// The oldest events accepted before, whatever became of them: to make room. Only what gives space back at once.
    Oldest {
        /// Not those from here on.
        before: Timestamp,
    },
    /// Attempts for events accepted before; the deliveries stay.
    Attempts {
        /// When they are old.
        before: Timestamp,
    },
    /// Entries of the audit trail.
    Audit {
        /// When they are old.
        before: Timestamp,
    },
}

/// What was deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Expired {
    /// So many: events, deliveries that lost their attempts, or entries.
    pub gone: u64,
    /// Where to go on; `None` when there are no more.
    pub last: Option<EventSeq>,
}

/// How much a store holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Holdings {
    /// Bytes in use, all tables and indexes together.
    pub bytes: u64,
    /// When its oldest event was accepted.
    pub oldest: Option<Timestamp>,
}
