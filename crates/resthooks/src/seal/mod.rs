//! Sealing secrets for the store, so that whoever reads its file or its backup learns none of them.
//!
//! A [`Vault`] seals with its first key and opens with all of them. It is handed to a store when that is opened; nothing else
//! seals or opens. Never used for what is only ever compared: that is kept as a hash.

mod key;
pub mod key_file;
mod vault;

pub use key::SecretKey;
pub use vault::{SealError, Vault};
