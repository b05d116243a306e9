//! `GET /docs`: the OpenAPI document as a page, rendered here and loading nothing from elsewhere.

mod markup;
mod page;
mod schema;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::HeaderValue;
use http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};

use crate::api::Shared;
use crate::openapi::document;

/// Nothing but the page's own styles: no script, no picture, no frame.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

/// The documentation as a page
#[utoipa::path(
    get, path = "/docs", operation_id = "docs", tag = "operation",
    responses((status = 200, description = "A page for humans.", body = String, content_type = "text/html")),
)]
pub(crate) async fn docs(State(api): Shared) -> Response {
    let text = api.docs.get_or_init(|| {
        let url = api.options.public_url.as_deref();
        Bytes::from(page::render(&document(url), url.unwrap_or("http://127.0.0.1:8080")))
    });
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    ];
    (headers, text.clone()).into_response()
}
