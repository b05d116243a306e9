//! What can go wrong in a store, in words that fit every backend.

/// Why a store did not do what it was asked. In every case nothing was changed, unless said otherwise.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It can't take more just now: disk full, a failing disk, connection lost, shutting down. Worth trying again.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    /// What is stored can't be read as what it should be, or an answer can't be explained.
    #[error("the store is corrupt: {0}")]
    Corrupt(String),
    /// Another process has it open, or it was made by a newer version.
    #[error("{0}")]
    Unusable(String),
    /// Something else with the same identity is there already.
    #[error("already exists")]
    Exists,
}
