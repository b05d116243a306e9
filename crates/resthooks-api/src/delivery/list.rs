//! `GET /delivery/`

use axum::extract::OriginalUri;
use axum::response::Response;
use resthooks::DeliveryQuery;
use resthooks::model::{
    AccountId, DeliveryId, DeliveryStatus, EventId, EventName, SubscriptionId, Timestamp,
};
use serde::Deserialize;
use utoipa::IntoParams;

use super::resource::Resource;
use crate::caller::Asker;
use crate::page::{Cursor, Limit, Listing, listing, page};
use crate::problem::Problem;
use crate::query::{Query, text, value};

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// Only this account's. A consumer may leave it out.
    #[serde(deserialize_with = "text")]
    #[param(value_type = Option<String>)]
    account: Option<AccountId>,
    /// Only those to this subscription (its id).
    #[serde(deserialize_with = "text")]
    #[param(value_type = Option<String>)]
    subscription: Option<SubscriptionId>,
    /// Only those of this event (its id).
    #[serde(deserialize_with = "text")]
    #[param(value_type = Option<String>)]
    event: Option<EventId>,
    /// Only those of events of this type.
    #[serde(deserialize_with = "text")]
    #[param(value_type = Option<String>)]
    event_type: Option<EventName>,
    /// Only those in this status. `pending` ones are not listed: they are found through their event.
    #[serde(deserialize_with = "text")]
    #[param(value_type = Option<String>, example = "dead")]
    status: Option<DeliveryStatus>,
    /// Only those of events that happened at or after this moment.
    #[serde(deserialize_with = "value")]
    #[param(value_type = Option<String>, format = DateTime)]
    since: Option<Timestamp>,
    /// Only those of events that happened before this moment.
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
    cursor: Option<Cursor<DeliveryId>>,
}

/// List deliveries
///
/// Newest first. A delivery is listed once anything is recorded about it; one that is still `pending` is found
/// through its event.
#[utoipa::path(
    get, path = "/delivery/", operation_id = "list_deliveries", tag = "delivery",
    params(ListQuery),
    responses((status = 200, description = "A part of the list.", body = Listing<Resource<'static>>)),
)]
pub(crate) async fn list(
    asker: Asker,
    uri: OriginalUri,
    Query(query): Query<ListQuery>,
) -> Result<Response, Problem> {
    let ListQuery { account, subscription, event, event_type, status, since, until, limit, cursor } = query;
    let scope = asker.scope(account)?;
    let account = scope.account().cloned();
    let query = DeliveryQuery { account, subscription, event, event_type, status, since, until };
    let found = asker.hooks.deliveries(&scope, query, page(limit, cursor)).await?;
    let next = found.next.map(|id| id.to_string());
    Ok(listing(&uri, found.items.iter().map(Resource::of).collect(), next))
}
