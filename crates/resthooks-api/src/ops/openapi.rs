//! `GET /openapi.json`

use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use http::StatusCode;

use crate::answer;
use crate::api::Shared;
use crate::openapi::document;

/// This document
#[utoipa::path(
    get, path = "/openapi.json", operation_id = "openapi", tag = "operation",
    responses((status = 200, description = "OpenAPI 3.1.", body = Object)),
)]
pub(crate) async fn openapi(State(api): Shared) -> Response {
    let text = api.document.get_or_init(|| {
        let document = document(api.options.public_url.as_deref());
        Bytes::from(serde_json::to_vec(&document).expect("the document has text keys and finite numbers"))
    });
    answer::text(StatusCode::OK, text.clone())
}
