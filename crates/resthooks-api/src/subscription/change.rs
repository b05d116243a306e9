//! `PATCH /subscription/:id/`

use axum::response::Response;
use http::StatusCode;
use resthooks::model::SubscriptionId;

use super::AccountQuery;
use super::input::Input;
use super::resource::Resource;
use crate::answer;
use crate::body::JsonBody;
use crate::caller::Asker;
use crate::id::Id;
use crate::problem::Problem;
use crate::query::Query;

/// Change some of a subscription's settings
///
/// What is left out stays; `null` clears what can be cleared. With another target, or another `intent`, the target has to
/// confirm its intent again: until then the subscription is `pending`, and what waits is held.
#[utoipa::path(
    patch, path = "/subscription/{id}/", operation_id = "change_subscription", tag = "subscription",
    params(("id" = String, Path, description = "The subscription's id."), AccountQuery),
    request_body(content = Input, example = json!({"active": false})),
    responses((status = 200, description = "The subscription.", body = Resource<'static>)),
)]
pub(crate) async fn change(
    asker: Asker,
    Id(id): Id<SubscriptionId>,
    Query(query): Query<AccountQuery>,
    JsonBody(input): JsonBody<Input>,
) -> Result<Response, Problem> {
    let scope = asker.scope(query.account)?;
    asker.scope(input.account.as_value().cloned())?;
    let present = asker.hooks.subscription(&scope, id).await?;
    // What was judged against the present one must not be done to another one.
    let version = input.refers_to_present().then_some(present.subscription.version);
    let view =
        asker.hooks.change_subscription(&scope, id, input.into_change(&present, &asker)?, version).await?;
    Ok(answer::json(StatusCode::OK, &Resource::of(&view)))
}
