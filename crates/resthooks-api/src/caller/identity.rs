//! Which caller it is, for what is counted by caller.

use std::sync::Arc;

use resthooks::model::{AccountId, Actor, KeyId};

/// One caller: what it does with one of these has no part in what another one may do.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Identity {
    /// Whoever has this key.
    Key(KeyId),
    /// Whoever acts for this account without a key of ours.
    Account(AccountId),
    /// One who acts for the provider without a key of ours.
    Actor(Arc<Actor>),
}
