//! The catalogue of event types.

use std::sync::Arc;

use super::audit::changed_members;
use super::order::page_limit;
use super::validate::Findings;
use crate::catalog::Entry;
use crate::core::Core;
use crate::error::Error;
use crate::hooks::{Hooks, List};
use crate::limits::{MAX_DESCRIPTION_BYTES, MAX_EVENT_TYPES, MAX_SAMPLE_BYTES, MAX_SCHEMA_BYTES};
use crate::model::{Actor, AuditAction, AuditEntry, EventName, EventType, Timestamp};
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
        let entry = judge(name, input, self.core().options.clock.now())?;
        let actor = Arc::clone(self.actor());
        self.core()
            .in_order(|core| async move {
                let name = &entry.event_type.name;
                if core.catalog.get(name).is_some() {
                    let detail = format!("the event type {name} is registered already");
                    return Err(Error::Conflict { code: "already_exists", detail });
                }
                let audit = core.audit(&actor, AuditAction::EventTypeCreated, name, None);
                core.store_event_type(entry, Some(&audit)).await.map(|entry| entry.event_type.clone())
            })
            .await
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
        let mut entry = judge(name, input, self.core().options.clock.now())?;
        let actor = Arc::clone(self.actor());
        self.core()
            .in_order(|core| async move {
                let former = core.catalog.get(&entry.event_type.name);
                if let Some(former) = &former {
                    entry.event_type.created_at = former.event_type.created_at;
                }
                let audit = core.audit_event_type(&actor, former.as_deref(), &entry.event_type);
                let stored = core.store_event_type(entry, audit.as_ref()).await?;
                Ok((stored.event_type.clone(), former.is_none()))
            })
            .await
    }

    /// One event type.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub fn event_type(&self, name: &EventName) -> Result<EventType, Error> {
        self.core().catalog.get(name).map(|entry| entry.event_type.clone()).ok_or(Error::NotFound)
    }

    /// Event types, ascending by name; the cursor is the last name of the page before.
    #[must_use]
    pub fn event_types(&self, page: Page<EventName>) -> List<EventType, EventName> {
        let limit = page_limit(page.limit);
        let found = self.core().catalog.after(page.after.as_ref(), limit + 1);
        let types = found.iter().map(|entry| entry.event_type.clone()).collect();
        List::cut(types, limit, |event_type: &EventType| event_type.name.clone())
    }

    /// Deletes an event type. Its events and subscriptions stay.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn delete_event_type(&self, name: &EventName) -> Result<(), Error> {
        let (name, actor) = (name.clone(), Arc::clone(self.actor()));
        self.core()
            .in_order(|core| async move {
                let audit = core.audit(&actor, AuditAction::EventTypeDeleted, &name, None);
                let there = core.store.delete_event_type(&name, Some(&audit)).await?;
                core.catalog.remove(&name);
                if there { Ok(()) } else { Err(Error::NotFound) }
            })
            .await
    }
}

impl Core {
    /// Registers a type with its first event, when unregistered ones are welcome; durable before the event is. Any
    /// number of first events may come at once. In the trail it is a change by who emitted.
    ///
    /// # Errors
    /// When the store can't be written, or there are too many types.
    pub(crate) async fn register_on_first_use(
        self: &Arc<Self>,
        name: &EventName,
        actor: &Arc<Actor>,
    ) -> Result<Arc<Entry>, Error> {
        if let Some(entry) = self.catalog.get(name) {
            return Ok(entry);
        }
        let entry = judge(name.clone(), EventTypeInput::default(), self.options.clock.now())?;
        let actor = Arc::clone(actor);
        self.in_order(|core| async move {
            let name = &entry.event_type.name;
            if let Some(entry) = core.catalog.get(name) {
                return Ok(entry);
            }
            let audit = core.audit(&actor, AuditAction::EventTypeCreated, name, None);
            let audit = audit.because("registered with its first event");
            core.store_event_type(entry, Some(&audit)).await
        })
        .await
    }

    /// What the trail says of a type that is put in the place of another, or of none: nothing, when they are the same.
    fn audit_event_type(&self, actor: &Actor, former: Option<&Entry>, now: &EventType) -> Option<AuditEntry> {
        let Some(former) = former else {
            return Some(self.audit(actor, AuditAction::EventTypeCreated, &now.name, None));
        };
        let changed = changed_members(&former.event_type, now);
        let entry = || self.audit(actor, AuditAction::EventTypeUpdated, &now.name, None).changing(&changed);
        (!changed.is_empty()).then(entry)
    }

    /// Stores and shows a type. Within a change's turn only.
    async fn store_event_type(&self, entry: Entry, audit: Option<&AuditEntry>) -> Result<Arc<Entry>, Error> {
        if self.catalog.len() >= MAX_EVENT_TYPES && self.catalog.get(&entry.event_type.name).is_none() {
            let detail = format!("there are {MAX_EVENT_TYPES} event types already");
            return Err(Error::Conflict { code: "too_many_event_types", detail });
        }
        self.store.put_event_type(&entry.event_type, audit).await?;
        let entry = Arc::new(entry);
        self.catalog.put(Arc::clone(&entry));
        Ok(entry)
    }
}

/// Judges what a type is registered with, and compiles it: of schema and sample, what is within bounds.
fn judge(name: EventName, input: EventTypeInput, now: Timestamp) -> Result<Entry, Error> {
    let mut findings = Findings::default();
    findings.check_text("description", input.description.as_deref(), MAX_DESCRIPTION_BYTES);
    let schema_fits = findings.check_json("schema", input.schema.as_ref(), MAX_SCHEMA_BYTES);
    let sample_fits = findings.check_json("sample", input.sample.as_ref(), MAX_SAMPLE_BYTES);
    let compiled = Entry::compile(EventType {
        name,
        description: input.description,
        schema: input.schema.filter(|_| schema_fits),
        sample: input.sample.filter(|_| sample_fits),
        resource_url: input.resource_url,
        archived: input.archived,
        created_at: now,
        updated_at: now,
    });
    match compiled {
        Ok(entry) => findings.into_result().map(|()| entry),
        Err(wrong) => Err(findings.with(wrong)),
    }
}
