//! `GET /event/:id/`

use axum::response::Response;
use http::StatusCode;
use resthooks::model::EventId;

use super::resource::Resource;
use crate::answer;
use crate::caller::Asker;
use crate::id::Id;
use crate::openapi::Conflict;
use crate::problem::Problem;
use crate::query::Query;
use crate::subscription::AccountQuery;

/// Get an event
///
/// 409 (`ambiguous_id`) when the provider names no account and several accounts have an event with this id.
#[utoipa::path(
    get, path = "/event/{id}/", operation_id = "get_event", tag = "event",
    params(("id" = String, Path, description = "The event's id."), AccountQuery),
    responses((status = 200, description = "The event.", body = Resource<'static>), Conflict),
)]
pub(crate) async fn get(
    asker: Asker,
    Id(id): Id<EventId>,
    Query(query): Query<AccountQuery>,
) -> Result<Response, Problem> {
    let scope = asker.scope(query.account)?;
    let found = asker.hooks.event(&scope, &id).await?;
    Ok(answer::json(StatusCode::OK, &Resource::of(&found.event)?))
}
