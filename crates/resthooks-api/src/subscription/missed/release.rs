//! `POST /subscription/:id/missed/release/`

use axum::response::Response;
use http::StatusCode;
use resthooks::model::SubscriptionId;
use serde::Serialize;
use utoipa::ToSchema;

use super::super::AccountQuery;
use super::input::Input;
use crate::answer;
use crate::body::JsonBody;
use crate::caller::Asker;
use crate::id::Id;
use crate::problem::Problem;
use crate::query::Query;

/// What was done.
#[derive(Serialize, ToSchema)]
#[schema(as = ReleasedMissed)]
pub(crate) struct Outcome {
    /// How many deliveries were released.
    #[schema(example = 3)]
    released: usize,
}

/// Release missed deliveries
///
/// Has them sent again, in the order of their events, each under its first `webhook-id` and sequence, with a retry
/// schedule that starts from its beginning; an own `max_age` goes on counting from the event. While the subscription is
/// paused or disabled they are held. Takes `{"ids": [...]}` or `{"all": true}`: all that are missed at that moment. Asking
/// again does no harm: what is not missed any more is passed over.
#[utoipa::path(
    post, path = "/subscription/{id}/missed/release/", operation_id = "release_missed_deliveries",
    tag = "subscription",
    params(("id" = String, Path, description = "The subscription's id."), AccountQuery),
    request_body = Input,
    responses((status = 200, description = "How many there were.", body = Outcome)),
)]
pub(crate) async fn release(
    asker: Asker,
    Id(id): Id<SubscriptionId>,
    Query(query): Query<AccountQuery>,
    JsonBody(input): JsonBody<Input>,
) -> Result<Response, Problem> {
    let scope = asker.scope(query.account)?;
    let released = asker.hooks.release_missed(&scope, id, input.read()?).await?;
    Ok(answer::json(StatusCode::OK, &Outcome { released }))
}
