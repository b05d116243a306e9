//! `DELETE /subscription/:id/`

use axum::response::Response;
use resthooks::model::SubscriptionId;

use super::AccountQuery;
use crate::answer;
use crate::caller::Asker;
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
    asker: Asker,
    Id(id): Id<SubscriptionId>,
    Query(query): Query<AccountQuery>,
) -> Result<Response, Problem> {
    let scope = asker.scope(query.account)?;
    asker.hooks.delete_subscription(&scope, id).await?;
    Ok(answer::done())
}
