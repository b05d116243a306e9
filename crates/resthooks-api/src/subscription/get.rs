//! `GET /subscription/:id/`

use axum::response::Response;
use http::StatusCode;
use resthooks::model::SubscriptionId;

use super::AccountQuery;
use super::resource::Resource;
use crate::answer;
use crate::caller::Asker;
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
    asker: Asker,
    Id(id): Id<SubscriptionId>,
    Query(query): Query<AccountQuery>,
) -> Result<Response, Problem> {
    let scope = asker.scope(query.account)?;
    let view = asker.hooks.subscription(&scope, id).await?;
    Ok(answer::json(StatusCode::OK, &Resource::of(&view)))
}
