//! `DELETE /account/:id/`

use axum::response::Response;
use resthooks::model::AccountId;

use crate::answer;
use crate::caller::Provider;
use crate::id::Id;
use crate::openapi::ForProvider;
use crate::problem::Problem;
use crate::query::{NoQuery, Query};

/// Delete an account
///
/// Deletes all that is the account's: its keys and subscriptions at once, its events and deliveries until the
/// answer. 404 when it holds nothing.
#[utoipa::path(
    delete, path = "/account/{id}/", operation_id = "delete_account", tag = "account",
    params(("id" = String, Path, description = "The account.")),
    responses((status = 204, description = "It holds nothing any more."), ForProvider),
)]
pub(crate) async fn delete(
    Provider(asker): Provider,
    Id(id): Id<AccountId>,
    _: Query<NoQuery>,
) -> Result<Response, Problem> {
    asker.hooks.delete_account(&id).await?;
    Ok(answer::done())
}
