//! What an embedder may set.

use std::path::PathBuf;
use std::sync::Arc;

use resthooks::env::{Clock, SystemClock};
use resthooks::seal::Vault;

/// How a store uses memory and disk. The defaults fit a server with a budget of some tens of megabytes.
#[derive(Debug, Clone)]
pub struct Options {
    /// How many of callers' reads run at once; each may hold a connection with its own cache. At least 1. The
    /// engine's own reads have two more.
    pub readers: usize,
    /// The writer's page cache, in KiB.
    pub writer_cache_kib: u32,
    /// Each reader's page cache, in KiB.
    pub reader_cache_kib: u32,
    /// How much of the write-ahead log may gather before it is moved into the file in the background, in KiB.
    pub checkpoint_kib: u32,
    /// How large the write-ahead log may get, in KiB. Beyond it commits wait until it was emptied; beyond the half
    /// of it, it is emptied when that is quick.
    pub wal_limit_kib: u32,
    /// The most pages that the file may grow to; `None` is SQLite's own limit. A full file is answered as a full
    /// disk is.
    pub max_pages: Option<u32>,
    /// What secrets are sealed with. `None`: the keys in `key_file`.
    pub vault: Option<Arc<Vault>>,
    /// The file with the keys that secrets are sealed with; it is made with the store. `None`: the one beside the store, which
    /// has its name and `.key`.
    pub key_file: Option<PathBuf>,
    /// Tells when a migration was made.
    pub clock: Arc<dyn Clock>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            readers: 4,
            writer_cache_kib: 8 * 1024,
            reader_cache_kib: 1024,
            checkpoint_kib: 4 * 1024,
            wal_limit_kib: 64 * 1024,
            max_pages: None,
            vault: None,
            key_file: None,
            clock: Arc::new(SystemClock::default()),
        }
    }
}
