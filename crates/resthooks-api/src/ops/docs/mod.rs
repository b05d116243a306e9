//! `GET /docs`: the OpenAPI document as a page, rendered here and loading nothing from elsewhere.

mod markup;
mod page;
mod schema;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::HeaderValue;
use http::header::{
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};

use crate::answer::NOSNIFF;
use crate::api::Shared;
use crate::openapi::document;

/// The page, and what browsers are told of it.
#[derive(Debug)]
pub(crate) struct Page {
    text: Bytes,
    policy: HeaderValue,
}

impl Page {
    fn render(url: Option<&str>) -> Self {
        let text = page::render(&document(url), url.unwrap_or("http://127.0.0.1:8080"));
        Self { text: Bytes::from(text), policy: policy(page::STYLE) }
    }
}

/// Nothing but this one style: no script, no picture, no frame, no other style even if somebody got it into the page.
fn policy(style: &str) -> HeaderValue {
    let hash = STANDARD.encode(ring::digest::digest(&ring::digest::SHA256, style.as_bytes()));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    HeaderValue::from_str(&policy).expect("Base64 fits a header")
}

/// The documentation as a page
#[utoipa::path(
    get, path = "/docs", operation_id = "docs", tag = "operation",
    responses((status = 200, description = "A page for humans.", body = String, content_type = "text/html")),
)]
pub(crate) async fn docs(State(api): Shared) -> Response {
    let page = api.docs.get_or_init(|| Page::render(api.options.public_url.as_deref()));
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (CONTENT_SECURITY_POLICY, page.policy.clone()),
        (X_CONTENT_TYPE_OPTIONS, NOSNIFF),
        (X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
        (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    ];
    (headers, page.text.clone()).into_response()
}
