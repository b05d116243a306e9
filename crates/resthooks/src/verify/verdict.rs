//! What is found out about a request.

use serde::Serialize;

/// What is wrong, in a stable word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// Nothing.
    Good,
    /// The body is as it was sent, but the signature was made with none of the subscription's secrets.
    WrongSecret,
    /// The body says something else than what was sent.
    BodyChanged,
    /// The body says the same as what was sent, in other bytes.
    BodyReserialized,
    /// The signature is right, and older than the tolerance.
    TimestampTooOld,
    /// The signature is right, and its time further ahead than the tolerance.
    TimestampInFuture,
    /// A header that is needed is not there.
    MissingHeader,
    /// A header can't be read.
    MalformedHeader,
    /// The signature was made with the secret before the last rotation, whose grace is over.
    SecretExpired,
    /// The `webhook-id` is none of the subscription's deliveries, and the signature fits none of its secrets.
    UnknownDelivery,
    /// Neither the body nor the signature is as it was sent, or there is nothing to compare them with.
    NoMatch,
}

/// How a signature was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Scheme {
    /// HMAC-SHA256 in `webhook-signature`.
    V1,
    /// Ed25519 in `webhook-signature`.
    V1a,
    /// HMAC-SHA256 in `x-hook-signature`.
    HookSignature,
}

/// The key that a signature was made with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Matched {
    /// How.
    pub scheme: Scheme,
    /// Whether by the key before the last rotation.
    pub is_previous: bool,
}

/// What is found out about a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// What is wrong.
    pub code: Code,
    /// The same in words, with what to do about it.
    pub detail: String,
    /// The key that fits the request, or the body as it was sent; `None` when none does.
    pub matched: Option<Matched>,
}

impl Verdict {
    pub(super) fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), matched: None }
    }

    pub(super) fn by(code: Code, detail: impl Into<String>, matched: Matched) -> Self {
        Self { code, detail: detail.into(), matched: Some(matched) }
    }

    /// Whether a receiver is right to accept the request.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        self.code == Code::Good
    }
}
