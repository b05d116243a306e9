//! Deliveries and their attempts: what became of each event for each subscription.

pub(crate) mod attempt;
pub(crate) mod cancel;
pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod resource;
pub(crate) mod retry;

use utoipa_axum::routes;

use crate::router::Routes;

pub(crate) fn routes() -> Vec<Routes> {
    vec![routes!(list::list), routes!(get::get), routes!(retry::retry), routes!(cancel::cancel)]
}
