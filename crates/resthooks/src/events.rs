//! Emitting events and reading them back.

use bytes::Bytes;

use crate::error::Error;
use crate::hooks::{Hooks, List, Scope};
use crate::model::{
    AccountId, Delivery, Event, EventId, EventName, SequencedEvent, SubscriptionId, Timestamp, Uid,
};
use crate::store::{EventFilter, Page};

/// An event to emit.
#[derive(Debug, Clone)]
pub struct NewEvent {
    /// Its type.
    pub event: EventName,
    /// Whose it is.
    pub account: AccountId,
    /// One JSON value; delivered byte for byte.
    pub data: Bytes,
    /// The producer's own id, which makes the call repeatable.
    pub id: Option<EventId>,
    /// Where the resource can be read.
    pub resource_url: Option<String>,
    /// Keeps order among events with the same key.
    pub order_key: Option<String>,
    /// Of events with the same key, debounced subscriptions get the newest.
    pub debounce_key: Option<String>,
    /// When it happened; now when absent.
    pub created_at: Option<Timestamp>,
}

/// The answer to an event that is durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// The event's id.
    pub id: EventId,
    /// Its type.
    pub event: EventName,
    /// Whose it is.
    pub account: AccountId,
    /// When it happened.
    pub created_at: Timestamp,
    /// How many subscriptions it goes to.
    pub matched: usize,
}

impl Hooks {
    /// Emits an event: durable when this answers, delivered behind it.
    ///
    /// # Errors
    /// [`Error::Invalid`], [`Error::TooLarge`], [`Error::UnknownEventType`]; [`Error::Conflict`]
    /// (`idempotency_conflict`) when the id was given with another body; [`Error::Unavailable`] when it can't be
    /// made durable.
    pub async fn emit_event(&self, event: NewEvent) -> Result<Accepted, Error> {
        todo!()
    }

    /// Emits up to 1,000 events, all or none. Field names in errors begin with the event's place: `[3].data`.
    ///
    /// # Errors
    /// As [`Hooks::emit_event`].
    pub async fn emit_batch(&self, events: Vec<NewEvent>) -> Result<Vec<Accepted>, Error> {
        todo!()
    }

    /// One event. A provider that names no account gets it when the id is only one account's.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Conflict`] (`ambiguous_id`) when several accounts have it.
    pub async fn event(&self, scope: &Scope, id: &EventId) -> Result<SequencedEvent, Error> {
        todo!()
    }

    /// Events, newest first.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn events(
        &self,
        filter: EventFilter,
        page: Page<Uid>,
    ) -> Result<List<SequencedEvent, Uid>, Error> {
        todo!()
    }

    /// What became of an event for each subscription it matched, in the order of subscriptions; those without a row
    /// as pending.
    ///
    /// # Errors
    /// As [`Hooks::event`].
    pub async fn event_deliveries(
        &self,
        scope: &Scope,
        id: &EventId,
        page: Page<SubscriptionId>,
    ) -> Result<List<Delivery, SubscriptionId>, Error> {
        todo!()
    }
}
