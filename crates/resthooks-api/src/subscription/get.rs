//! `GET /subscription/:id/`

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use resthooks::model::SubscriptionId;

use super::AccountQuery;
use super::resource::Resource;
use crate::answer;
use crate::api::Shared;
use crate::caller::Caller;
use crate::id::Id;
use crate::problem::Problem;
use crate::query::Query;

/// Get a subscription
///
/// 404 once it is deleted or gone.
#[utoipa::path(
    get, path = "/subscription/{id}/", operation_id = "get_subscription", tag = "subscription",
    params(("id" = String, Path, description = "The subscription's id."), AccountQuery),
    responses((status = 200, description = "The subscription.", body = Resource<'static>)),
)]
pub(crate) async fn get(
    State(api): Shared,
    caller: Caller,
    Id(id): Id<SubscriptionId>,
    Query(query): Query<AccountQuery>,
) -> Result<Response, Problem> {
    let scope = caller.scope(query.account)?;
    let view = api.hooks.subscription(&scope, id).await?;
    Ok(answer::json(StatusCode::OK, &Resource::of(&view)))
}
