//! `PUT /event-type/:name/`

use axum::response::Response;
use http::StatusCode;
use resthooks::model::EventName;

use super::input::Input;
use super::resource::Resource;
use crate::answer;
use crate::body::JsonBody;
use crate::caller::Provider;
use crate::id::Name;
use crate::openapi::ForProvider;
use crate::problem::Problem;
use crate::query::{NoQuery, Query};

/// Register or replace an event type
///
/// What is left out is cleared.
#[utoipa::path(
    put, path = "/event-type/{name}/", operation_id = "put_event_type", tag = "event-type",
    params(("name" = String, Path, description = "The type's name.", example = "contact.create")),
    request_body = Input,
    responses(
        (status = 200, description = "It has been replaced.", body = Resource),
        (status = 201, description = "It is new.", body = Resource),
        ForProvider,
    ),
)]
pub(crate) async fn put(
    Provider(asker): Provider,
    Name(name): Name<EventName>,
    _: Query<NoQuery>,
    JsonBody(input): JsonBody<Input>,
) -> Result<Response, Problem> {
    let present = asker.hooks.event_type(&name).ok();
    let input = input.into_replacement(&name, present.as_ref())?;
    let (stored, new) = asker.hooks.put_event_type(name, input).await?;
    let status = if new { StatusCode::CREATED } else { StatusCode::OK };
    Ok(answer::json(status, &Resource::from(stored)))
}
