//! The handle through which everything is asked for.

use std::sync::Arc;

use crate::core::Core;
use crate::error::Error;
use crate::model::AccountId;

/// A running engine. Cheap to clone; the engine runs until [`Hooks::shutdown`](crate::Hooks::shutdown), or until
/// the process ends, whereupon the next start goes on where this one was.
#[derive(Debug, Clone)]
pub struct Hooks {
    pub(crate) core: Arc<Core>,
}

/// Whose things a caller may see and change. What lies outside reads as absent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// Every account's: the provider.
    All,
    /// One account's: a consumer.
    Account(AccountId),
}

impl Scope {
    /// Whether something of this account may be seen.
    #[must_use]
    pub fn admits(&self, account: &AccountId) -> bool {
        match self {
            Self::All => true,
            Self::Account(own) => own == account,
        }
    }

    /// The one account, for filters; `None` for all.
    #[must_use]
    pub fn account(&self) -> Option<&AccountId> {
        match self {
            Self::All => None,
            Self::Account(own) => Some(own),
        }
    }

    /// [`Error::NotFound`] unless something of this account may be seen.
    pub(crate) fn check(&self, account: &AccountId) -> Result<(), Error> {
        if self.admits(account) { Ok(()) } else { Err(Error::NotFound) }
    }
}

/// A page of a list, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List<T, C> {
    /// The items.
    pub items: Vec<T>,
    /// What to ask the next page with; `None` on the last one.
    pub next: Option<C>,
}

impl<T, C> List<T, C> {
    /// Makes a page of at most `limit` from items of which one more was asked for.
    pub(crate) fn cut(mut items: Vec<T>, limit: usize, cursor: impl Fn(&T) -> C) -> Self {
        let more = items.len() > limit;
        items.truncate(limit);
        let next = if more { items.last().map(cursor) } else { None };
        Self { items, next }
    }
}
