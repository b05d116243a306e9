//! `DELETE /api-key/:id/`

use axum::response::Response;
use resthooks::model::KeyId;

use crate::answer;
use crate::caller::Provider;
use crate::id::Id;
use crate::openapi::ForProvider;
use crate::problem::Problem;
use crate::query::{NoQuery, Query};

/// Delete an API key
///
/// It admits to nothing from the answer on.
#[utoipa::path(
    delete, path = "/api-key/{id}/", operation_id = "delete_api_key", tag = "api-key",
    params(("id" = String, Path, description = "The key's id, not the key.")),
    responses((status = 204, description = "It is deleted."), ForProvider),
)]
pub(crate) async fn delete(
    Provider(asker): Provider,
    Id(id): Id<KeyId>,
    _: Query<NoQuery>,
) -> Result<Response, Problem> {
    asker.hooks.delete_key(id).await?;
    Ok(answer::done())
}
