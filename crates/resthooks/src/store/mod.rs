//! Where everything durable lives, as atomic intents.
//!
//! A store speaks of what is to happen, never of tables: the engine's write path and its recovery ([`Log`]), what
//! callers manage ([`Control`]), what they read back ([`History`]), what is deleted because it is old ([`Retention`]), and the nodes that share it ([`Nodes`]). Each method is one transaction: it happens
//! whole and durably before it answers, or not at all.
//!
//! A backend must never be called while one of its own transactions is open, holds none across two calls, and
//! judges nothing: which delivery is retried when, who may see what, and what a name may look like is decided
//! before it is asked.

pub mod coding;
mod control;
mod error;
mod history;
mod log;
mod nodes;
mod planned;
mod retention;
pub mod transfer;

pub use control::{
    AccountSummary, AuditFilter, Control, DeletedAccount, Snapshot, Standing, SubscriptionFilter,
};
pub use error::Error;
pub use history::{DeliveryFilter, EventFilter, History, Missed, Page};
pub use log::{
    Backlog, Batch, Claimed, Committed, LeaseDue, Leased, LeasedDelivery, Log, Position, Prior, Record,
    Reopen, Reopened, Settle, Shift, Unrecorded, Which,
};
pub use nodes::{
    Change, ChangeNo, Changes, Emitted, EmittedAsk, EmittedNo, Inherited, Joined, NewNode, Nodes,
    PlannedNews, Renewed,
};
pub use planned::{LeasePlanned, LeasedPlanned, MAX_PLAN_KEY, Pick, PlannedDelivery, PlannedRow};
pub use retention::{Expire, Expired, Expiring, Holdings, Retention};

/// The whole store.
pub trait Store: Log + Control + History + Nodes + Retention {}

impl<T: Log + Control + History + Nodes + Retention> Store for T {}
