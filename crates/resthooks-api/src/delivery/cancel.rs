//! `POST /delivery/:id/cancel/`

use axum::response::Response;
use http::StatusCode;
use resthooks::model::DeliveryId;

use super::resource::Resource;
use crate::answer;
use crate::body::{NoFields, OptionalJsonBody};
use crate::caller::Asker;
use crate::id::Id;
use crate::openapi::Conflict;
use crate::problem::Problem;
use crate::query::Query;
use crate::subscription::AccountQuery;

/// Cancel a delivery
///
/// Ends one that waits. 409 when it is in flight (`delivery_in_flight`) or has ended already
/// (`delivery_finished`).
#[utoipa::path(
    post, path = "/delivery/{id}/cancel/", operation_id = "cancel_delivery", tag = "delivery",
    params(("id" = String, Path, description = "The delivery's id."), AccountQuery),
    responses((status = 200, description = "The delivery, cancelled.", body = Resource<'static>), Conflict),
)]
pub(crate) async fn cancel(
    asker: Asker,
    Id(id): Id<DeliveryId>,
    Query(query): Query<AccountQuery>,
    _: OptionalJsonBody<NoFields>,
) -> Result<Response, Problem> {
    let scope = asker.scope(query.account)?;
    let delivery = asker.hooks.cancel_delivery(&scope, id).await?;
    Ok(answer::json(StatusCode::OK, &Resource::of(&delivery)))
}
