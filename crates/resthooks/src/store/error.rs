//! What can go wrong in a store, in words that fit every backend.

/// Why a store did not do what it was asked. In every case but [`Error::InDoubt`] nothing was changed.
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
    /// Whether it was done is not known: the connection broke while it was being written.
    #[error("the store was lost while it was writing: {0}")]
    InDoubt(String),
    /// This node was taken over by another one: whatever it had in hand is that one's now.
    #[error("this node was taken over by another one")]
    Fenced,
    /// Another node was quicker: an event's id, or an event emitted in a transaction, is taken by now; or what is to be
    /// changed has changed since it was read. Worth reading and trying again.
    #[error("another node was quicker")]
    Overtaken,
    /// Something else with the same identity is there already.
    #[error("already exists")]
    Exists,
}
