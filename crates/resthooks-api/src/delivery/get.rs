//! `GET /delivery/:id/`

use axum::response::Response;
use http::StatusCode;
use resthooks::model::DeliveryId;

use super::resource::Whole;
use crate::answer;
use crate::caller::Asker;
use crate::id::Id;
use crate::problem::Problem;
use crate::query::Query;
use crate::subscription::AccountQuery;

/// Get a delivery
///
/// With all its attempts.
#[utoipa::path(
    get, path = "/delivery/{id}/", operation_id = "get_delivery", tag = "delivery",
    params(("id" = String, Path, description = "The delivery's id: the `webhook-id`."), AccountQuery),
    responses((status = 200, description = "The delivery.", body = Whole<'static>)),
)]
pub(crate) async fn get(
    asker: Asker,
    Id(id): Id<DeliveryId>,
    Query(query): Query<AccountQuery>,
) -> Result<Response, Problem> {
    let scope = asker.scope(query.account)?;
    let (delivery, attempts) = asker.hooks.delivery(&scope, id).await?;
    Ok(answer::json(StatusCode::OK, &Whole::of(&delivery, &attempts)))
}
