//! REST Hooks for any HTTP API: webhook subscriptions that consumers manage through the API itself, and signed,
//! retried, never-lost delivery of every event to every matching subscription.
//!
//! This crate is the engine: no web framework, no SQL. An application opens a store, starts the engine, and emits.
//! What follows is the way of an event, in order.

// The words, the outside world, the durable side.
pub mod env;
pub mod model;
pub mod seal;
pub mod store;

// What callers ask through.
mod control;
mod deliveries;
mod error;
mod events;
mod hooks;
pub mod limits;
mod missed;
pub mod verify;

// The engine's memory.
mod account_settings;
mod catalog;
mod core;
mod index;
mod keyring;
mod resource_url;
mod schema;
pub mod stats;

// The way of an event: ingest → fan-out → dispatch → deliver → record.
pub mod deliver;
mod dispatch;
mod ingest;
mod record;

// Starting and stopping; and what nodes that share a store have to do with each other.
mod engine;
mod membership;
mod options;
mod retention;

pub use control::{
    Admitted, EventTypeInput, IntentChoice, KeyInput, KeyRefused, NewKey, NewSubscription, SignatureChoice,
    SubscriptionChange, SubscriptionView,
};
pub use deliveries::DeliveryQuery;
pub use dispatch::Circuit;
pub use error::{Error, FieldError};
pub use events::{Accepted, NewEvent};
pub use hooks::{Hooks, List, Scope};
pub use missed::{MissedChoice, MissedDelivery, MissedPage};
pub use options::{EventTypes, Options, RetryPolicy};
pub use retention::RetentionPolicy;
