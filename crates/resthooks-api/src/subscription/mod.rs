//! Subscriptions: what is delivered where. A consumer's own, or any account's for the provider.

pub(crate) mod activate;
pub(crate) mod change;
pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod delete_by_target;
pub(crate) mod get;
pub(crate) mod handshake;
mod headers;
mod input;
pub(crate) mod list;
mod members;
pub(crate) mod missed;
pub(crate) mod ping;
mod read_only;
pub(crate) mod replace;
mod resource;
pub(crate) mod rotate_secret;
pub(crate) mod secret;
mod signing;

use resthooks::model::AccountId;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::routes;

use crate::query::text;
use crate::router::Routes;

pub(crate) fn routes() -> Vec<Routes> {
    vec![
        routes!(list::list, create::create, delete_by_target::delete_by_target),
        routes!(get::get, replace::replace, change::change, delete::delete),
        routes!(activate::activate),
        routes!(handshake::handshake),
        routes!(ping::ping),
        routes!(missed::list::list),
        routes!(missed::acknowledge::acknowledge),
        routes!(missed::release::release),
        routes!(secret::secret),
        routes!(rotate_secret::rotate_secret),
    ]
}

/// Narrows a request to one account.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(crate) struct AccountQuery {
    /// Whose it is. A consumer may leave it out, and finds nothing under another account than its own.
    #[serde(deserialize_with = "text")]
    #[param(value_type = Option<String>)]
    pub account: Option<AccountId>,
}
