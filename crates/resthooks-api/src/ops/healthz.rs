//! `GET /healthz`

use axum::response::Response;
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use crate::answer;

/// How the process does.
#[derive(Serialize, ToSchema)]
pub(crate) struct Health {
    /// `ok`, or `ready`.
    #[schema(value_type = String, example = "ok")]
    pub status: &'static str,
}

/// Whether the process lives
///
/// Answers as long as requests are answered at all.
#[utoipa::path(
    get, path = "/healthz", operation_id = "healthz", tag = "operation",
    responses((status = 200, description = "It lives.", body = Health)),
)]
pub(crate) async fn healthz() -> Response {
    answer::json(StatusCode::OK, &Health { status: "ok" })
}
