//! `GET /subscription/:id/secret/`

use axum::response::Response;
use http::StatusCode;
use resthooks::model::SubscriptionId;
use serde::Serialize;
use utoipa::ToSchema;

use super::AccountQuery;
use crate::answer;
use crate::caller::Owner;
use crate::id::Id;
use crate::problem::Problem;
use crate::query::Query;

/// A subscription's signing secret.
#[derive(Serialize, ToSchema)]
#[schema(as = Secret)]
pub(crate) struct Shown<'a> {
    /// `whsec_` and base64.
    #[schema(example = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD")]
    secret: &'a str,
}

/// Get a subscription's current secret
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
    let secret = asker.hooks.subscription_secret(&scope, id).await?;
    Ok(answer::secret(StatusCode::OK, &Shown { secret: secret.expose() }))
}
