//! `GET /subscription/`

use axum::extract::OriginalUri;
use axum::response::Response;
use resthooks::model::{AccountId, EventPattern, SubscriptionId, SubscriptionStatus, TargetUrl};
use resthooks::store::SubscriptionFilter;
use serde::Deserialize;
use utoipa::IntoParams;

use super::resource::Resource;
use crate::caller::Asker;
use crate::page::{Cursor, Limit, Listing, listing, page};
use crate::problem::Problem;
use crate::query::{Query, text};

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// Only this account's. A consumer may leave it out.
    #[serde(deserialize_with = "text")]
    #[param(value_type = Option<String>)]
    account: Option<AccountId>,
    /// Only those in this status. Those that are `gone` are shown only when asked for.
    #[serde(deserialize_with = "text")]
    #[param(value_type = Option<String>, example = "active")]
    status: Option<SubscriptionStatus>,
    /// Only those with this target.
    #[serde(deserialize_with = "text")]
    #[param(value_type = Option<String>)]
    target_url: Option<TargetUrl>,
    /// Only those that name this event type or pattern, to the letter.
    #[serde(deserialize_with = "text")]
    #[param(value_type = Option<String>)]
    event: Option<EventPattern>,
    /// How many items to answer at most.
    #[serde(deserialize_with = "text")]
    #[param(value_type = Option<u16>, minimum = 1, maximum = 250, default = 50)]
    limit: Option<Limit>,
    /// Where to go on: the `next_cursor` of an earlier answer.
    #[serde(deserialize_with = "text")]
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor<SubscriptionId>>,
}

/// List subscriptions
///
/// Newest first.
#[utoipa::path(
    get, path = "/subscription/", operation_id = "list_subscriptions", tag = "subscription",
    params(ListQuery),
    responses((status = 200, description = "A part of the list.", body = Listing<Resource<'static>>)),
)]
pub(crate) async fn list(
    asker: Asker,
    uri: OriginalUri,
    Query(query): Query<ListQuery>,
) -> Result<Response, Problem> {
    let ListQuery { account, status, target_url, event, limit, cursor } = query;
    let scope = asker.scope(account)?;
    let filter = SubscriptionFilter { account: scope.account().cloned(), status, target_url, event };
    let found = asker.hooks.subscriptions(&scope, filter, page(limit, cursor)).await?;
    let next = found.next.map(|id| id.to_string());
    Ok(listing(&uri, found.items.iter().map(Resource::of).collect(), next))
}
