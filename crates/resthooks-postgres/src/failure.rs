//! PostgreSQL's errors in the store's words.

use resthooks::store::Error;
use tokio_postgres::error::{DbError, SqlState};

/// Why a statement did not do what it was asked.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// It met another one: worth trying at once.
    Again(String),
    /// The connection broke, or no answer came in time: whether it was done is not known.
    Lost(String),
    /// The rows have no partition to go to.
    NoPartition,
    /// Something with the same key is there.
    Taken,
    /// New events have to be numbered above this.
    TooLow(i64),
    /// It was not done, for this reason.
    Refused(Error),
    /// The same, and the connection leads where nothing can be written.
    Elsewhere(Error),
}

impl Trouble {
    /// For a statement that changes nothing, or may as well happen twice.
    pub(crate) fn harmless(self) -> Error {
        match self {
            Self::Lost(why) | Self::Again(why) => Error::Unavailable(why),
            other => other.told(),
        }
    }

    /// For a statement that may have happened.
    pub(crate) fn told(self) -> Error {
        match self {
            Self::Again(why) => Error::Unavailable(why),
            Self::Lost(why) => Error::InDoubt(why),
            Self::NoPartition => Error::Unavailable("there is no partition for these events".to_owned()),
            Self::Taken => Error::Exists,
            Self::TooLow(_) => Error::Unavailable("the node's clock is far behind".to_owned()),
            Self::Refused(error) | Self::Elsewhere(error) => error,
        }
    }
}

/// What a failed statement means.
pub(crate) fn from_postgres(error: &tokio_postgres::Error) -> Trouble {
    match error.as_db_error() {
        Some(db) => from_server(db),
        None if error.is_closed() => Trouble::Lost("the connection to the database was closed".to_owned()),
        // A failing read, write or parse: the driver does not go on with the connection.
        None => Trouble::Lost(described(error)),
    }
}

fn from_server(db: &DbError) -> Trouble {
    let why = || db.message().to_owned();
    match db.code().code() {
        "RH001" => return Trouble::Refused(Error::Fenced),
        "RH002" => return Trouble::Refused(Error::Overtaken),
        "RH003" => return Trouble::Refused(Error::Exists),
        "RH004" => return Trouble::TooLow(db.detail().and_then(|detail| detail.parse().ok()).unwrap_or(0)),
        "RH006" => return Trouble::Refused(Error::InDoubt(why())),
        "RH007" => return Trouble::Refused(Error::Unavailable(why())),
        "RH005" => return Trouble::Refused(Error::Unusable(why())),
        _ => {}
    }
    let code = db.code();
    if *code == SqlState::T_R_SERIALIZATION_FAILURE || *code == SqlState::T_R_DEADLOCK_DETECTED {
        return Trouble::Again(why());
    }
    if *code == SqlState::UNIQUE_VIOLATION {
        return Trouble::Taken;
    }
    if *code == SqlState::CHECK_VIOLATION {
        return Trouble::NoPartition;
    }
    if *code == SqlState::READ_ONLY_SQL_TRANSACTION {
        return Trouble::Elsewhere(Error::Unavailable(format!(
            "the database can only be read: {}",
            db.message()
        )));
    }
    if *code == SqlState::T_R_STATEMENT_COMPLETION_UNKNOWN {
        return Trouble::Lost(why());
    }
    match code.code().get(..2) {
        // Also when the server says farewell: a transaction may have been committed a moment before.
        Some("08") => Trouble::Lost(why()),
        Some("57") if code.code().starts_with("57P") => Trouble::Lost(why()),
        Some("53" | "55" | "57" | "58" | "25") => Trouble::Refused(Error::Unavailable(why())),
        Some("28" | "3D" | "3F" | "42") => Trouble::Refused(unusable(db)),
        _ => Trouble::Refused(Error::Corrupt(format!("{} (SQLSTATE {})", db.message(), code.code()))),
    }
}

/// What only a person can mend, with what to do.
fn unusable(db: &DbError) -> Error {
    let (code, why) = (db.code(), db.message());
    let advice = if *code == SqlState::INSUFFICIENT_PRIVILEGE {
        "the database's user needs to own the schema, or has to be given it"
    } else if code.code().starts_with("28") {
        "check the user and the password in the database's URL, and the server's pg_hba.conf"
    } else if *code == SqlState::INVALID_CATALOG_NAME {
        "create the database first, or name another one in its URL"
    } else {
        "its tables are not those of this version: run `resthooks migrate`"
    };
    Error::Unusable(format!("the database can't be used: {why}; {advice}"))
}

/// The same for a connection that did not come about: nothing was asked yet.
#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
pub(crate) fn at_connecting(error: tokio_postgres::Error) -> Error {
    let Some(db) = error.as_db_error() else {
        return Error::Unavailable(format!("can't connect to the database: {}", described(&error)));
    };
    match from_server(db) {
        Trouble::Refused(error @ Error::Unusable(_)) => error,
        _ => Error::Unavailable(format!("can't connect to the database: {}", db.message())),
    }
}

/// The driver's error with what is behind it. Holds no parameters.
fn described(error: &tokio_postgres::Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

pub(crate) fn closed() -> Error {
    Error::Unavailable("it is closed".to_owned())
}

pub(crate) fn corrupt(what: &str) -> Error {
    Error::Corrupt(format!("{what} can't be read"))
}
