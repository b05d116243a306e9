//! The vocabulary: plain values that every other module speaks in.
//!
//! Nothing here does I/O, reads a clock or knows a store. One word per thing: account, event type, subscription,
//! event, delivery, attempt.

mod account;
mod attempt;
mod audit;
mod credential;
mod delivery;
mod duration;
mod event;
mod event_type;
mod id;
mod intent;
mod key;
mod key_scope;
mod name;
mod node;
mod secret;
mod signature;
mod signing_key;
mod subscription;
mod target;
mod terms;
mod timestamp;

pub use account::AccountSettings;
pub use attempt::{Attempt, ErrorClass};
pub use audit::{Actor, AuditAction, AuditEntry};
pub use credential::{is_answered_credential, is_credential};
pub use delivery::{Delivery, DeliveryKey, DeliveryStatus};
pub use duration::{format_duration, parse_duration};
pub use event::{Event, EventSeq, Match, SequencedEvent};
pub use event_type::EventType;
pub use id::{AuditId, DeliveryId, EventId, KeyId, SubscriptionId, Uid};
pub use intent::{Grant, Handshake, HandshakeSecret, Intent};
pub use key::{Access, ApiKey, KeyHash, KeyRole};
pub use key_scope::KeyScope;
pub use name::{AccountId, EventName, EventPattern};
pub use node::{Node, NodeNo, NodeStatus};
pub use secret::Secret;
pub use signature::Signature;
pub use signing_key::SigningKey;
pub use subscription::{
    Health, PayloadKind, PreviousSecret, Progress, Subscription, SubscriptionNo, SubscriptionStatus,
};
pub use target::TargetUrl;
pub use terms::{
    Batching, Debounce, DebounceKey, Mode, OnBlocked, Order, OrderBy, Per, PlanKey, RateLimit, Retry, Span,
    Statuses, Terms, TermsChange, Waits,
};
pub use timestamp::Timestamp;

/// Why a text is not a valid value of the type asked for. The message names what was expected and can be shown to
/// a caller.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Invalid(pub String);

impl Invalid {
    /// Builds one from anything that reads as text.
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}
