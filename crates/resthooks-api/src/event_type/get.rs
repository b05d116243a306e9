//! `GET /event-type/:name/`

use axum::response::Response;
use http::StatusCode;
use resthooks::model::EventName;

use super::resource::Resource;
use crate::answer;
use crate::caller::Asker;
use crate::id::Id;
use crate::problem::Problem;
use crate::query::{NoQuery, Query};

/// Get an event type
#[utoipa::path(
    get, path = "/event-type/{name}/", operation_id = "get_event_type", tag = "event-type",
    params(("name" = String, Path, description = "The type's name.", example = "contact.create")),
    responses((status = 200, description = "The event type.", body = Resource)),
)]
pub(crate) async fn get(
    asker: Asker,
    Id(name): Id<EventName>,
    _: Query<NoQuery>,
) -> Result<Response, Problem> {
    Ok(answer::json(StatusCode::OK, &Resource::from(asker.hooks.event_type(&name)?)))
}
