//! Emitting events and reading them back.

use std::collections::HashSet;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::oneshot;

use crate::error::Error;
use crate::hooks::{Hooks, List, Scope};
use crate::ingest::{Append, Origin, checked};
use crate::limits::{MAX_BATCH_EVENTS, MAX_PAGE};
use crate::model::{
    AccountId, Delivery, Event, EventId, EventName, Match, SequencedEvent, SubscriptionId, Timestamp, Uid,
};
use crate::options::EventTypes;
use crate::store::{EventFilter, Page, Prior};

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

impl NewEvent {
    /// An event with no more than it must have.
    #[must_use]
    pub const fn new(account: AccountId, event: EventName, data: Bytes) -> Self {
        Self {
            event,
            account,
            data,
            id: None,
            resource_url: None,
            order_key: None,
            debounce_key: None,
            created_at: None,
        }
    }
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

impl Accepted {
    /// The answer for an event that has just been appended.
    pub(crate) fn of(event: &Event) -> Self {
        Self {
            id: event.id.clone(),
            event: event.event.clone(),
            account: event.account.clone(),
            created_at: event.created_at,
            matched: event.matched.len(),
        }
    }

    /// The answer for an event that was appended before.
    pub(crate) fn again(event: &Event, prior: &Prior) -> Self {
        Self { created_at: prior.created_at, matched: prior.matched, ..Self::of(event) }
    }
}

impl Hooks {
    /// Emits an event whose data is anything that serialises: durable when this answers, delivered behind it.
    ///
    /// # Errors
    /// As [`Hooks::emit_event`]; [`Error::Invalid`] too when a name is no name or the data does not serialise.
    pub async fn emit<T: serde::Serialize + ?Sized>(
        &self,
        account: &str,
        event: &str,
        data: &T,
    ) -> Result<Accepted, Error> {
        let data =
            serde_json::to_vec(data).map_err(|e| Error::field("data", format!("can't be JSON: {e}")))?;
        let account = account.parse().map_err(Error::at("account"))?;
        let event = event.parse().map_err(Error::at("event"))?;
        self.append(vec![NewEvent::new(account, event, data.into())], |_| String::new())
            .await?
            .pop()
            .ok_or_else(empty)
    }

    /// Emits an event: durable when this answers, delivered behind it. `data` must be valid JSON.
    ///
    /// # Errors
    /// [`Error::Invalid`], [`Error::TooLarge`], [`Error::UnknownEventType`]; [`Error::Conflict`]
    /// (`idempotency_conflict`) when the id was given with another body; [`Error::Unavailable`] when it can't be
    /// made durable.
    pub async fn emit_event(&self, event: NewEvent) -> Result<Accepted, Error> {
        self.append(vec![event], |_| String::new()).await?.pop().ok_or_else(empty)
    }

    /// Emits up to 1,000 events, all or none. Field names in errors begin with the event's place: `[3].data`.
    ///
    /// # Errors
    /// As [`Hooks::emit_event`].
    pub async fn emit_batch(&self, events: Vec<NewEvent>) -> Result<Vec<Accepted>, Error> {
        if events.len() > MAX_BATCH_EVENTS {
            return Err(Error::field("", format!("must hold at most {MAX_BATCH_EVENTS} events")));
        }
        let mut ids = HashSet::new();
        for (place, event) in events.iter().enumerate() {
            if let Some(id) = &event.id
                && !ids.insert((&event.account, id))
            {
                return Err(Error::field(format!("[{place}].id"), "must not occur twice in one batch"));
            }
        }
        if events.is_empty() {
            return Ok(Vec::new());
        }
        self.append(events, |place| format!("[{place}].")).await
    }

    /// Judges an event as [`Hooks::emit_event`] would, and does nothing with it: for those who emit it in a transaction
    /// of their own. One whose type registers itself is judged without it.
    ///
    /// # Errors
    /// As [`Hooks::emit_event`], but for what only the store knows.
    pub fn check_event(&self, event: &NewEvent) -> Result<(), Error> {
        let core = self.core();
        if core.options.event_types == EventTypes::Auto && core.catalog.get(&event.event).is_none() {
            return Ok(());
        }
        let now = core.options.clock.now();
        checked(event.clone(), &core.catalog, &*core.options.random, now, "").map(drop)
    }

    /// The statement that emits an event within a transaction on the store's own database; see
    /// [`Nodes::emit_statement`](crate::store::Nodes::emit_statement). `None` when the store has no such thing.
    #[must_use]
    pub fn emit_statement(&self) -> Option<String> {
        self.core().store.emit_statement()
    }

    async fn append(
        &self,
        new: Vec<NewEvent>,
        prefix: impl Fn(usize) -> String,
    ) -> Result<Vec<Accepted>, Error> {
        let core = &self.core();
        if core.options.event_types == EventTypes::Auto {
            for event in &new {
                if core.catalog.get(&event.event).is_none() {
                    core.register_on_first_use(&event.event, self.actor()).await?;
                }
            }
        }
        let now = core.options.clock.now();
        let check = |(place, new)| checked(new, &core.catalog, &*core.options.random, now, &prefix(place));
        let events = new.into_iter().enumerate().map(check).collect::<Result<Vec<_>, _>>()?;
        let (reply, answer) = oneshot::channel();
        core.writer.append(Append { events, origin: Origin::Call, reply })?;
        answer.await.unwrap_or_else(|_| {
            let detail = "the engine stopped".to_owned();
            Err(Error::Unavailable { retry_after: Duration::from_secs(1), detail })
        })
    }

    /// One event. A provider that names no account gets it when the id is only one account's.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Conflict`] (`ambiguous_id`) when several accounts have it.
    pub async fn event(&self, scope: &Scope, id: &EventId) -> Result<SequencedEvent, Error> {
        let mut found = self.core().store.events_by_id(scope.account(), id).await?;
        if found.len() > 1 {
            let detail = format!("several accounts have an event {id}: name one by ?account=");
            return Err(Error::Conflict { code: "ambiguous_id", detail });
        }
        found.pop().ok_or(Error::NotFound)
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
        let limit = page.limit.clamp(1, MAX_PAGE);
        let page = Page { after: page.after, limit: limit + 1 };
        let items = self.core().store.list_events(&filter, page).await?;
        Ok(List::cut(items, limit, |item| item.event.uid))
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
        let event = self.event(scope, id).await?;
        let limit = page.limit.clamp(1, MAX_PAGE);
        let after = match page.after {
            Some(id) => self.core().store.subscription(id).await?.map(|subscription| subscription.no),
            None => None,
        };
        let matched = event.event.matched.iter().filter(|m| after.is_none_or(|no| m.subscription > no));
        let wanted: Vec<Match> = matched.take(limit + 1).copied().collect();
        let items = self.core().deliveries_of(&event, &wanted).await?;
        Ok(List::cut(items, limit, Delivery::subscription))
    }
}

fn empty() -> Error {
    Error::Internal("an accepted event has no answer".to_owned())
}
