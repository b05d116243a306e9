//! The tables, and how a file made by an earlier version gets them.
//!
//! Migrations go forward only, each in a transaction of its own. A file that is not ours, or that a newer version
//! has written, is refused before anything in it is changed.

use std::path::Path;

use resthooks::model::Timestamp;
use resthooks::store::Error;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

use crate::failure::{at_opening, from_sqlite};

/// "RHks": tells our files from other SQLite files.
const APPLICATION_ID: i32 = 0x5248_6b73;

/// Every migration, in order; a file's version is how many of them it has had. None is ever changed or removed.
const MIGRATIONS: [&str; 4] = [
    include_str!("../migrations/0001_initial.sql"),
    include_str!("../migrations/0002_subscription_version.sql"),
    include_str!("../migrations/0003_trust.sql"),
    include_str!("../migrations/0004_planned.sql"),
];

/// Refuses a file that we must not touch. Changes nothing.
pub(crate) fn check(path: &Path) -> Result<(), Error> {
    if !std::fs::metadata(path).is_ok_and(|file| file.len() > 0) {
        return Ok(());
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let shown = path.display();
    let connection = Connection::open_with_flags(path, flags).map_err(|e| at_opening(path, e))?;
    // Closing must not move a write-ahead log that is not ours into the file.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).map_err(from_sqlite)?;
    let identity = identity(&connection).map_err(|e| match e.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => Error::Unusable(format!("{shown} is not a SQLite file")),
        _ => from_sqlite(e),
    })?;
    match identity {
        Identity { application: 0, tables: 0, .. } => Ok(()),
        Identity { application: APPLICATION_ID, version, .. } if version <= MIGRATIONS.len() => Ok(()),
        Identity { application: APPLICATION_ID, version, .. } => Err(Error::Unusable(format!(
            "{shown} was written by a newer version of resthooks (its tables have version {version}, this one knows \
             {})",
            MIGRATIONS.len()
        ))),
        _ => Err(Error::Unusable(format!("{shown} is a SQLite file of another application"))),
    }
}

struct Identity {
    application: i32,
    version: usize,
    tables: u32,
}

fn identity(connection: &Connection) -> rusqlite::Result<Identity> {
    Ok(Identity {
        application: connection.pragma_query_value(None, "application_id", |row| row.get(0))?,
        version: version(connection)?,
        tables: connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?,
    })
}

fn version(connection: &Connection) -> rusqlite::Result<usize> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

/// Brings the file to this version.
pub(crate) fn migrate(connection: &mut Connection, now: Timestamp) -> Result<(), Error> {
    migrate_with(connection, now, &MIGRATIONS).map_err(from_sqlite)
}

fn migrate_with(connection: &mut Connection, now: Timestamp, migrations: &[&str]) -> rusqlite::Result<()> {
    let done = version(connection)?;
    for (index, migration) in migrations.iter().enumerate().skip(done) {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.execute_batch(
            "CREATE TABLE IF NOT EXISTS migration (version INTEGER PRIMARY KEY, applied_at INTEGER NOT NULL) STRICT",
        )?;
        transaction.execute_batch(migration)?;
        transaction.execute(
            "INSERT INTO migration (version, applied_at) VALUES (?1, ?2)",
            (index + 1, now.as_millis()),
        )?;
        transaction.pragma_update(None, "user_version", index + 1)?;
        transaction.commit()?;
    }
    Ok(())
}

/// An empty store in memory, for tests of what is asked of it.
#[cfg(test)]
pub(crate) fn in_memory() -> Connection {
    let mut connection = Connection::open_in_memory().expect("memory is there");
    migrate(&mut connection, Timestamp::EPOCH).expect("the migrations run");
    connection
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_migration_runs_once_and_a_failing_one_leaves_nothing() {
        let mut connection = Connection::open_in_memory().unwrap();
        let at = Timestamp::from_millis;
        let steps = ["CREATE TABLE a (x)", "CREATE TABLE b (x)"];
        migrate_with(&mut connection, at(1), &steps[..1]).unwrap();
        migrate_with(&mut connection, at(2), &["never run again", "CREATE TABLE c (x); nonsense"])
            .unwrap_err();
        assert_eq!(version(&connection).unwrap(), 1);
        migrate_with(&mut connection, at(3), &steps).unwrap();
        let applied: Vec<(i64, i64)> = connection
            .prepare("SELECT version, applied_at FROM migration ORDER BY version")
            .unwrap()
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        assert_eq!(applied, [(1, 1), (2, 3)]);
        let tables: String = connection
            .query_row("SELECT group_concat(name, ' ') FROM sqlite_schema WHERE name < 'm'", [], |row| {
                row.get(0)
            })
            .unwrap();
        assert_eq!(tables, "a b");
    }
}
