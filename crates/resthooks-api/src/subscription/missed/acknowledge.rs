//! `POST /subscription/:id/missed/acknowledge/`

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
#[schema(as = AcknowledgedMissed)]
pub(crate) struct Outcome {
    /// How many deliveries were acknowledged.
    #[schema(example = 3)]
    acknowledged: usize,
}

/// Acknowledge missed deliveries
///
/// Says that the receiver has what it needs: the deliveries are `delivered` from then on and are not listed as missed any
/// more. Takes `{"ids": [...]}` or `{"all": true}`. Asking again does no harm: what is not missed any more is passed over.
#[utoipa::path(
    post, path = "/subscription/{id}/missed/acknowledge/", operation_id = "acknowledge_missed_deliveries",
    tag = "subscription",
    params(("id" = String, Path, description = "The subscription's id."), AccountQuery),
    request_body = Input,
    responses((status = 200, description = "How many there were.", body = Outcome)),
)]
pub(crate) async fn acknowledge(
    asker: Asker,
    Id(id): Id<SubscriptionId>,
    Query(query): Query<AccountQuery>,
    JsonBody(input): JsonBody<Input>,
) -> Result<Response, Problem> {
    let scope = asker.scope(query.account)?;
    let acknowledged = asker.hooks.acknowledge_missed(&scope, id, input.read()?).await?;
    Ok(answer::json(StatusCode::OK, &Outcome { acknowledged }))
}
