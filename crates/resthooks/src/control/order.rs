//! The order of changes: one is read, judged, stored and shown in memory before the next one begins. Only what
//! adds something new, and so can't come between another change's reading and writing, goes beside its like: many
//! at once share the store's commits.
//!
//! A change runs in a task of its own. Whoever asked for it may go away at any moment; the store and the memory
//! must not come apart because of it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::Semaphore;

use crate::core::Core;
use crate::error::Error;
use crate::limits::MAX_PAGE;
use crate::store::ChangeNo;

/// Additions that go side by side: enough to fill a commit, too few to crowd events out of the store's queue.
const ADDITIONS: u32 = 64;

/// Orders changes: an addition takes one turn, a change all of them, and whoever came first goes first.
#[derive(Debug)]
pub(crate) struct ControlState {
    turns: Semaphore,
    /// Up to which point other nodes' changes are in memory.
    pub(super) seen: Mutex<ChangeNo>,
}

impl ControlState {
    /// For a memory in which changes up to this point are.
    pub(crate) fn new(seen: ChangeNo) -> Self {
        Self { turns: Semaphore::new(ADDITIONS as usize), seen: Mutex::new(seen) }
    }
}

impl Core {
    /// Runs a change when its turn has come, to its end, and answers with it. It finds in memory what other nodes have
    /// changed until then.
    pub(crate) async fn in_order<T, W, F>(self: &Arc<Self>, work: W) -> Result<T, Error>
    where
        W: FnOnce(Arc<Self>) -> F + Send + 'static,
        F: Future<Output = Result<T, Error>> + Send,
        T: Send + 'static,
    {
        self.with_turns(ADDITIONS, |core| async move {
            core.catch_up().await?;
            work(core).await
        })
        .await
    }

    /// As [`Core::in_order`], for what adds something new: not while a change runs, but beside other additions.
    pub(crate) async fn adding<T, W, F>(self: &Arc<Self>, work: W) -> Result<T, Error>
    where
        W: FnOnce(Arc<Self>) -> F + Send + 'static,
        F: Future<Output = Result<T, Error>> + Send,
        T: Send + 'static,
    {
        self.with_turns(1, work).await
    }

    async fn with_turns<T, W, F>(self: &Arc<Self>, turns: u32, work: W) -> Result<T, Error>
    where
        W: FnOnce(Arc<Self>) -> F + Send + 'static,
        F: Future<Output = Result<T, Error>> + Send,
        T: Send + 'static,
    {
        let core = Arc::clone(self);
        let task = tokio::spawn(async move {
            let _turns = core.control.turns.acquire_many(turns).await.map_err(|_| stopping())?;
            work(Arc::clone(&core)).await
        });
        task.await.unwrap_or_else(|failed| {
            if failed.is_panic() {
                tracing::error!("a change of the control plane panicked");
                return Err(Error::Internal("the change failed".to_owned()));
            }
            Err(stopping())
        })
    }
}

fn stopping() -> Error {
    Error::Unavailable { retry_after: Duration::from_secs(1), detail: "shutting down".to_owned() }
}

/// How many items a page is made of, whatever was asked for.
pub(super) fn page_limit(asked: usize) -> usize {
    asked.clamp(1, MAX_PAGE)
}
