//! Accounts: whose things there are. For the provider alone.

pub(crate) mod delete;
pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod put;
mod resource;

use utoipa_axum::routes;

use crate::router::Routes;

pub(crate) fn routes() -> Vec<Routes> {
    vec![routes!(list::list), routes!(get::get, put::put, delete::delete)]
}
