//! `GET /node/`

use axum::extract::OriginalUri;
use axum::response::Response;

use super::resource::Resource;
use crate::caller::Provider;
use crate::openapi::ForProvider;
use crate::page::{Listing, listing};
use crate::problem::Problem;
use crate::query::{NoQuery, Query};

/// List nodes
///
/// All that work on the store, those that joined last first, and those before them whose work is not all taken over.
/// One alone when the store is not shared.
#[utoipa::path(
    get, path = "/node/", operation_id = "list_nodes", tag = "node",
    responses((status = 200, description = "All of them.", body = Listing<Resource>), ForProvider),
)]
pub(crate) async fn list(
    Provider(asker): Provider,
    uri: OriginalUri,
    _: Query<NoQuery>,
) -> Result<Response, Problem> {
    let own = asker.hooks.node_no();
    let nodes = asker.hooks.nodes().await?;
    let data = nodes.into_iter().map(|node| Resource::new(node, own)).collect();
    Ok(listing(&uri, data, None))
}
