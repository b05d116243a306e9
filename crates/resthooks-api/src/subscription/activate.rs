//! `POST /subscription/:id/activate/`

use axum::response::Response;
use http::header::HeaderName;
use http::{HeaderMap, StatusCode};
use resthooks::model::SubscriptionId;

use super::AccountQuery;
use super::resource::Resource;
use crate::answer;
use crate::body::{NoFields, OptionalJsonBody};
use crate::caller::Asker;
use crate::id::Id;
use crate::openapi::{Conflict, TooSoon};
use crate::problem::Problem;
use crate::query::Query;

const HOOK_SECRET: HeaderName = HeaderName::from_static("x-hook-secret");

/// Confirm a subscription, or have its target asked again
///
/// With the `X-Hook-Secret` that the target was sent, a subscription whose `intent` is `echo` is confirmed. Without one,
/// the target is asked again, by a new secret: at most every few seconds. A subscription that is not `pending` is
/// answered as it stands.
#[utoipa::path(
    post, path = "/subscription/{id}/activate/", operation_id = "activate_subscription", tag = "subscription",
    params(
        ("id" = String, Path, description = "The subscription's id."),
        AccountQuery,
        ("X-Hook-Secret" = Option<String>, Header, description = "What the target was sent under this name."),
    ),
    responses(
        (status = 200, description = "The subscription.", body = Resource<'static>),
        Conflict,
        TooSoon,
    ),
)]
pub(crate) async fn activate(
    asker: Asker,
    Id(id): Id<SubscriptionId>,
    Query(query): Query<AccountQuery>,
    headers: HeaderMap,
    _: OptionalJsonBody<NoFields>,
) -> Result<Response, Problem> {
    let scope = asker.scope(query.account)?;
    let mut secrets = headers.get_all(HOOK_SECRET).iter();
    let secret = secrets.next().map(|value| value.as_bytes().trim_ascii());
    if secrets.next().is_some() {
        return Err(Problem::field("X-Hook-Secret", "must be given once"));
    }
    let view = asker.hooks.activate_subscription(&scope, id, secret).await?;
    Ok(answer::json(StatusCode::OK, &Resource::of(&view)))
}
