//! One HTTP request to a target, and what came of it.

use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Timestamp;

/// Why an attempt got no usable answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorClass {
    /// The host's name could not be resolved.
    Dns,
    /// The connection was refused.
    Refused,
    /// The host or network could not be reached.
    Unreachable,
    /// The TLS handshake failed: certificate, name, protocol.
    Tls,
    /// Connecting, or the answer's head, took longer than allowed.
    Timeout,
    /// The connection broke before the answer's head was complete.
    Reset,
    /// The address is not one that we may send to.
    BlockedAddress,
    /// The answer's head is larger than allowed.
    ResponseTooLarge,
    /// The answer is not HTTP.
    InvalidResponse,
    /// The request could not be built for this target.
    InvalidRequest,
    /// The outbound proxy could not be reached, or did not connect to the target.
    Proxy,
}

impl ErrorClass {
    /// Every class, for metrics and documents.
    pub const ALL: [Self; 11] = [
        Self::Dns,
        Self::Refused,
        Self::Unreachable,
        Self::Tls,
        Self::Timeout,
        Self::Reset,
        Self::BlockedAddress,
        Self::ResponseTooLarge,
        Self::InvalidResponse,
        Self::InvalidRequest,
        Self::Proxy,
    ];

    /// The word used in JSON and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Dns => "dns",
            Self::Refused => "refused",
            Self::Unreachable => "unreachable",
            Self::Tls => "tls",
            Self::Timeout => "timeout",
            Self::Reset => "reset",
            Self::BlockedAddress => "blocked_address",
            Self::ResponseTooLarge => "response_too_large",
            Self::InvalidResponse => "invalid_response",
            Self::InvalidRequest => "invalid_request",
            Self::Proxy => "proxy",
        }
    }
}

/// One attempt: when, how long, where to, and the answer or the error. Exactly one of `status_code` and `error`
/// is set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// From 1, as in `x-hook-attempt`; manual retries count on.
    pub number: u32,
    /// When it began.
    pub started_at: Timestamp,
    /// From its begin to the end of the (cut) answer, in microseconds.
    pub duration_us: u64,
    /// The address that was connected to, once there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<SocketAddr>,
    /// The answer's status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_code: Option<u16>,
    /// Why there was no answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorClass>,
    /// The error in words. Holds no secret and nothing of the payload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_detail: Option<String>,
    /// The answer's headers in their order, values as lossy UTF-8, bounded in all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub response_headers: Vec<(String, String)>,
    /// The first 16 KiB of the answer's body, as lossy UTF-8.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub response_body: String,
    /// Whether the answer's body was longer than what is kept, or did not end in time.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub response_truncated: bool,
    /// Asked for by hand; such attempts never change the automatic schedule.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub manual: bool,
    /// What the answer's `Retry-After` asked for, in milliseconds from the attempt's end. Not stored.
    #[serde(skip)]
    pub retry_after: Option<Duration>,
}

impl Attempt {
    /// Whether the target acknowledged (2xx).
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.status_code.is_some_and(|code| (200..300).contains(&code))
    }
}
