//! `GET /account/:id/`

use axum::response::Response;
use http::StatusCode;
use resthooks::model::AccountId;

use super::resource::Resource;
use crate::answer;
use crate::caller::Provider;
use crate::id::Id;
use crate::openapi::ForProvider;
use crate::problem::Problem;
use crate::query::{NoQuery, Query};

/// Get an account
///
/// What the account holds. 404 when it holds nothing.
#[utoipa::path(
    get, path = "/account/{id}/", operation_id = "get_account", tag = "account",
    params(("id" = String, Path, description = "The account.")),
    responses((status = 200, description = "The account.", body = Resource), ForProvider),
)]
pub(crate) async fn get(
    Provider(asker): Provider,
    Id(id): Id<AccountId>,
    _: Query<NoQuery>,
) -> Result<Response, Problem> {
    Ok(answer::json(StatusCode::OK, &Resource::from(asker.hooks.account(&id).await?)))
}
