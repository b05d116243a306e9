//! `DELETE /subscription/:id/`

use axum::extract::State;
use axum::response::Response;
use resthooks::model::SubscriptionId;

use super::AccountQuery;
use crate::answer;
use crate::api::Shared;
use crate::caller::Caller;
use crate::id::Id;
use crate::problem::Problem;
use crate::query::Query;

/// Unsubscribe
///
/// Ends the subscription and cancels what waits for it. Answers alike when it had ended already, so that it can be
/// repeated; 404 for one that never was yours.
#[utoipa::path(
    delete, path = "/subscription/{id}/", operation_id = "delete_subscription", tag = "subscription",
    params(("id" = String, Path, description = "The subscription's id."), AccountQuery),
    responses((status = 204, description = "It has ended.")),
)]
pub(crate) async fn delete(
    State(api): Shared,
    caller: Caller,
    Id(id): Id<SubscriptionId>,
    Query(query): Query<AccountQuery>,
) -> Result<Response, Problem> {
    let scope = caller.scope(query.account)?;
    api.hooks.delete_subscription(&scope, id).await?;
    Ok(answer::done())
}
