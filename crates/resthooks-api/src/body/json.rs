//! The body of an ordinary request: one JSON object.

use std::sync::Arc;

use axum::body::HttpBody as _;
use axum::extract::{FromRequest, Request};
use bytes::Bytes;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::MAX_BODY_BYTES;
use super::diagnose::{malformed, refuse};
use super::receive::{MediaType, receive, unsupported};
use crate::api::Api;
use crate::problem::Problem;

/// Takes a `T` from a request's body. All of `T`'s fields must be optional: which ones are missing is the handler's
/// to say, together with what else is wrong.
#[derive(Debug)]
pub(crate) struct JsonBody<T, const LIMIT: usize = MAX_BODY_BYTES>(pub T);

impl<T: DeserializeOwned, const LIMIT: usize> FromRequest<Arc<Api>> for JsonBody<T, LIMIT> {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Arc<Api>) -> Result<Self, Problem> {
        let bytes = receive_json(request, api, LIMIT).await?;
        parse(&bytes).map(Self)
    }
}

/// The same for a request that may as well have no body.
#[derive(Debug)]
pub(crate) struct OptionalJsonBody<T>(pub T);

impl<T: DeserializeOwned + Default> FromRequest<Arc<Api>> for OptionalJsonBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Arc<Api>) -> Result<Self, Problem> {
        if request.body().is_end_stream() {
            return Ok(Self(T::default()));
        }
        let media = MediaType::of(request.headers());
        let received = receive(request.into_body(), MAX_BODY_BYTES, api.options.body_timeout).await?;
        if received.bytes.is_empty() {
            return Ok(Self(T::default()));
        }
        json_only(media)?;
        parse(&received.bytes).map(Self)
    }
}

/// For requests that need no body: one without members is let pass.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NoFields {}

async fn receive_json(request: Request, api: &Api, limit: usize) -> Result<Bytes, Problem> {
    json_only(MediaType::of(request.headers()))?;
    let received = receive(request.into_body(), limit, api.options.body_timeout).await?;
    Ok(received.bytes)
}

fn json_only(media: Result<MediaType, Problem>) -> Result<(), Problem> {
    match media? {
        MediaType::Json => Ok(()),
        MediaType::Ndjson => {
            Err(unsupported("the body must be one JSON object, with content-type: application/json"))
        }
    }
}

/// Reads a body once; only when that fails it is read again, to name what is wrong.
pub(crate) fn parse<'de, T: Deserialize<'de>>(body: &'de [u8]) -> Result<T, Problem> {
    if body.trim_ascii_start().first() != Some(&b'{') {
        return Err(refuse_shape(body, "must be a JSON object"));
    }
    serde_json::from_slice(body).map_err(|error| refuse::<T>(body, &error))
}

/// The refusal of what does not begin as it should. (A derived `Deserialize` would take an array for an object.)
pub(crate) fn refuse_shape(body: &[u8], wanted: &str) -> Problem {
    match serde_json::from_slice::<&RawValue>(body) {
        Ok(_) => Problem::field("body", wanted),
        Err(error) => malformed(&error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        name: Option<String>,
    }

    #[test]
    fn only_objects_are_read() {
        assert_eq!(parse::<Sample>(b" {\"name\":\"x\"}\n").unwrap().name.as_deref(), Some("x"));
        for (body, code) in [
            ("", "malformed_json"),
            ("[", "malformed_json"),
            ("[]", "validation_failed"),
            ("[\"x\"]", "validation_failed"),
            ("null", "validation_failed"),
            ("{\"name\":1}", "validation_failed"),
            ("{\"name\":\"x\"} 1", "malformed_json"),
        ] {
            assert_eq!(parse::<Sample>(body.as_bytes()).unwrap_err().code(), code, "{body}");
        }
        assert_eq!(parse::<Sample>(b"{\"name\":\"\xff\"}").unwrap_err().code(), "malformed_json");
    }
}
