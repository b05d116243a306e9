//! `GET /event/`

use axum::extract::OriginalUri;
use axum::response::Response;
use resthooks::model::{AccountId, EventId, EventName, SequencedEvent, Timestamp, Uid};
use resthooks::store::{EventFilter, Page};
use resthooks::{Hooks, List};
use serde::Deserialize;
use utoipa::IntoParams;

use super::resource::Resource;
use crate::caller::Asker;
use crate::page::{Cursor, Limit, Listing, listing, page};
use crate::problem::Problem;
use crate::query::{Query, text, value};

/// The most bytes of `data` in one answer: a page that would hold more ends early.
const MAX_PAGE_BYTES: usize = 8 * 1024 * 1024;
/// How many events are read before their size is known.
const FIRST_STEP: usize = 16;

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// Only this account's. A consumer may leave it out.
    #[serde(deserialize_with = "text")]
    #[param(value_type = Option<String>)]
    account: Option<AccountId>,
    /// Only those of this type.
    #[serde(deserialize_with = "text")]
    #[param(value_type = Option<String>)]
    event: Option<EventName>,
    /// Only those that happened at or after this moment.
    #[serde(deserialize_with = "value")]
    #[param(value_type = Option<String>, format = DateTime)]
    since: Option<Timestamp>,
    /// Only those that happened before this moment.
    #[serde(deserialize_with = "value")]
    #[param(value_type = Option<String>, format = DateTime)]
    until: Option<Timestamp>,
    /// How many items to answer at most.
    #[serde(deserialize_with = "text")]
    #[param(value_type = Option<u16>, minimum = 1, maximum = 250, default = 50)]
    limit: Option<Limit>,
    /// Where to go on: the `next_cursor` of an earlier answer.
    #[serde(deserialize_with = "text")]
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor<EventCursor>>,
}

/// The unique part of an event's id, which every event has, also one with an id of its producer's.
#[derive(Debug, Clone, Copy)]
struct EventCursor(Uid);

impl std::str::FromStr for EventCursor {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        text.parse::<EventId>().ok().and_then(|id| id.as_generated()).map(Self).ok_or(())
    }
}

/// List events
///
/// Newest first. A page whose events would be larger than 8 MiB together ends early: go on with its cursor.
#[utoipa::path(
    get, path = "/event/", operation_id = "list_events", tag = "event",
    params(ListQuery),
    responses((status = 200, description = "A part of the list.", body = Listing<Resource<'static>>)),
)]
pub(crate) async fn list(
    asker: Asker,
    uri: OriginalUri,
    Query(query): Query<ListQuery>,
) -> Result<Response, Problem> {
    let scope = asker.scope(query.account)?;
    let account = scope.account().cloned();
    let filter = EventFilter { account, event: query.event, since: query.since, until: query.until };
    let cursor = query.cursor.map(|cursor| Cursor(cursor.0.0));
    let found = gather(&asker.hooks, &filter, page(query.limit, cursor)).await?;
    let next = found.next.map(|uid| EventId::generated(uid).to_string());
    let data = found.items.iter().map(|item| Resource::of(&item.event)).collect::<Result<_, _>>()?;
    Ok(listing(&uri, data, next))
}

/// Reads a page in steps, the later ones as large as the first ones let expect: events may be of any size up to a
/// mebibyte, and a whole page of the largest must never be in memory.
async fn gather(
    hooks: &Hooks,
    filter: &EventFilter,
    wanted: Page<Uid>,
) -> Result<List<SequencedEvent, Uid>, Problem> {
    let mut found = List { items: Vec::new(), next: wanted.after };
    let mut step = FIRST_STEP.min(wanted.limit);
    loop {
        let part = hooks.events(filter.clone(), Page { after: found.next, limit: step }).await?;
        found.items.extend(part.items);
        found.next = part.next;
        if let Some(last) = cut(&mut found.items, MAX_PAGE_BYTES) {
            found.next = Some(last);
            return Ok(found);
        }
        let left = wanted.limit - found.items.len();
        if found.next.is_none() || left == 0 {
            return Ok(found);
        }
        let bytes: usize = found.items.iter().map(|item| item.event.data.len()).sum();
        let average = (bytes / found.items.len().max(1)).max(1);
        step = ((MAX_PAGE_BYTES - bytes) / average).clamp(1, left);
    }
}

/// Shortens a page to what fits, but to no less than one event; answers the last one left when it did.
fn cut(items: &mut Vec<SequencedEvent>, max_bytes: usize) -> Option<Uid> {
    let mut total = 0;
    let fits = items.iter().take_while(|item| {
        total += item.event.data.len();
        total <= max_bytes
    });
    let kept = fits.count().max(1);
    if kept >= items.len() {
        return None;
    }
    items.truncate(kept);
    items.last().map(|item| item.event.uid)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use resthooks::model::{Event, EventSeq};

    use super::*;

    fn event(number: u8, bytes: usize) -> SequencedEvent {
        let uid = Uid::new(Timestamp::from_millis(1), number.into());
        let event = Event {
            uid,
            id: EventId::generated(uid),
            account: "x".parse().unwrap(),
            event: "a.b".parse().unwrap(),
            created_at: Timestamp::from_millis(1),
            data: vec![b'1'; bytes].into(),
            resource_url: None,
            order_key: None,
            debounce_key: None,
            digest: None,
            matched: Vec::new(),
        };
        SequencedEvent { seq: EventSeq(number.into()), event: Arc::new(event) }
    }

    #[test]
    fn a_page_is_bounded_in_bytes() {
        let mut items = vec![event(3, 5), event(2, 5), event(1, 5)];
        assert_eq!(cut(&mut items, 15), None);
        assert_eq!(cut(&mut items, 14), Some(event(2, 5).event.uid));
        assert_eq!(items.len(), 2);
        assert_eq!(cut(&mut items, 1), Some(event(3, 5).event.uid));
        assert_eq!(items.len(), 1);
        assert_eq!(cut(&mut Vec::new(), 1), None);
    }
}
