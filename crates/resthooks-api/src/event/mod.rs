//! Events: emitted by the provider, read by all. `POST /event/` is the one route that is called at full rate.

pub(crate) mod batch;
pub(crate) mod create;
pub(crate) mod deliveries;
pub(crate) mod get;
mod input;
pub(crate) mod list;
mod resource;

use utoipa_axum::routes;

use crate::router::Routes;

pub(crate) fn routes() -> Vec<Routes> {
    vec![
        routes!(list::list, create::create),
        routes!(batch::batch),
        routes!(get::get),
        routes!(deliveries::deliveries),
    ]
}

/// What a consumer may do.
pub(crate) fn consumer_routes() -> Vec<Routes> {
    vec![routes!(list::list), routes!(get::get), routes!(deliveries::deliveries)]
}
