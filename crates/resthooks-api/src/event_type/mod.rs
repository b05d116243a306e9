//! The catalogue of event types: read by all, written by the provider.

pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod get;
mod input;
pub(crate) mod list;
pub(crate) mod put;
mod resource;
pub(crate) mod sample;

use utoipa_axum::routes;

use crate::router::Routes;

pub(crate) fn routes() -> Vec<Routes> {
    vec![
        routes!(list::list, create::create),
        routes!(get::get, put::put, delete::delete),
        routes!(sample::sample),
    ]
}

/// What a consumer may do.
pub(crate) fn consumer_routes() -> Vec<Routes> {
    vec![routes!(list::list), routes!(get::get), routes!(sample::sample)]
}
