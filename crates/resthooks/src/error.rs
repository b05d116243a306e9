//! What a caller of [`Hooks`](crate::Hooks) can get instead of an answer.

use std::time::Duration;

use crate::model::Invalid;
use crate::store;

/// Something wrong with one field of what a caller sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// The field's name, with its place in nested values: `target_url`, `events[2]`, `headers.host`, `[3].data`.
    pub field: String,
    /// What is wrong with it, or what was expected.
    pub message: String,
}

impl FieldError {
    /// Builds one.
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into() }
    }
}

/// Why something was not done. Nothing was changed, unless said otherwise.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Understood, but not valid: each field with its error.
    #[error("invalid: {}", .0.iter().map(|e| format!("{} {}", e.field, e.message)).collect::<Vec<_>>().join("; "))]
    Invalid(Vec<FieldError>),
    /// Events of this type are not known, or no longer accepted.
    #[error("unknown event type {name}")]
    UnknownEventType {
        /// The field that names it: `event`, in a batch `[3].event`.
        field: String,
        /// The name.
        name: String,
    },
    /// Absent, or another account's.
    #[error("not found")]
    NotFound,
    /// It contradicts what is there. `code` is a stable snake_case word.
    #[error("{detail}")]
    Conflict {
        /// A stable snake_case word, such as `idempotency_conflict`.
        code: &'static str,
        /// What contradicts what.
        detail: String,
    },
    /// Not so soon again. `code` is a stable snake_case word.
    #[error("{detail}")]
    TooSoon {
        /// A stable snake_case word, such as `asked_too_soon`.
        code: &'static str,
        /// When to try again.
        retry_after: Duration,
        /// What it is too soon for.
        detail: String,
    },
    /// A field is larger than allowed.
    #[error("{field} is larger than {limit} bytes")]
    TooLarge {
        /// The field's name.
        field: String,
        /// The limit in bytes.
        limit: usize,
    },
    /// It can't be done durably just now; worth trying again after a while.
    #[error("unavailable: {detail}")]
    Unavailable {
        /// When to try again.
        retry_after: Duration,
        /// Why.
        detail: String,
    },
    /// Something is broken on our side.
    #[error("internal: {0}")]
    Internal(String),
}

impl Error {
    /// One field's error.
    pub fn field(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Invalid(vec![FieldError::new(field, message)])
    }

    /// For `map_err` on a value parsed from this field.
    pub(crate) fn at(field: &str) -> impl Fn(Invalid) -> Self {
        move |invalid| Self::field(field, invalid.0)
    }
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::Unavailable(detail) | store::Error::InDoubt(detail) => {
                Self::Unavailable { retry_after: Duration::from_secs(1), detail }
            }
            store::Error::Fenced | store::Error::Overtaken => {
                Self::Unavailable { retry_after: Duration::from_secs(1), detail: error.to_string() }
            }
            store::Error::Exists => {
                Self::Conflict { code: "already_exists", detail: "already exists".to_owned() }
            }
            store::Error::Corrupt(detail) | store::Error::Unusable(detail) => Self::Internal(detail),
        }
    }
}
