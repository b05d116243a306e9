//! The catalogue's entries.

use serde::{Deserialize, Serialize};

use super::{EventName, Timestamp};

/// A type of event that a provider emits, and what its payload looks like.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EventType {
    /// `noun.verb`.
    pub name: EventName,
    /// For humans.
    #[serde(default)]
    pub description: Option<String>,
    /// JSON Schema 2020-12 that every event's `data` is validated against.
    #[serde(default)]
    pub schema: Option<serde_json::Value>,
    /// An example of `data`.
    #[serde(default)]
    pub sample: Option<serde_json::Value>,
    /// Where a resource of this type can be read: a template over top-level fields of `data`, such as
    /// `https://api.example.com/contacts/{id}`. Used by skinny payloads.
    #[serde(default)]
    pub resource_url: Option<String>,
    /// No longer offered: new events of it are refused, old subscriptions stay.
    #[serde(default)]
    pub archived: bool,
    /// When it was registered.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}
