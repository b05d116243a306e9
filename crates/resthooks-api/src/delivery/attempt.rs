//! What an attempt looks like.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use resthooks::model::{Attempt, ErrorClass, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

/// One HTTP request to a target, and what came of it. Exactly one of `status_code` and `error` is set.
#[derive(Serialize, ToSchema)]
#[schema(as = Attempt)]
pub(crate) struct Resource<'a> {
    /// From 1, as in `x-hook-attempt`.
    number: u32,
    /// When it began.
    #[schema(value_type = String, format = DateTime)]
    started_at: Timestamp,
    /// How long it took, in milliseconds.
    #[schema(example = 12.345)]
    duration_ms: f64,
    /// The address that was connected to; `null` when there was none.
    #[schema(value_type = Option<String>, required = true, example = "203.0.113.7:443")]
    address: Option<SocketAddr>,
    /// The answer's status.
    #[schema(required = true, example = 200)]
    status_code: Option<u16>,
    /// Why there was no usable answer: `dns`, `refused`, `unreachable`, `tls`, `timeout`, `reset`,
    /// `blocked_address`, `response_too_large`, `invalid_response`, `invalid_request` or `proxy`.
    #[schema(value_type = Option<String>, required = true)]
    error: Option<ErrorClass>,
    /// The error in words.
    #[schema(required = true)]
    error_detail: Option<&'a str>,
    /// The answer's headers: names to values, in their order.
    #[schema(value_type = BTreeMap<String, Vec<String>>)]
    response_headers: BTreeMap<&'a str, Vec<&'a str>>,
    /// The first 16 KiB of the answer's body.
    response_body: &'a str,
    /// Whether the answer's body was longer than that, or did not end in time.
    response_truncated: bool,
    /// Whether it was asked for by hand.
    manual: bool,
}

impl<'a> Resource<'a> {
    pub(crate) fn of(attempt: &'a Attempt) -> Self {
        let mut response_headers: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (name, value) in &attempt.response_headers {
            response_headers.entry(name).or_default().push(value);
        }
        Self {
            number: attempt.number,
            started_at: attempt.started_at,
            #[expect(clippy::cast_precision_loss, reason = "exact up to 285 years")]
            duration_ms: attempt.duration_us as f64 / 1000.0,
            address: attempt.address,
            status_code: attempt.status_code,
            error: attempt.error,
            error_detail: attempt.error_detail.as_deref(),
            response_headers,
            response_body: &attempt.response_body,
            response_truncated: attempt.response_truncated,
            manual: attempt.manual,
        }
    }
}
