//! `GET /event/:id/delivery/`

use axum::extract::OriginalUri;
use axum::response::Response;
use resthooks::model::{AccountId, EventId, SubscriptionId};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::caller::Asker;
use crate::delivery::resource::Resource;
use crate::id::Id;
use crate::openapi::Conflict;
use crate::page::{Cursor, Limit, Listing, listing, page};
use crate::problem::Problem;
use crate::query::{Query, text};

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// Whose it is. A consumer may leave it out.
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
    cursor: Option<Cursor<SubscriptionId>>,
}

/// List what became of an event
///
/// Its delivery to each subscription that it matched, in the order of the subscriptions; those about which nothing
/// is recorded yet as `pending`.
#[utoipa::path(
    get, path = "/event/{id}/delivery/", operation_id = "list_event_deliveries", tag = "event",
    params(("id" = String, Path, description = "The event's id."), ListQuery),
    responses((status = 200, description = "A part of the list.", body = Listing<Resource<'static>>), Conflict),
)]
pub(crate) async fn deliveries(
    asker: Asker,
    uri: OriginalUri,
    Id(id): Id<EventId>,
    Query(query): Query<ListQuery>,
) -> Result<Response, Problem> {
    let scope = asker.scope(query.account)?;
    let found = asker.hooks.event_deliveries(&scope, &id, page(query.limit, query.cursor)).await?;
    let next = found.next.map(|id| id.to_string());
    Ok(listing(&uri, found.items.iter().map(Resource::of).collect(), next))
}
