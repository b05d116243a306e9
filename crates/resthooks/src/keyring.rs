//! The API keys in memory, by hash.

/// All API keys.
#[derive(Debug, Default)]
pub(crate) struct Keyring;
