//! `DELETE /event-type/:name/`

use axum::response::Response;
use resthooks::model::EventName;

use crate::answer;
use crate::caller::Provider;
use crate::id::Id;
use crate::openapi::ForProvider;
use crate::problem::Problem;
use crate::query::{NoQuery, Query};

/// Delete an event type
///
/// Its events and the subscriptions to it stay.
#[utoipa::path(
    delete, path = "/event-type/{name}/", operation_id = "delete_event_type", tag = "event-type",
    params(("name" = String, Path, description = "The type's name.", example = "contact.create")),
    responses((status = 204, description = "It is deleted."), ForProvider),
)]
pub(crate) async fn delete(
    Provider(asker): Provider,
    Id(name): Id<EventName>,
    _: Query<NoQuery>,
) -> Result<Response, Problem> {
    asker.hooks.delete_event_type(&name).await?;
    Ok(answer::done())
}
