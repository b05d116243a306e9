//! `GET /event-type/`

use axum::extract::OriginalUri;
use axum::response::Response;
use resthooks::model::EventName;
use serde::Deserialize;
use utoipa::IntoParams;

use super::resource::Resource;
use crate::caller::Asker;
use crate::page::{Cursor, Limit, Listing, listing, page};
use crate::problem::Problem;
use crate::query::{Query, text};

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// How many items to answer at most.
    #[serde(deserialize_with = "text")]
    #[param(value_type = Option<u16>, minimum = 1, maximum = 250, default = 50)]
    limit: Option<Limit>,
    /// Where to go on: the `next_cursor` of an earlier answer.
    #[serde(deserialize_with = "text")]
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor<EventName>>,
}

/// List event types
///
/// What can be subscribed to, ascending by name.
#[utoipa::path(
    get, path = "/event-type/", operation_id = "list_event_types", tag = "event-type",
    params(ListQuery),
    responses((status = 200, description = "A part of the list.", body = Listing<Resource>)),
)]
pub(crate) async fn list(
    asker: Asker,
    uri: OriginalUri,
    Query(query): Query<ListQuery>,
) -> Result<Response, Problem> {
    let found = asker.hooks.event_types(page(query.limit, query.cursor));
    let next = found.next.map(|name| name.to_string());
    Ok(listing(&uri, found.items.into_iter().map(Resource::from).collect(), next))
}
