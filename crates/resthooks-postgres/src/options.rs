//! What an embedder may set.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use resthooks::env::{Clock, SystemClock};
use resthooks::seal::Vault;

/// How a store uses its database. A node opens `pool_size` connections at most, and three more: one that commits, one
/// that lengthens the lease, and one that listens.
#[derive(Debug, Clone)]
pub struct Options {
    /// The schema in which everything is; a program uses one only.
    pub schema: String,
    /// The most connections for everything but commits, leases and listening. At least 1.
    pub pool_size: usize,
    /// How long a connection may take to come about, or a free one to be waited for.
    pub connect_timeout: Duration,
    /// How long a statement may take. Whatever takes longer is given up and asked to stop.
    pub statement_timeout: Duration,
    /// How long a step of a migration may take.
    pub migration_timeout: Duration,
    /// Whether opening brings tables and functions to this version. When not, another version is refused.
    pub migrate: bool,
    /// What secrets are sealed with: the same keys for all nodes, of which each must have all that are in use. `None`: the
    /// keys in `key_file`. One of the two is needed: a database is no place to keep them in.
    pub vault: Option<Arc<Vault>>,
    /// The file with the keys that secrets are sealed with. It is made for a database in which nothing is sealed yet; the
    /// other nodes need a copy.
    pub key_file: Option<PathBuf>,
    /// Measures waiting, and says when a migration was made.
    pub clock: Arc<dyn Clock>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            schema: "resthooks".to_owned(),
            pool_size: 8,
            connect_timeout: Duration::from_secs(5),
            statement_timeout: Duration::from_secs(15),
            migration_timeout: Duration::from_secs(600),
            migrate: true,
            vault: None,
            key_file: None,
            clock: Arc::new(SystemClock::default()),
        }
    }
}
