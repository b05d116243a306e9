//! The audit trail: who changed what. For the provider alone.

pub(crate) mod list;
mod resource;

use utoipa_axum::routes;

use crate::router::Routes;

pub(crate) fn routes() -> Vec<Routes> {
    vec![routes!(list::list)]
}
