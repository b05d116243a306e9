//! API keys: what callers prove themselves with. For the provider alone.

pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod list;
mod resource;

use utoipa_axum::routes;

use crate::router::Routes;

pub(crate) fn routes() -> Vec<Routes> {
    vec![routes!(list::list, create::create), routes!(delete::delete)]
}
