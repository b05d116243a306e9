//! `POST /subscription/:id/rotate-secret/`

use std::time::Duration;

use axum::response::Response;
use http::StatusCode;
use resthooks::model::SubscriptionId;
use serde::Deserialize;
use utoipa::ToSchema;

use super::AccountQuery;
use super::resource::Resource;
use crate::answer;
use crate::body::OptionalJsonBody;
use crate::caller::Asker;
use crate::id::Id;
use crate::problem::Problem;
use crate::query::Query;

/// How long what signed goes on signing when nothing is said: a day, for receivers that are deployed daily.
const DEFAULT_GRACE_SECONDS: u64 = 24 * 3600;

/// How to rotate.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RotateSecretInput)]
pub(crate) struct Input {
    /// How long what signed until now goes on signing beside what is new: 0 to 2,592,000 (30 days). A day when left out.
    #[schema(maximum = 2_592_000, example = 86400)]
    grace_seconds: Option<u64>,
}

/// Rotate a subscription's secret
///
/// The answer holds the new secret, and the new public key of a subscription with `"signature": "v1a"`. Until the grace is over
/// every delivery is signed with the new and the old ones, so that receivers can change over one after another.
#[utoipa::path(
    post, path = "/subscription/{id}/rotate-secret/", operation_id = "rotate_subscription_secret",
    tag = "subscription",
    params(("id" = String, Path, description = "The subscription's id."), AccountQuery),
    request_body = Option<Input>,
    responses((status = 200, description = "The subscription with its new secret.", body = Resource<'static>)),
)]
pub(crate) async fn rotate_secret(
    asker: Asker,
    Id(id): Id<SubscriptionId>,
    Query(query): Query<AccountQuery>,
    OptionalJsonBody(input): OptionalJsonBody<Input>,
) -> Result<Response, Problem> {
    let scope = asker.scope(query.account)?;
    let grace = Duration::from_secs(input.grace_seconds.unwrap_or(DEFAULT_GRACE_SECONDS));
    let view = asker.hooks.rotate_secret(&scope, id, grace).await?;
    Ok(answer::secret(StatusCode::OK, &Resource::with_secret(&view)))
}
