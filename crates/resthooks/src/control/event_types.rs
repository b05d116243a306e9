//! The catalogue of event types.

use crate::error::Error;
use crate::hooks::{Hooks, List, Scope};
use crate::model::{EventName, EventType};
use crate::store::Page;

/// What an event type is registered with.
#[derive(Debug, Clone, Default)]
pub struct EventTypeInput {
    /// For humans.
    pub description: Option<String>,
    /// JSON Schema 2020-12.
    pub schema: Option<serde_json::Value>,
    /// An example of `data`; must fit the schema.
    pub sample: Option<serde_json::Value>,
    /// A template over top-level fields of `data`.
    pub resource_url: Option<String>,
    /// No longer offered.
    pub archived: bool,
}

impl Hooks {
    /// Registers an event type.
    ///
    /// # Errors
    /// [`Error::Conflict`] (`already_exists`) when the name is taken; [`Error::Invalid`].
    pub async fn create_event_type(
        &self,
        name: EventName,
        input: EventTypeInput,
    ) -> Result<EventType, Error> {
        todo!()
    }

    /// Registers or replaces an event type; whether it is new.
    ///
    /// # Errors
    /// [`Error::Invalid`].
    pub async fn put_event_type(
        &self,
        name: EventName,
        input: EventTypeInput,
    ) -> Result<(EventType, bool), Error> {
        todo!()
    }

    /// One event type.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub fn event_type(&self, name: &EventName) -> Result<EventType, Error> {
        todo!()
    }

    /// Event types, ascending by name; the cursor is the last name of the page before.
    #[must_use]
    pub fn event_types(&self, page: Page<EventName>) -> List<EventType, EventName> {
        todo!()
    }

    /// Deletes an event type. Its events and subscriptions stay.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn delete_event_type(&self, name: &EventName) -> Result<(), Error> {
        todo!()
    }

    /// Bodies in the shape in which this type is delivered: the scope's latest real events (at most 3), else the
    /// type's sample, else none. Each is the text of one JSON body.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn event_type_samples(&self, scope: &Scope, name: &EventName) -> Result<Vec<String>, Error> {
        todo!()
    }
}
