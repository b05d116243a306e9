//! `POST /event-type/`

use axum::extract::OriginalUri;
use axum::response::Response;
use http::StatusCode;

use super::input::Input;
use super::resource::Resource;
use crate::answer;
use crate::body::JsonBody;
use crate::caller::Provider;
use crate::openapi::{Conflict, ForProvider};
use crate::problem::Problem;
use crate::query::{NoQuery, Query};

/// Register an event type
///
/// 409 (`already_exists`) when the name is taken.
#[utoipa::path(
    post, path = "/event-type/", operation_id = "create_event_type", tag = "event-type",
    request_body = Input,
    responses((status = 201, description = "The event type.", body = Resource), ForProvider, Conflict),
)]
pub(crate) async fn create(
    Provider(asker): Provider,
    uri: OriginalUri,
    _: Query<NoQuery>,
    JsonBody(input): JsonBody<Input>,
) -> Result<Response, Problem> {
    let (name, input) = input.into_new()?;
    let made = asker.hooks.create_event_type(name.clone(), input).await?;
    let response = answer::json(StatusCode::CREATED, &Resource::from(made));
    Ok(answer::created(&uri, name.as_str(), response))
}
