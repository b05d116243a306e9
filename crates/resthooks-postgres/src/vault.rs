//! The keys that a store's secrets are sealed with: where they come from, and whether they are enough. At opening, once the
//! tables are at this version.
//!
//! Must never make a key for a store whose secrets are sealed with another one.

use std::path::Path;
use std::sync::Arc;

use resthooks::env::SystemRandom;
use resthooks::seal::{Vault, key_file};
use resthooks::store::Error;

use crate::Options;
use crate::control::{bring_keys, sealing_keys};
use crate::database::Database;

/// Refuses to go on when it is not said where the keys are.
pub(crate) fn check(options: &Options) -> Result<(), Error> {
    if options.vault.is_some() || options.key_file.is_some() { Ok(()) } else { Err(none_given()) }
}

fn none_given() -> Error {
    Error::Unusable(
        "a store in PostgreSQL needs the secret key that its secrets are sealed with, the same for all its nodes: give \
         32 random bytes, such as `openssl rand -hex 32` prints, or a file to keep it in"
            .to_owned(),
    )
}

/// The vault for this store, with all that is in use.
pub(crate) async fn open(database: &Database, options: &Options) -> Result<Arc<Vault>, Error> {
    let vault = match (&options.vault, &options.key_file) {
        (Some(vault), _) => Arc::clone(vault),
        (None, Some(path)) => Arc::new(of_file(database, path).await?),
        (None, None) => return Err(none_given()),
    };
    bring_keys(database, &vault, None).await?;
    Ok(vault)
}

/// With the keys of the file, which is made for a store in which nothing is sealed yet.
async fn of_file(database: &Database, path: &Path) -> Result<Vault, Error> {
    let in_use = sealing_keys(database).await?;
    let loaded = key_file::of_store(path, &in_use, &SystemRandom);
    let loaded = loaded.map_err(|error| Error::Unusable(error.to_string()))?;
    if loaded.made {
        let path = path.display();
        tracing::info!(%path, "made a key that secrets are sealed with; without a copy of this file they are lost with it");
    }
    Ok(loaded.vault())
}
