//! What an event type looks like.

use resthooks::model::{EventName, EventType, Timestamp};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// A type of event that the provider emits.
#[derive(Serialize, ToSchema)]
#[schema(as = EventType)]
pub(crate) struct Resource {
    /// `noun.verb`.
    #[schema(value_type = String, example = "contact.create")]
    name: EventName,
    /// For humans.
    #[schema(required = true)]
    description: Option<String>,
    /// The JSON Schema (2020-12) that every event's `data` fits.
    #[schema(required = true)]
    schema: Option<Value>,
    /// An example of `data`.
    #[schema(required = true)]
    sample: Option<Value>,
    /// Where a resource of this type can be read: a template over the top-level fields of `data`.
    #[schema(required = true, example = "https://api.example.com/contacts/{id}")]
    resource_url: Option<String>,
    /// No longer offered: new events of it are refused, subscriptions to it stay.
    archived: bool,
    /// When it was registered.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it was last changed.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

impl From<EventType> for Resource {
    fn from(event_type: EventType) -> Self {
        let EventType { name, description, schema, sample, resource_url, archived, created_at, updated_at } =
            event_type;
        Self { name, description, schema, sample, resource_url, archived, created_at, updated_at }
    }
}
