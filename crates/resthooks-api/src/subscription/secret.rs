//! `GET /subscription/:id/secret/`

use axum::response::Response;
use http::StatusCode;
use resthooks::SubscriptionView;
use resthooks::model::{SigningKey, SubscriptionId, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

use super::AccountQuery;
use crate::answer;
use crate::caller::Owner;
use crate::id::Id;
use crate::problem::Problem;
use crate::query::Query;

/// What a subscription's hooks are verified with.
#[derive(Serialize, ToSchema)]
#[schema(as = Secret)]
pub(crate) struct Shown<'a> {
    /// The secret: `whsec_` and base64.
    #[schema(example = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD")]
    secret: &'a str,
    /// The public key for Ed25519 signatures: `whpk_` and base64; `null` with `"signature": "v1"`. The private key is not
    /// shown to anybody.
    #[schema(required = true, example = json!(null))]
    public_key: Option<String>,
    /// What signed before the last rotation, while it goes on signing; else `null`.
    #[schema(required = true)]
    previous: Option<Previous<'a>>,
}

/// What signed before the last rotation.
#[derive(Serialize, ToSchema)]
#[schema(as = PreviousSecret)]
pub(crate) struct Previous<'a> {
    /// The secret.
    secret: &'a str,
    /// The public key; `null` when there was none.
    #[schema(required = true)]
    public_key: Option<String>,
    /// Until when it signs as well.
    #[schema(value_type = String, format = DateTime)]
    signs_until: Timestamp,
}

/// Get what a subscription's hooks are verified with
///
/// The secret, and the public key where hooks are signed by Ed25519; during a rotation the former ones beside them.
#[utoipa::path(
    get, path = "/subscription/{id}/secret/", operation_id = "get_subscription_secret", tag = "subscription",
    params(("id" = String, Path, description = "The subscription's id."), AccountQuery),
    responses((status = 200, description = "The secret.", body = Shown<'static>)),
    extensions(("x-scopes" = json!(["provider", "consumer"]))),
)]
pub(crate) async fn secret(
    Owner(asker): Owner,
    Id(id): Id<SubscriptionId>,
    Query(query): Query<AccountQuery>,
) -> Result<Response, Problem> {
    let scope = asker.scope(query.account)?;
    let SubscriptionView { subscription, .. } = asker.hooks.subscription(&scope, id).await?;
    let now = asker.hooks.clock().now();
    let previous = subscription.previous_secret.as_ref().filter(|previous| now < previous.signs_until);
    let shown = Shown {
        secret: subscription.secret.expose(),
        public_key: subscription.signing_key.as_ref().map(SigningKey::public),
        previous: previous.map(|previous| Previous {
            secret: previous.secret.expose(),
            public_key: previous.signing_key.as_ref().map(SigningKey::public),
            signs_until: previous.signs_until,
        }),
    };
    Ok(answer::secret(StatusCode::OK, &shown))
}
