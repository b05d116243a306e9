//! The one place where the engine's errors become answers.

use http::StatusCode;
use resthooks::{Error, FieldError};

use crate::problem::Problem;

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::Invalid(errors) => Self::invalid(errors),
            Error::UnknownEventType { field, name } => {
                let message = "is not a known event type, or takes no new events";
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "unknown_event_type", format!("{name} {message}"))
                    .with_errors(vec![FieldError::new(field, message)])
            }
            Error::NotFound => Self::not_found(),
            Error::Conflict { code, detail } => Self::new(StatusCode::CONFLICT, code, detail),
            Error::TooSoon { code, retry_after, detail } => {
                Self::new(StatusCode::TOO_MANY_REQUESTS, code, detail).with_retry_after(retry_after)
            }
            Error::TooLarge { field, limit } => {
                let message = format!("must be at most {limit} bytes");
                Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", format!("{field} {message}"))
                    .with_errors(vec![FieldError::new(field, message)])
            }
            Error::Unavailable { retry_after, detail } => {
                // The engine has logged the failure itself, once.
                tracing::debug!(detail, "refused a request");
                // Why is for the operator: paths and disks are none of the caller's business.
                Self::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "unavailable",
                    "this can't be made durable just now: try again, under the same id if it has one",
                )
                .with_retry_after(retry_after)
            }
            Error::Internal(detail) => {
                tracing::error!(detail, "failed to answer a request");
                Self::new(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "internal",
                    "something is broken on our side; it has been logged",
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::response::IntoResponse;

    use super::*;

    #[test]
    fn each_error_has_its_status() {
        let unavailable = Error::Unavailable { retry_after: Duration::from_millis(1200), detail: "x".into() };
        let too_soon = Error::TooSoon {
            code: "asked_too_soon",
            retry_after: Duration::from_secs(5),
            detail: "x".into(),
        };
        for (error, status) in [
            (Error::field("a", "b"), 422),
            (Error::UnknownEventType { field: "event".into(), name: "a.b".into() }, 422),
            (Error::NotFound, 404),
            (Error::Conflict { code: "already_exists", detail: "x".into() }, 409),
            (Error::TooLarge { field: "data".into(), limit: 1 }, 413),
            (too_soon, 429),
            (unavailable, 503),
            (Error::Internal("secret path".into()), 500),
        ] {
            let response = Problem::from(error).into_response();
            assert_eq!(response.status().as_u16(), status);
            assert_eq!(response.headers()["content-type"], "application/problem+json");
            assert_eq!(response.headers().get("retry-after").is_some(), matches!(status, 429 | 503));
        }
    }

    #[test]
    fn retry_after_is_rounded_up() {
        let error = Error::Unavailable { retry_after: Duration::from_millis(1200), detail: "x".into() };
        assert_eq!(Problem::from(error).into_response().headers()["retry-after"], "2");
    }
}
