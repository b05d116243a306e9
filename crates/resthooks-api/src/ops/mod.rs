//! What operators and developers ask for: health, metrics, and the API's own description. Open to all who reach the
//! server: nothing here is secret, and nothing tells of any one account.

pub(crate) mod docs;
pub(crate) mod healthz;
pub(crate) mod metrics;
pub(crate) mod openapi;
pub(crate) mod readyz;

use utoipa_axum::routes;

use crate::router::Routes;

pub(crate) fn routes() -> Vec<Routes> {
    vec![
        routes!(healthz::healthz),
        routes!(readyz::readyz),
        routes!(metrics::metrics),
        routes!(openapi::openapi),
        routes!(docs::docs),
    ]
}
