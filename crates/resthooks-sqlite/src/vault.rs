//! The keys that a store's secrets are sealed with: where they come from, whether they are enough, and sealing what an
//! earlier version wrote in clear. At opening, before anybody else has the file.
//!
//! Must never make a key for a store whose secrets are sealed with another one.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use resthooks::env::SystemRandom;
use resthooks::model::SubscriptionNo;
use resthooks::seal::{Vault, key_file};
use resthooks::store::Error;
use rusqlite::{Connection, TransactionBehavior};

use crate::Options;
use crate::control::{lacking, note_sealing_key, reseal, sealing_keys};
use crate::failure::from_sqlite;

/// Subscriptions that are sealed in one transaction.
const STEP: usize = 500;

/// The vault for this store, with all that is in use.
pub(crate) fn open(
    store: &Path,
    connection: &mut Connection,
    options: &Options,
) -> Result<Arc<Vault>, Error> {
    let in_use = sealing_keys(connection)?;
    let vault = match &options.vault {
        Some(vault) => Arc::clone(vault),
        None => {
            let path = options.key_file.clone().unwrap_or_else(|| beside(store));
            Arc::new(of_file(&path, &in_use)?)
        }
    };
    if let Some(missing) = in_use.iter().find(|id| !vault.has(id)) {
        return Err(lacking(missing));
    }
    note_sealing_key(connection, &vault)?;
    if has_clear_text(connection)? {
        clear_up(connection, &vault)?;
    }
    Ok(vault)
}

/// The key file of a store.
fn beside(store: &Path) -> PathBuf {
    let mut name = OsString::from(store);
    name.push(".key");
    name.into()
}

/// With the keys of the file, which is made for a store in which nothing is sealed yet.
fn of_file(path: &Path, in_use: &[String]) -> Result<Vault, Error> {
    let loaded =
        key_file::of_store(path, in_use, &SystemRandom).map_err(|e| Error::Unusable(e.to_string()))?;
    if loaded.made {
        let path = path.display();
        tracing::info!(%path, "made a key that secrets are sealed with; without a copy of this file they are lost with it");
    }
    Ok(loaded.vault())
}

/// Whether secrets that an earlier version wrote in clear may still lie in the file.
fn has_clear_text(connection: &Connection) -> Result<bool, Error> {
    connection.prepare("SELECT 1 FROM clear_text").and_then(|mut ask| ask.exists([])).map_err(from_sqlite)
}

/// Seals what an earlier version wrote in clear, then writes the whole file anew: what was changed or deleted before lies
/// in it as well, where nothing is stored any more. Begun again when it was cut.
fn clear_up(connection: &mut Connection, vault: &Vault) -> Result<(), Error> {
    tracing::info!("sealing the secrets that an earlier version wrote in clear, and writing the store anew");
    let mut after = Some(SubscriptionNo(0));
    while let Some(last) = after {
        let transaction =
            connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(from_sqlite)?;
        after = reseal(&transaction, vault, last, STEP)?;
        transaction.commit().map_err(from_sqlite)?;
    }
    match write_anew(connection) {
        Err(Error::Unavailable(why)) => {
            // What can be read of the store is sealed; the rest is for whoever has its file, and for the next start.
            tracing::warn!(
                why,
                "the store could not be written anew: secrets of before may lie in clear in its file until it can"
            );
            Ok(())
        }
        done => done,
    }
}

fn write_anew(connection: &Connection) -> Result<(), Error> {
    // A store may be larger than memory.
    connection.pragma_update(None, "temp_store", "FILE").map_err(from_sqlite)?;
    let done = connection.execute_batch("VACUUM");
    connection.pragma_update(None, "temp_store", "MEMORY").map_err(from_sqlite)?;
    done.map_err(from_sqlite)?;
    let moved = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0));
    if moved.map_err(from_sqlite)? != 0 {
        return Err(Error::Unavailable("another program has it open".to_owned()));
    }
    connection.execute_batch("DELETE FROM clear_text").map_err(from_sqlite)
}
