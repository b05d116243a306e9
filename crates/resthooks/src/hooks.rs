//! The handle through which everything is asked for.

use std::sync::{Arc, PoisonError, RwLock};

use tokio_util::sync::CancellationToken;

use crate::core::Core;
use crate::env::Clock;
use crate::error::Error;
use crate::model::{AccountId, Actor, Node, NodeNo};

/// A running engine. Cheap to clone; the engine runs until [`Hooks::shutdown`](crate::Hooks::shutdown), or until
/// the process ends, whereupon the next start goes on where this one was.
#[derive(Debug, Clone)]
pub struct Hooks {
    engine: Arc<Engine>,
    /// Who does what is done through this handle.
    actor: Arc<Actor>,
}

/// What stays when a node that was taken over begins anew.
#[derive(Debug)]
pub(crate) struct Engine {
    core: RwLock<Arc<Core>>,
    /// The engine stops for good.
    pub stopping: CancellationToken,
}

impl Hooks {
    pub(crate) fn new(core: Arc<Core>) -> Self {
        let engine = Engine { core: RwLock::new(core), stopping: CancellationToken::new() };
        Self { engine: Arc::new(engine), actor: Arc::new(Actor::application()) }
    }

    /// The same engine, through a handle whose changes stand in the audit trail as this one's. Without it they are the
    /// application's.
    #[must_use]
    pub fn acting_as(&self, actor: impl Into<Arc<Actor>>) -> Self {
        Self { engine: Arc::clone(&self.engine), actor: actor.into() }
    }

    /// Who does what is done through this handle.
    #[must_use]
    pub fn actor(&self) -> &Arc<Actor> {
        &self.actor
    }

    /// The clock that the engine runs by.
    #[must_use]
    pub fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.core().options.clock)
    }

    /// The engine as this node runs it now.
    pub(crate) fn core(&self) -> Arc<Core> {
        Arc::clone(&self.engine.core.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Goes on as another node.
    pub(crate) fn replace_core(&self, core: Arc<Core>) {
        *self.engine.core.write().unwrap_or_else(PoisonError::into_inner) = core;
    }

    /// Ends once the engine stops for good.
    pub(crate) fn stopping(&self) -> &CancellationToken {
        &self.engine.stopping
    }

    /// The nodes that work on the store, those that joined last first; one alone when the store has a single owner.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn nodes(&self) -> Result<Vec<Node>, Error> {
        Ok(self.core().store.nodes().await?)
    }

    /// The number of the node that this engine is. Changes when it is taken over and joins again.
    #[must_use]
    pub fn node_no(&self) -> NodeNo {
        self.core().node
    }
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
