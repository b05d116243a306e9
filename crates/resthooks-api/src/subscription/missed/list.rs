//! `GET /subscription/:id/missed/`

use axum::extract::OriginalUri;
use axum::response::Response;
use resthooks::MissedDelivery;
use resthooks::model::{AccountId, DeliveryId, SubscriptionId, Timestamp};
use serde::Deserialize;
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};

use crate::caller::Asker;
use crate::delivery::resource;
use crate::id::Id;
use crate::page::{Cursor, Limit, linked, page};
use crate::problem::Problem;
use crate::query::{Query, text};

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// Whose it is. A consumer may leave it out, and finds nothing under another account than its own.
    #[serde(deserialize_with = "text")]
    #[param(value_type = Option<String>)]
    account: Option<AccountId>,
    /// How many items to answer at most.
    #[serde(deserialize_with = "text")]
    #[param(value_type = Option<u16>, minimum = 1, maximum = 250, default = 50)]
    limit: Option<Limit>,
    /// Where to go on: the `next_cursor` of an earlier answer.
    #[serde(deserialize_with = "text")]
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor<DeliveryId>>,
}

/// A delivery that was given up, with its payload.
#[derive(Serialize, ToSchema)]
#[schema(as = MissedDelivery)]
pub(crate) struct Missed<'a> {
    #[serde(flatten)]
    delivery: resource::Resource<'a>,
    /// The body, byte for byte as it would be sent now; one that is not JSON as a string.
    #[schema(value_type = serde_json::Value,
        example = json!({"id": "evt_1", "type": "contact.create", "timestamp": "2026-01-02T03:04:05.678Z",
            "data": {"id": 7}, "hook": {"id": "sub_1", "event": "contact.create", "target": "https://example.com/"}}))]
    payload: Box<RawValue>,
}

impl<'a> Missed<'a> {
    fn of(missed: &'a MissedDelivery) -> Result<Self, Problem> {
        let text = String::from_utf8_lossy(&missed.payload);
        let payload = RawValue::from_string(text.to_string())
            .or_else(|_| serde_json::value::to_raw_value(&text))
            .map_err(|_| resthooks::Error::Internal("a payload can't be shown".to_owned()))?;
        Ok(Self { delivery: resource::Resource::of(&missed.delivery), payload })
    }
}

/// A part of what a subscription has missed.
#[derive(Serialize, ToSchema)]
#[schema(as = MissedDeliveries)]
pub(crate) struct Part<'a> {
    /// The deliveries, newest first.
    data: Vec<Missed<'a>>,
    /// What to ask for the next part with, as `?cursor=`; `null` at the end.
    #[schema(required = true)]
    next_cursor: Option<String>,
    /// How many there are in all.
    #[schema(example = 3)]
    count: u64,
    /// When the event of the first of them happened.
    #[schema(value_type = Option<String>, format = DateTime, required = true)]
    oldest: Option<Timestamp>,
}

/// List what a subscription has missed
///
/// The claim check: every delivery that was given up (`dead`), newest first, each with the payload that it would have
/// had, so that a receiver that was away can fetch what it has missed. Deliveries stay here until they are acknowledged
/// (`POST …/missed/acknowledge/`) or released (`POST …/missed/release/`). A part ends early when its payloads are large:
/// there is more as long as `next_cursor` is not `null`.
#[utoipa::path(
    get, path = "/subscription/{id}/missed/", operation_id = "list_missed_deliveries", tag = "subscription",
    params(("id" = String, Path, description = "The subscription's id."), ListQuery),
    responses((status = 200, description = "A part of the list.", body = Part<'static>)),
)]
pub(crate) async fn list(
    asker: Asker,
    uri: OriginalUri,
    Id(id): Id<SubscriptionId>,
    Query(query): Query<ListQuery>,
) -> Result<Response, Problem> {
    let ListQuery { account, limit, cursor } = query;
    let scope = asker.scope(account)?;
    let found = asker.hooks.missed(&scope, id, page(limit, cursor)).await?;
    let data = found.items.iter().map(Missed::of).collect::<Result<_, _>>()?;
    let next_cursor = found.next.map(|id| id.to_string());
    let part = Part { data, next_cursor, count: found.count, oldest: found.oldest };
    Ok(linked(&uri, &part, part.next_cursor.as_deref()))
}
