//! `GET /audit/`

use std::str::FromStr;

use axum::extract::OriginalUri;
use axum::response::Response;
use resthooks::model::{AccountId, Actor, AuditAction, AuditId, Timestamp};
use resthooks::store::AuditFilter;
use serde::Deserialize;
use utoipa::IntoParams;

use super::resource::Resource;
use crate::caller::Provider;
use crate::openapi::ForProvider;
use crate::page::{Cursor, Limit, Listing, listing, page};
use crate::problem::Problem;
use crate::query::{Query, text, value};

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// Only what was done to this account's things.
    #[serde(deserialize_with = "text")]
    #[param(value_type = Option<String>)]
    account: Option<AccountId>,
    /// Only what this one did, to the letter.
    #[serde(deserialize_with = "text")]
    #[param(value_type = Option<String>, example = "system")]
    actor: Option<Actor>,
    /// Only this, such as `api_key.created`.
    #[serde(deserialize_with = "text")]
    #[param(value_type = Option<String>)]
    action: Option<AuditAction>,
    /// Only what was done to this: an id or a name.
    #[serde(deserialize_with = "text")]
    #[param(value_type = Option<String>)]
    object: Option<Object>,
    /// Only what was done at or after this moment.
    #[serde(deserialize_with = "value")]
    #[param(value_type = Option<String>, format = DateTime)]
    since: Option<Timestamp>,
    /// Only what was done before this moment.
    #[serde(deserialize_with = "value")]
    #[param(value_type = Option<String>, format = DateTime)]
    until: Option<Timestamp>,
    /// How many items to answer at most.
    #[serde(deserialize_with = "text")]
    #[param(value_type = Option<u16>, minimum = 1, maximum = 250, default = 50)]
    limit: Option<Limit>,
    /// Where to go on: the `next_cursor` of an earlier answer.
    #[serde(deserialize_with = "text")]
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor<AuditId>>,
}

/// What something is called: any id or name is shorter, and looks better.
#[derive(Debug)]
struct Object(String);

impl FromStr for Object {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() || text.len() > 256 || text.chars().any(char::is_control) {
            return Err("must be an id or a name");
        }
        Ok(Self(text.to_owned()))
    }
}

/// List the audit trail
///
/// Who created, changed, rotated, confirmed, disabled, revoked and deleted what, newest first. An entry is written with
/// the change that it tells of, or neither is; it stays when the account is deleted. Emitting and reading are not in it.
#[utoipa::path(
    get, path = "/audit/", operation_id = "list_audit", tag = "audit",
    params(ListQuery),
    responses((status = 200, description = "A part of the list.", body = Listing<Resource>), ForProvider),
)]
pub(crate) async fn list(
    Provider(asker): Provider,
    uri: OriginalUri,
    Query(query): Query<ListQuery>,
) -> Result<Response, Problem> {
    let ListQuery { account, actor, action, object, since, until, limit, cursor } = query;
    let object = object.map(|Object(text)| text);
    let filter = AuditFilter { account, actor, action, object, since, until };
    let found = asker.hooks.audit(&filter, page(limit, cursor)).await?;
    let next = found.next.map(|id| id.to_string());
    Ok(listing(&uri, found.items.into_iter().map(Resource::from).collect(), next))
}
