//! `GET /account/`

use axum::extract::OriginalUri;
use axum::response::Response;
use resthooks::model::AccountId;
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
    /// How many items to answer at most.
    #[serde(deserialize_with = "text")]
    #[param(value_type = Option<u16>, minimum = 1, maximum = 250, default = 50)]
    limit: Option<Limit>,
    /// Where to go on: the `next_cursor` of an earlier answer.
    #[serde(deserialize_with = "text")]
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor<AccountId>>,
}

/// List accounts
///
/// The accounts that hold anything, ascending by id. An account need not be created: it is there once it has a
/// key, a subscription or an event.
#[utoipa::path(
    get, path = "/account/", operation_id = "list_accounts", tag = "account",
    params(ListQuery),
    responses((status = 200, description = "A part of the list.", body = Listing<Resource>), ForProvider),
)]
pub(crate) async fn list(
    Provider(asker): Provider,
    uri: OriginalUri,
    Query(query): Query<ListQuery>,
) -> Result<Response, Problem> {
    let found = asker.hooks.accounts(page(query.limit, query.cursor)).await?;
    let next = found.next.map(|id| id.to_string());
    Ok(listing(&uri, found.items.into_iter().map(Resource::from).collect(), next))
}
