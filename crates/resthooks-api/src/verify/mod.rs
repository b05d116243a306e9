//! Telling receivers why they do not accept a hook: what they got is compared with what was sent.

pub(crate) mod ask;
mod input;
mod resource;

use utoipa_axum::routes;

use crate::router::Routes;

pub(crate) fn routes() -> Vec<Routes> {
    vec![routes!(ask::verify)]
}
