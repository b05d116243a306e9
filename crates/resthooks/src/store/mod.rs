//! Where everything durable lives, as atomic intents.
//!
//! A store speaks of what is to happen, never of tables: the engine's write path and its recovery ([`Log`]), what
//! callers manage ([`Control`]) and what they read back ([`History`]). Each method is one transaction: it happens
//! whole and durably before it answers, or not at all.
//!
//! A backend must never be called while one of its own transactions is open, holds none across two calls, and
//! judges nothing: which delivery is retried when, who may see what, and what a name may look like is decided
//! before it is asked.

mod control;
mod error;
mod history;
mod log;

pub use control::{AccountSummary, Control, DeletedAccount, Snapshot, SubscriptionFilter};
pub use error::Error;
pub use history::{DeliveryFilter, EventFilter, History, Page};
pub use log::{
    Backlog, Batch, Committed, LeaseDue, Leased, LeasedDelivery, Log, Position, Prior, Record, Settle,
    Unrecorded,
};

/// The whole store.
pub trait Store: Log + Control + History {}

impl<T: Log + Control + History> Store for T {}
