//! The order of changes: one is read, judged, stored and shown in memory before the next one begins.
//!
//! A change runs in a task of its own. Whoever asked for it may go away at any moment; the store and the memory
//! must not come apart because of it.

use std::sync::Arc;
use std::time::Duration;

use crate::core::Core;
use crate::error::Error;
use crate::limits::MAX_PAGE;

/// Orders changes.
#[derive(Debug, Default)]
pub(crate) struct ControlState {
    changes: tokio::sync::Mutex<()>,
}

impl Core {
    /// Runs a change when its turn has come, to its end, and answers with it.
    pub(crate) async fn in_order<T, W, F>(self: &Arc<Self>, work: W) -> Result<T, Error>
    where
        W: FnOnce(Arc<Self>) -> F + Send + 'static,
        F: Future<Output = Result<T, Error>> + Send,
        T: Send + 'static,
    {
        let core = Arc::clone(self);
        let task = tokio::spawn(async move {
            let _turn = core.control.changes.lock().await;
            work(Arc::clone(&core)).await
        });
        task.await.unwrap_or_else(|failed| {
            if failed.is_panic() {
                tracing::error!("a change of the control plane panicked");
                return Err(Error::Internal("the change failed".to_owned()));
            }
            let detail = "shutting down".to_owned();
            Err(Error::Unavailable { retry_after: Duration::from_secs(1), detail })
        })
    }
}

/// How many items a page is made of, whatever was asked for.
pub(super) fn page_limit(asked: usize) -> usize {
    asked.clamp(1, MAX_PAGE)
}
