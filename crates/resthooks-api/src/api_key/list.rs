//! `GET /api-key/`

use axum::extract::OriginalUri;
use axum::response::Response;
use resthooks::model::{AccountId, KeyId};
use serde::Deserialize;
use utoipa::IntoParams;

use super::resource::Resource;
use crate::caller::Provider;
use crate::openapi::ForProvider;
use crate::page::{Cursor, Limit, Listing, listing, page};
use crate::problem::Problem;
use crate::query::{Query, text};

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// Only the keys of this account.
    #[serde(deserialize_with = "text")]
    #[param(value_type = Option<String>)]
    account: Option<AccountId>,
    /// How many items to answer at most.
    #[serde(deserialize_with = "text")]
    #[param(value_type = Option<u16>, minimum = 1, maximum = 250, default = 50)]
    limit: Option<Limit>,
    /// Where to go on: the `next_cursor` of an earlier answer.
    #[serde(deserialize_with = "text")]
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor<KeyId>>,
}

/// List API keys
///
/// Newest first, without the keys themselves.
#[utoipa::path(
    get, path = "/api-key/", operation_id = "list_api_keys", tag = "api-key",
    params(ListQuery),
    responses((status = 200, description = "A part of the list.", body = Listing<Resource>), ForProvider),
)]
pub(crate) async fn list(
    Provider(asker): Provider,
    uri: OriginalUri,
    Query(query): Query<ListQuery>,
) -> Result<Response, Problem> {
    let found = asker.hooks.keys(query.account.as_ref(), page(query.limit, query.cursor));
    let next = found.next.map(|id| id.to_string());
    Ok(listing(&uri, found.items.into_iter().map(Resource::from).collect(), next))
}
