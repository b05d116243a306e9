//! What every refused request is answered with: RFC 9457 `application/problem+json`.
//!
//! A problem says what the caller may know and no more: no secret, no payload, nothing of another account.

use std::fmt;
use std::time::Duration;

use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, StatusCode};
use resthooks::FieldError;
use resthooks::model::KeyScope;
use serde::Serialize;
use utoipa::ToSchema;

use crate::answer::NOSNIFF;

/// The challenges of a 401: what `Authorization` may hold.
const CHALLENGES: HeaderValue =
    HeaderValue::from_static(r#"Bearer realm="resthooks", Basic realm="resthooks", charset="UTF-8""#);
/// The same when what was shown has expired (RFC 6750, section 3).
const EXPIRED: HeaderValue = HeaderValue::from_static(
    r#"Bearer realm="resthooks", error="invalid_token", error_description="expired", Basic realm="resthooks", charset="UTF-8""#,
);
const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");

/// A refusal, on its way to the caller. Boxed inside, so that it costs nothing on the way of what succeeds.
#[derive(Debug)]
pub(crate) struct Problem(Box<Inner>);

#[derive(Debug)]
struct Inner {
    status: StatusCode,
    code: &'static str,
    detail: String,
    errors: Vec<FieldError>,
    retry_after: Option<Duration>,
    challenge: Option<HeaderValue>,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            status,
            code,
            detail: detail.into(),
            errors: Vec::new(),
            retry_after: None,
            challenge: None,
        }))
    }

    /// 422 with each field's error.
    pub(crate) fn invalid(errors: Vec<FieldError>) -> Self {
        let detail = match errors.as_slice() {
            [one] => format!("{} {}", one.field, one.message),
            more => format!("{} fields are invalid", more.len()),
        };
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "validation_failed", detail).with_errors(errors)
    }

    /// 422 for one field.
    pub(crate) fn field(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::invalid(vec![FieldError::new(field, message)])
    }

    /// 404: absent, or another account's; the two read alike.
    pub(crate) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "there is nothing here that you may see")
    }

    /// 401 with what may be tried.
    pub(crate) fn unauthorized(detail: &str) -> Self {
        let mut problem = Self::new(StatusCode::UNAUTHORIZED, "unauthorized", detail);
        problem.0.challenge = Some(CHALLENGES);
        problem
    }

    /// 401 for credentials that were good and are not any more.
    pub(crate) fn expired(code: &'static str, detail: &str) -> Self {
        let mut problem = Self::new(StatusCode::UNAUTHORIZED, code, detail);
        problem.0.challenge = Some(EXPIRED);
        problem
    }

    /// 403 for a key that may not do everything, with the scope that would do.
    pub(crate) fn insufficient_scope(scope: KeyScope) -> Self {
        let detail = format!("this key may not do that: it needs the scope {scope}");
        let mut problem = Self::new(StatusCode::FORBIDDEN, "insufficient_scope", detail);
        let challenge = format!(r#"Bearer realm="resthooks", error="insufficient_scope", scope="{scope}""#);
        problem.0.challenge = HeaderValue::from_str(&challenge).ok();
        problem
    }

    pub(crate) fn with_errors(mut self, errors: Vec<FieldError>) -> Self {
        self.0.errors = errors;
        self
    }

    pub(crate) fn with_retry_after(mut self, after: Duration) -> Self {
        self.0.retry_after = Some(after);
        self
    }

    /// For callers whose credentials are not ours to ask for.
    pub(crate) fn without_challenge(mut self) -> Self {
        self.0.challenge = None;
        self
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.0.status
    }

    #[cfg(test)]
    pub(crate) fn code(&self) -> &'static str {
        self.0.code
    }

    pub(crate) fn errors(&self) -> &[FieldError] {
        &self.0.errors
    }

    pub(crate) fn into_errors(self) -> Vec<FieldError> {
        self.0.errors
    }

    /// Both of two refusals when both name fields, else the first.
    pub(crate) fn and(self, other: Self) -> Self {
        if self.0.errors.is_empty() || other.0.errors.is_empty() {
            return self;
        }
        let mut errors = self.0.errors;
        errors.extend(other.0.errors);
        Self::invalid(errors)
    }

    /// Says in which part of the request it is wrong.
    pub(crate) fn at(mut self, place: &str) -> Self {
        self.0.detail = format!("{place}: {}", self.0.detail);
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.0.status.as_u16(), self.0.code, self.0.detail)
    }
}

/// One field of a request that is not valid.
#[derive(Serialize, ToSchema)]
struct FieldProblem<'a> {
    /// The field or query parameter, with its place in nested values, such as `events[2]` or `[3].data`.
    field: &'a str,
    /// What is wrong with it, or what was expected.
    message: &'a str,
}

/// Why a request was refused (RFC 9457).
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct Document<'a> {
    /// A URN made of `code`.
    #[serde(rename = "type")]
    #[schema(example = "urn:resthooks:problem:validation_failed")]
    kind: String,
    /// The status in words.
    title: &'a str,
    /// The status code, as in the answer's first line.
    status: u16,
    /// What is wrong with this request.
    detail: &'a str,
    /// A stable word for programs to branch on.
    #[schema(example = "validation_failed")]
    code: &'a str,
    /// The fields that are not valid; with 422 and 413.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    errors: Vec<FieldProblem<'a>>,
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Inner { status, code, detail, errors, retry_after, challenge } = *self.0;
        let document = Document {
            kind: format!("urn:resthooks:problem:{code}"),
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            detail: &detail,
            code,
            errors: errors.iter().map(|e| FieldProblem { field: &e.field, message: &e.message }).collect(),
        };
        let body = serde_json::to_vec(&document).expect("text and numbers always serialise");
        let mut response =
            (status, [(CONTENT_TYPE, PROBLEM_JSON), (X_CONTENT_TYPE_OPTIONS, NOSNIFF)], body).into_response();
        if let Some(after) = retry_after {
            // Whole seconds, never zero: a client that takes it by its word must not come back at once.
            let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds.max(1)));
        }
        if let Some(challenge) = challenge {
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
        response
    }
}
