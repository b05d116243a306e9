//! The claim check: what a subscription has missed, to be fetched, acknowledged or released.
//!
//! A delivery is missed when it was given up (`dead`). It stays so until whoever owns the subscription says that it has
//! what it needs, or wants it sent again. Nothing here sends: what is released goes the way of every retry.

use std::collections::HashSet;
use std::sync::Arc;

use crate::core::Core;
use crate::deliver::payload_of;
use crate::dispatch::Return;
use crate::error::{Error, FieldError};
use crate::hooks::{Hooks, List, Scope};
use crate::index::Live;
use crate::limits::{MAX_MISSED_IDS, MAX_PAGE};
use crate::model::{Delivery, DeliveryId, DeliveryStatus, EventSeq, SubscriptionId, Timestamp};
use crate::store::{DeliveryFilter, Page};

/// Once payloads of so many bytes are on a page, it ends: it is in memory as a whole.
const ENOUGH_BYTES: usize = 4 * 1024 * 1024;

/// A delivery that was given up, with what would be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissedDelivery {
    /// The delivery.
    pub delivery: Delivery,
    /// The body, byte for byte as it would be sent now.
    pub payload: Vec<u8>,
}

/// A part of what a subscription has missed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissedPage {
    /// The deliveries, newest first.
    pub items: Vec<MissedDelivery>,
    /// What to ask the next page with; `None` on the last one.
    pub next: Option<DeliveryId>,
    /// How many are missed in all.
    pub count: u64,
    /// When the event of the first of them happened.
    pub oldest: Option<Timestamp>,
}

/// Which missed deliveries something is done with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MissedChoice {
    /// All that there are by now.
    All,
    /// These. One that is not missed (any more) is passed over.
    These(Vec<DeliveryId>),
}

impl Hooks {
    /// What a subscription has missed, newest first. A page may be shorter than asked for when payloads are large.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn missed(
        &self,
        scope: &Scope,
        id: SubscriptionId,
        page: Page<DeliveryId>,
    ) -> Result<MissedPage, Error> {
        let core = self.core();
        let live = live(&core, scope, id).await?;
        let filter = DeliveryFilter {
            subscription: Some(live.subscription.no),
            status: Some(DeliveryStatus::Dead),
            ..DeliveryFilter::default()
        };
        let limit = page.limit.clamp(1, MAX_PAGE);
        let missed = core.store.missed(live.subscription.no).await?;
        let found = core.store.list_deliveries(&filter, Page { after: page.after, limit: limit + 1 }).await?;
        let List { items: found, mut next } = List::cut(found, limit, |delivery| delivery.id);
        let mut items: Vec<MissedDelivery> = Vec::with_capacity(found.len());
        let mut bytes = 0;
        for delivery in found {
            if bytes >= ENOUGH_BYTES {
                next = items.last().map(|last| last.delivery.id);
                break;
            }
            // Gone meanwhile: with it the delivery.
            let Some(event) = core.store.event_by_uid(delivery.id.event).await? else { continue };
            let payload = payload_of(&core.catalog, &live, &event.event);
            bytes += payload.len();
            items.push(MissedDelivery { delivery, payload });
        }
        Ok(MissedPage { items, next, count: missed.count, oldest: missed.oldest })
    }

    /// Ends missed deliveries: their owner has what it needs. They are `delivered` from then on; how many there were.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Invalid`] (`ids`).
    pub async fn acknowledge_missed(
        &self,
        scope: &Scope,
        id: SubscriptionId,
        choice: MissedChoice,
    ) -> Result<usize, Error> {
        let wanted = Return {
            from: vec![DeliveryStatus::Dead],
            to: DeliveryStatus::Delivered,
            reason: Some("acknowledged through the claim check"),
        };
        self.bring_back(scope, id, choice, wanted).await
    }

    /// Has missed deliveries sent again, in the order of their events, each with its first id and sequence and a schedule
    /// from its beginning; how many there are. While the subscription is paused or disabled they are held.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Invalid`] (`ids`).
    pub async fn release_missed(
        &self,
        scope: &Scope,
        id: SubscriptionId,
        choice: MissedChoice,
    ) -> Result<usize, Error> {
        let wanted = Return { from: vec![DeliveryStatus::Dead], to: DeliveryStatus::Scheduled, reason: None };
        self.bring_back(scope, id, choice, wanted).await
    }

    async fn bring_back(
        &self,
        scope: &Scope,
        id: SubscriptionId,
        choice: MissedChoice,
        wanted: Return,
    ) -> Result<usize, Error> {
        let core = self.core();
        let live = live(&core, scope, id).await?;
        let events = match choice {
            MissedChoice::All => None,
            MissedChoice::These(ids) => Some(events_of(&core, id, &ids).await?),
        };
        // In a task of its own: what was begun is done although the caller has gone away.
        let task = tokio::spawn(async move {
            match events {
                Some(events) => core.reopen_these(&live, &events, &wanted).await,
                None => core.reopen_all(&live, &wanted).await,
            }
        });
        task.await.map_err(|_| Error::Internal("bringing deliveries back broke off".to_owned()))?
    }
}

/// The subscription, unless it has ended.
async fn live(core: &Core, scope: &Scope, id: SubscriptionId) -> Result<Arc<Live>, Error> {
    let stored = core.store.subscription(id).await?.ok_or(Error::NotFound)?;
    scope.check(&stored.account)?;
    core.index.get(stored.no).ok_or(Error::NotFound)
}

/// The events of these deliveries of a subscription, in their order.
async fn events_of(core: &Core, of: SubscriptionId, ids: &[DeliveryId]) -> Result<Vec<EventSeq>, Error> {
    if ids.len() > MAX_MISSED_IDS {
        let message = format!("at most {MAX_MISSED_IDS} at once");
        return Err(Error::Invalid(vec![FieldError::new("ids", message)]));
    }
    let others = ids.iter().enumerate().filter(|(_, id)| id.subscription != of);
    let wrong: Vec<FieldError> = others
        .map(|(place, _)| FieldError::new(format!("ids[{place}]"), "is not a delivery of this subscription"))
        .collect();
    if !wrong.is_empty() {
        return Err(Error::Invalid(wrong));
    }
    let wanted: HashSet<_> = ids.iter().map(|id| id.event).collect();
    let mut events = Vec::with_capacity(wanted.len());
    for uid in wanted {
        events.extend(core.store.event_by_uid(uid).await?.map(|event| event.seq));
    }
    events.sort_unstable();
    Ok(events)
}
