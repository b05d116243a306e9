//! `POST /subscription/:id/ping/`

use axum::response::Response;
use http::StatusCode;
use resthooks::model::SubscriptionId;
use serde::Serialize;
use utoipa::ToSchema;

use super::AccountQuery;
use crate::answer;
use crate::body::{NoFields, OptionalJsonBody};
use crate::caller::Asker;
use crate::delivery::attempt;
use crate::id::Id;
use crate::openapi::{Conflict, TooSoon};
use crate::problem::Problem;
use crate::query::Query;

/// What came of a test delivery.
#[derive(Serialize, ToSchema)]
#[schema(as = Ping)]
pub(crate) struct Outcome<'a> {
    /// `delivered` when the target acknowledged with 2xx, else `failed`.
    #[schema(value_type = String, example = "delivered")]
    status: &'static str,
    #[serde(flatten)]
    attempt: attempt::Resource<'a>,
}

/// Send a test event
///
/// Sends one event of type `hooks.ping` to the target now, though the subscription may be paused or disabled, and
/// answers what came of it. A target that fails is no failure of this call. Refused (`subscription_pending`) as long as
/// the target has not confirmed its intent.
#[utoipa::path(
    post, path = "/subscription/{id}/ping/", operation_id = "ping_subscription", tag = "subscription",
    params(("id" = String, Path, description = "The subscription's id."), AccountQuery),
    responses((status = 200, description = "The outcome.", body = Outcome<'static>), Conflict, TooSoon),
)]
pub(crate) async fn ping(
    asker: Asker,
    Id(id): Id<SubscriptionId>,
    Query(query): Query<AccountQuery>,
    _: OptionalJsonBody<NoFields>,
) -> Result<Response, Problem> {
    let scope = asker.scope(query.account)?;
    let attempt = asker.hooks.ping(&scope, id).await?;
    let status = if attempt.is_success() { "delivered" } else { "failed" };
    Ok(answer::json(StatusCode::OK, &Outcome { status, attempt: attempt::Resource::of(&attempt) }))
}
