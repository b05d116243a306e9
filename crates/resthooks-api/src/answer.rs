//! How what succeeded is answered.

use axum::extract::OriginalUri;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, LOCATION, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, StatusCode};
use serde::Serialize;

pub(crate) const APPLICATION_JSON: HeaderValue = HeaderValue::from_static("application/json");

/// No browser may take an answer for something else than it says: a payload for a page, for instance.
pub(crate) const NOSNIFF: HeaderValue = HeaderValue::from_static("nosniff");

/// Answers with a JSON body.
pub(crate) fn json<T: Serialize + ?Sized>(status: StatusCode, value: &T) -> Response {
    let body = serde_json::to_vec(value).expect("every answer is made of text keys and finite numbers");
    text(status, body)
}

/// Answers with a body that is JSON already.
pub(crate) fn text(status: StatusCode, json: impl Into<axum::body::Body>) -> Response {
    (status, [(CONTENT_TYPE, APPLICATION_JSON), (X_CONTENT_TYPE_OPTIONS, NOSNIFF)], json.into())
        .into_response()
}

/// Answers with something that must not lie in any cache: a secret, a key.
pub(crate) fn secret<T: Serialize>(status: StatusCode, value: &T) -> Response {
    let mut response = json(status, value);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Says where the thing is that has been created: below the list that it was posted to.
pub(crate) fn created(uri: &OriginalUri, id: &str, mut response: Response) -> Response {
    *response.status_mut() = StatusCode::CREATED;
    let location = format!("{}/{id}/", uri.path().trim_end_matches('/'));
    if let Ok(location) = HeaderValue::from_str(&location) {
        response.headers_mut().insert(LOCATION, location);
    }
    response
}

/// Answers that something has been done, and nothing more.
pub(crate) fn done() -> Response {
    StatusCode::NO_CONTENT.into_response()
}
