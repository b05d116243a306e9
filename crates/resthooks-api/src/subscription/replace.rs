//! `PUT /subscription/:id/`

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

/// Replace a subscription's settings
///
/// What is left out is set to its default; its id, account and (unless given) secret, `signature` and `intent` stay. What was read
/// can be sent back with changes. With another target, or another `intent`, the target has to confirm its intent again:
/// until then the subscription is `pending`, and what waits is held.
#[utoipa::path(
    put, path = "/subscription/{id}/", operation_id = "replace_subscription", tag = "subscription",
    params(("id" = String, Path, description = "The subscription's id."), AccountQuery),
    request_body(content = Input, example = json!({
        "target_url": "https://example.com/hooks", "events": ["contact.create", "contact.update"]
    })),
    responses((status = 200, description = "The subscription.", body = Resource<'static>)),
)]
pub(crate) async fn replace(
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
    let view = asker
        .hooks
        .replace_subscription(&scope, id, input.into_replacement(&present, &asker)?, version)
        .await?;
    Ok(answer::json(StatusCode::OK, &Resource::of(&view)))
}
