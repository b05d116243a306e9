//! What an event type is registered with.

use resthooks::model::{EventName, EventType, Timestamp};
use resthooks::{EventTypeInput, FieldError};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::body::{Given, Value};
use crate::problem::Problem;

/// What an event type is registered with.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = EventTypeInput)]
pub(crate) struct Input {
    /// Two or more dot-separated segments of `[a-zA-Z0-9_]`, at most 128 characters. Needed to create one; else as
    /// in the path, or left out.
    #[schema(value_type = Option<String>, example = "contact.create")]
    #[serde(default)]
    name: Given<EventName>,
    /// For humans, at most 1 KiB.
    #[schema(value_type = Option<String>, example = "A contact was created.")]
    #[serde(default)]
    description: Given<String>,
    /// A JSON Schema (2020-12) that every event's `data` must fit, at most 256 KiB.
    #[schema(value_type = Option<serde_json::Value>, example = json!({"type": "object", "required": ["id"]}))]
    #[serde(default)]
    schema: Given<Value>,
    /// An example of `data`, at most 256 KiB; must fit the schema.
    #[schema(value_type = Option<serde_json::Value>, example = json!({"id": 1, "name": "Jane"}))]
    #[serde(default)]
    sample: Given<Value>,
    /// Where a resource of this type can be read: a template over the top-level fields of `data`. Skinny payloads
    /// use it.
    #[schema(value_type = Option<String>, example = "https://api.example.com/contacts/{id}")]
    #[serde(default)]
    resource_url: Given<String>,
    /// Takes no new events any more.
    #[schema(value_type = Option<bool>)]
    #[serde(default)]
    archived: Given<bool>,
    /// Ours to set. May be sent back as it was read, not changed.
    #[schema(value_type = Option<String>, format = DateTime, read_only)]
    #[serde(default)]
    created_at: Given<Timestamp>,
    /// Ours to set. May be sent back as it was read: when the type has been changed in the meantime, the request
    /// is refused.
    #[schema(value_type = Option<String>, format = DateTime, read_only)]
    #[serde(default)]
    updated_at: Given<Timestamp>,
}

impl Input {
    /// For a new one: nothing that only we set, and with a name.
    pub(crate) fn into_new(self) -> Result<(EventName, EventTypeInput), Problem> {
        let mut errors = self.read_only(None);
        if self.name.as_value().is_none() {
            errors.push(FieldError::new("name", "must be given"));
        }
        match (self.name.clone().value(), errors.is_empty()) {
            (Some(name), true) => Ok((name, self.into_input())),
            _ => Err(Problem::invalid(errors)),
        }
    }

    /// For the one that the path names, in place of the present one, if there is one.
    pub(crate) fn into_replacement(
        self,
        name: &EventName,
        present: Option<&EventType>,
    ) -> Result<EventTypeInput, Problem> {
        let mut errors = self.read_only(present);
        match &self.name {
            Given::Null => errors.push(FieldError::new("name", "must not be null")),
            Given::Value(other) if other != name => {
                errors.push(FieldError::new("name", "must be the one in the path: types can't be renamed"));
            }
            Given::Absent | Given::Value(_) => {}
        }
        if errors.is_empty() { Ok(self.into_input()) } else { Err(Problem::invalid(errors)) }
    }

    /// What only we set must be left out, or be what is there.
    fn read_only(&self, present: Option<&EventType>) -> Vec<FieldError> {
        let check = |field: &str, given: &Given<Timestamp>, at: Option<Timestamp>| {
            let fits = given.is_absent() || given.as_value().copied() == at && at.is_some();
            (!fits).then(|| FieldError::new(field, "is read-only and differs from what is there"))
        };
        let errors = [
            check("created_at", &self.created_at, present.map(|t| t.created_at)),
            check("updated_at", &self.updated_at, present.map(|t| t.updated_at)),
        ];
        errors.into_iter().flatten().collect()
    }

    fn into_input(self) -> EventTypeInput {
        EventTypeInput {
            description: self.description.value(),
            schema: self.schema.value().map(|value| value.0),
            sample: self.sample.value().map(|value| value.0),
            resource_url: self.resource_url.value(),
            archived: self.archived.value().unwrap_or(false),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::body::parse;

    #[test]
    fn what_was_read_can_be_sent_back() {
        let at = Timestamp::from_millis(1000);
        let present = EventType {
            name: "a.b".parse().unwrap(),
            description: None,
            schema: None,
            sample: None,
            resource_url: None,
            archived: true,
            created_at: at,
            updated_at: at,
        };
        let body = serde_json::to_vec(&present).unwrap();
        let input = parse::<Input>(&body).unwrap();
        assert!(input.into_replacement(&present.name, Some(&present)).unwrap().archived);
        let changed = EventType { updated_at: Timestamp::from_millis(2000), ..present.clone() };
        let refused = parse::<Input>(&body).unwrap().into_replacement(&present.name, Some(&changed));
        assert_eq!(refused.unwrap_err().errors()[0].field, "updated_at");
        let refused = parse::<Input>(&body).unwrap().into_new().unwrap_err();
        let fields: Vec<_> = refused.errors().iter().map(|e| e.field.as_str()).collect();
        assert_eq!(fields, ["created_at", "updated_at"]);
    }

    #[test]
    fn a_name_is_needed() {
        let refused = parse::<Input>(b"{}").unwrap().into_new().unwrap_err();
        assert_eq!(refused.errors()[0].field, "name");
        let name = "a.b".parse().unwrap();
        let renamed = parse::<Input>(br#"{"name":"a.c"}"#).unwrap().into_replacement(&name, None);
        assert_eq!(renamed.unwrap_err().errors()[0].field, "name");
    }
}
