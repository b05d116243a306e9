//! `GET /readyz`

use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;

use super::healthz::Health;
use crate::answer;
use crate::api::Shared;
use crate::problem::{Document, Problem};

/// Whether events can be accepted
#[utoipa::path(
    get, path = "/readyz", operation_id = "readyz", tag = "operation",
    responses(
        (status = 200, description = "They can.", body = Health),
        (status = 503, description = "They can't (`not_ready`): it stops, or the store takes no writes.",
         body = Document<'static>, content_type = "application/problem+json",
         headers(("Retry-After", description = "When to ask again, in seconds."))),
    ),
)]
pub(crate) async fn readyz(State(api): Shared) -> Result<Response, Problem> {
    if api.hooks.is_ready() {
        Ok(answer::json(StatusCode::OK, &Health { status: "ready" }))
    } else {
        let detail = "events can't be accepted just now";
        let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, "not_ready", detail);
        Err(problem.with_retry_after(Duration::from_secs(1)))
    }
}
