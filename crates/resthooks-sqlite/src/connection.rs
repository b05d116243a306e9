//! Opens connections with the settings that durability and the memory budget ask for.

use std::path::Path;
use std::time::Duration;

use resthooks::store::Error;
use rusqlite::{Connection, OpenFlags};

use crate::Options;
use crate::failure::{at_opening, from_sqlite};

/// Fixed when a file is made.
pub(crate) const PAGE_SIZE: u32 = 4096;

/// How long a connection waits for another one's lock. Only a restart of the write-ahead log and the first moment
/// of an opening ever meet one.
pub(crate) const BUSY: Duration = Duration::from_millis(100);

/// More than the crate's distinct statements, so that each is compiled once per connection.
const STATEMENTS: usize = 128;

/// The connection that writes, or the one that checkpoints.
pub(crate) fn open_writing(path: &Path, cache_kib: u32, options: &Options) -> Result<Connection, Error> {
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(|e| at_opening(path, e))?;
    set_writing(&connection, cache_kib, options).map_err(from_sqlite)?;
    Ok(connection)
}

fn set_writing(connection: &Connection, cache_kib: u32, options: &Options) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.pragma_update(None, "page_size", PAGE_SIZE)?;
    // Of a file that is being made, so that it can return what is deleted; of another one when it is written anew.
    connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.query_row("PRAGMA wal_autocheckpoint = 0", [], |_| Ok(()))?;
    let limit = i64::from(options.wal_limit_kib) * 1024;
    connection.query_row(&format!("PRAGMA journal_size_limit = {limit}"), [], |_| Ok(()))?;
    if let Some(pages) = options.max_pages {
        connection.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()))?;
    }
    set_all(connection, cache_kib)
}

/// A connection that can't write.
pub(crate) fn open_reading(path: &Path, cache_kib: u32) -> Result<Connection, Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(from_sqlite)?;
    connection.busy_timeout(BUSY).map_err(from_sqlite)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    set_all(&connection, cache_kib).map_err(from_sqlite)?;
    Ok(connection)
}

fn set_all(connection: &Connection, cache_kib: u32) -> rusqlite::Result<()> {
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "cache_size", -i64::from(cache_kib))?;
    connection.pragma_update(None, "trusted_schema", false)
}
