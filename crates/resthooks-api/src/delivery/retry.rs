//! `POST /delivery/:id/retry/`

use axum::response::Response;
use http::StatusCode;
use resthooks::model::DeliveryId;

use super::resource::Whole;
use crate::answer;
use crate::body::{NoFields, OptionalJsonBody};
use crate::caller::Asker;
use crate::id::Id;
use crate::openapi::{Conflict, TooSoon};
use crate::problem::Problem;
use crate::query::Query;
use crate::subscription::AccountQuery;

/// Try a delivery again
///
/// Makes one attempt now and answers when it has ended. A success ends the delivery; a failure adds an attempt and
/// changes nothing else: the automatic schedule goes on as it was. 409 when it is in flight
/// (`delivery_in_flight`), or when its subscription has ended (`subscription_ended`) or is not confirmed
/// (`subscription_pending`); 429 when the target has granted a rate that is used up (`rate_granted`).
#[utoipa::path(
    post, path = "/delivery/{id}/retry/", operation_id = "retry_delivery", tag = "delivery",
    params(("id" = String, Path, description = "The delivery's id."), AccountQuery),
    responses((status = 200, description = "The delivery after the attempt.", body = Whole<'static>), Conflict, TooSoon),
)]
pub(crate) async fn retry(
    asker: Asker,
    Id(id): Id<DeliveryId>,
    Query(query): Query<AccountQuery>,
    _: OptionalJsonBody<NoFields>,
) -> Result<Response, Problem> {
    let scope = asker.scope(query.account)?;
    let (delivery, attempts) = asker.hooks.retry_delivery(&scope, id).await?;
    Ok(answer::json(StatusCode::OK, &Whole::of(&delivery, &attempts)))
}
