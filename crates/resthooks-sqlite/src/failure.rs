//! SQLite's errors in the store's words.

use std::path::Path;

use resthooks::store::Error;
use rusqlite::ErrorCode;

/// What a failed call into SQLite means to the store's caller.
pub(crate) fn from_sqlite(error: rusqlite::Error) -> Error {
    let Some(code) = error.sqlite_error_code() else {
        // All others are answers that don't have the form asked for.
        return Error::Corrupt(error.to_string());
    };
    match code {
        ErrorCode::ConstraintViolation => Error::Exists,
        ErrorCode::DatabaseCorrupt
        | ErrorCode::NotADatabase
        | ErrorCode::TypeMismatch
        | ErrorCode::SchemaChanged
        | ErrorCode::ParameterOutOfRange
        | ErrorCode::InternalMalfunction
        | ErrorCode::ApiMisuse
        | ErrorCode::Unknown => Error::Corrupt(error.to_string()),
        _ => Error::Unavailable(error.to_string()),
    }
}

/// The same for a connection that could not be opened: no file there, or none that may be written.
pub(crate) fn at_opening(path: &Path, error: rusqlite::Error) -> Error {
    match error.sqlite_error_code() {
        Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied | ErrorCode::ReadOnly) => {
            Error::Unusable(format!("can't open {}: {error}", path.display()))
        }
        _ => from_sqlite(error),
    }
}

/// The same refusal for another one who waited for the same transaction.
pub(crate) fn again(error: &Error) -> Error {
    match error {
        Error::Unavailable(why) => Error::Unavailable(why.clone()),
        Error::Corrupt(why) => Error::Corrupt(why.clone()),
        Error::Unusable(why) => Error::Unusable(why.clone()),
        Error::InDoubt(why) => Error::InDoubt(why.clone()),
        Error::Fenced => Error::Fenced,
        Error::Overtaken => Error::Overtaken,
        Error::Exists => Error::Exists,
    }
}

pub(crate) fn closed() -> Error {
    Error::Unavailable("it is closed".to_owned())
}

pub(crate) fn corrupt(what: &str) -> Error {
    Error::Corrupt(format!("{what} can't be read"))
}
