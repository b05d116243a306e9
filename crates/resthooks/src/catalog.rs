//! The event types in memory, with their compiled schemas.
//!
//! Written by the control plane after the store has the change; read by ingest (is it known, does the data fit) and
//! by deliver (where the resource is read). Never does I/O, and holds no lock while data is judged.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, PoisonError, RwLock};

use crate::error::FieldError;
use crate::model::{EventName, EventType};
use crate::resource_url::ResourceUrl;
use crate::schema::Schema;

/// An event type, with what judging and rendering its events needs.
#[derive(Debug)]
pub(crate) struct Entry {
    /// As it is stored.
    pub(crate) event_type: EventType,
    schema: Option<Schema>,
    resource_url: Option<ResourceUrl>,
}

impl Entry {
    /// Compiles what an event type holds; every part that can't be is named.
    pub(crate) fn compile(event_type: EventType) -> Result<Self, Vec<FieldError>> {
        let mut wrong = Vec::new();
        let schema = event_type.schema.as_ref().map(Schema::compile).transpose();
        let schema = schema.unwrap_or_else(|invalid| {
            wrong.push(FieldError::new("schema", invalid.0));
            None
        });
        let resource_url = event_type.resource_url.as_deref().map(ResourceUrl::parse).transpose();
        let resource_url = resource_url.unwrap_or_else(|invalid| {
            wrong.push(FieldError::new("resource_url", invalid.0));
            None
        });
        if let (Some(schema), Some(sample)) = (&schema, &event_type.sample)
            && let Err(message) = schema.check(sample)
        {
            wrong.push(FieldError::new("sample", format!("must fit the schema: {message}")));
        }
        if wrong.is_empty() { Ok(Self { event_type, schema, resource_url }) } else { Err(wrong) }
    }

    /// For a stored type that was accepted once. A part that this version can't compile any more is left out and
    /// logged: to refuse its events, or to start, would lose what producers emit, and the type can be mended.
    pub(crate) fn lenient(event_type: EventType) -> Self {
        let name = &event_type.name;
        let compiled = event_type.schema.as_ref().map(Schema::compile).transpose();
        let schema = compiled.unwrap_or_else(|error| {
            tracing::error!(event_type = %name, %error, "stored schema does not compile: events are not validated");
            None
        });
        let parsed = event_type.resource_url.as_deref().map(ResourceUrl::parse).transpose();
        let resource_url = parsed.unwrap_or_else(|error| {
            tracing::error!(event_type = %name, %error, "stored resource_url is no template: it is left out");
            None
        });
        Self { event_type, schema, resource_url }
    }

    /// Judges an event's data; free when the type has no schema.
    ///
    /// # Errors
    /// Where it does not fit, and what was expected there.
    pub(crate) fn check(&self, data: &[u8]) -> Result<(), String> {
        self.schema.as_ref().map_or(Ok(()), |schema| schema.check_text(data))
    }

    /// Where the resource of this data can be read, when the type says so and the data has the fields.
    pub(crate) fn resource_url(&self, data: &[u8]) -> Option<String> {
        self.resource_url.as_ref()?.render(data)
    }
}

/// All event types, by name.
#[derive(Debug, Default)]
pub(crate) struct Catalog(RwLock<BTreeMap<EventName, Arc<Entry>>>);

impl Catalog {
    /// From what is stored.
    pub(crate) fn load(event_types: Vec<EventType>) -> Self {
        let entries = event_types.into_iter().map(|t| (t.name.clone(), Arc::new(Entry::lenient(t))));
        Self(RwLock::new(entries.collect()))
    }

    /// One type.
    pub(crate) fn get(&self, name: &EventName) -> Option<Arc<Entry>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(name).map(Arc::clone)
    }

    /// Up to `limit` types that come after this name, ascending.
    pub(crate) fn after(&self, name: Option<&EventName>, limit: usize) -> Vec<Arc<Entry>> {
        let start = name.map_or(Bound::Unbounded, Bound::Excluded);
        let entries = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let range = entries.range::<EventName, _>((start, Bound::Unbounded));
        range.take(limit).map(|(_, entry)| Arc::clone(entry)).collect()
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.0.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Puts a type in the place of its former version.
    pub(crate) fn put(&self, entry: Arc<Entry>) {
        let name = entry.event_type.name.clone();
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(name, entry);
    }

    /// Takes a type out.
    pub(crate) fn remove(&self, name: &EventName) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).remove(name);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::model::Timestamp;

    fn event_type(name: &str, schema: Option<Value>) -> EventType {
        EventType {
            name: name.parse().unwrap(),
            description: None,
            schema,
            sample: None,
            resource_url: Some("https://x.example/{id}".to_owned()),
            archived: false,
            created_at: Timestamp::EPOCH,
            updated_at: Timestamp::EPOCH,
        }
    }

    #[test]
    fn names_every_part_that_is_wrong() {
        let mut wrong = event_type("a.b", Some(json!({"type": "integer"})));
        wrong.sample = Some(json!("x"));
        wrong.resource_url = Some("/x".to_owned());
        let fields: Vec<String> =
            Entry::compile(wrong.clone()).unwrap_err().into_iter().map(|e| e.field).collect();
        assert_eq!(fields, ["resource_url", "sample"]);
        wrong.schema = Some(json!({"type": 1}));
        let fields: Vec<String> = Entry::compile(wrong).unwrap_err().into_iter().map(|e| e.field).collect();
        assert_eq!(fields, ["schema", "resource_url"]);
    }

    #[test]
    fn a_stored_type_that_no_longer_compiles_is_kept_without_its_schema() {
        let mut broken = event_type("a.b", Some(json!({"type": 1})));
        broken.resource_url = Some("{".to_owned());
        let catalog = Catalog::load(vec![broken, event_type("a.c", Some(json!({"type": "object"})))]);
        let broken = catalog.get(&"a.b".parse().unwrap()).unwrap();
        assert_eq!(broken.check(b"\"anything\""), Ok(()));
        assert_eq!(broken.resource_url(b"{}"), None);
        let sound = catalog.get(&"a.c".parse().unwrap()).unwrap();
        assert!(sound.check(b"1").is_err());
        assert_eq!(sound.resource_url(br#"{"id": 1}"#).unwrap(), "https://x.example/1");
    }

    #[test]
    fn pages_by_name() {
        let names = ["c.d", "a.b", "b.c"];
        let catalog = Catalog::load(names.into_iter().map(|name| event_type(name, None)).collect());
        let page = |after: Option<&str>, limit| -> Vec<String> {
            let after = after.map(|name| name.parse().unwrap());
            let entries = catalog.after(after.as_ref(), limit);
            entries.iter().map(|entry| entry.event_type.name.to_string()).collect()
        };
        assert_eq!(page(None, 2), ["a.b", "b.c"]);
        assert_eq!(page(Some("b.c"), 2), ["c.d"]);
        assert_eq!(page(Some("b.absent"), 2), ["b.c", "c.d"]);
        catalog.remove(&"a.b".parse().unwrap());
        assert_eq!((catalog.len(), page(None, 9).len()), (2, 2));
    }
}
