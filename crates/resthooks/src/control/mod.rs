//! What callers manage: subscriptions, event types, API keys, accounts. Each change goes to the store first and to
//! memory after it; nothing here sends a hook.

mod account_settings;
mod accounts;
mod audit;
mod catch_up;
mod endings;
mod event_types;
mod headers;
mod intent;
mod key_input;
mod keys;
mod order;
mod rules;
mod samples;
mod signing;
mod subscriptions;
mod terms;
mod validate;

pub(crate) use accounts::resume_deletions;
pub use event_types::EventTypeInput;
pub use intent::IntentChoice;
pub(crate) use intent::{Agenda, IntentState, confirm};
pub use key_input::{KeyInput, NewKey};
pub(crate) use keys::save_key_uses;
pub use keys::{Admitted, KeyRefused};
pub(crate) use order::ControlState;
pub use signing::SignatureChoice;
pub use subscriptions::{NewSubscription, SubscriptionChange, SubscriptionView};
