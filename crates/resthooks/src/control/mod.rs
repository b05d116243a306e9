//! What callers manage: subscriptions, event types, API keys, accounts. Each change goes to the store first and to
//! memory after it; nothing here sends a hook.

mod accounts;
mod event_types;
mod keys;
mod subscriptions;

pub use event_types::EventTypeInput;
pub use keys::NewKey;
pub use subscriptions::{NewSubscription, SubscriptionChange, SubscriptionView};

/// Orders changes: a change is read, judged, stored and shown in memory before the next one begins.
#[derive(Debug, Default)]
pub(crate) struct ControlState {
    pub(crate) changes: tokio::sync::Mutex<()>,
}
