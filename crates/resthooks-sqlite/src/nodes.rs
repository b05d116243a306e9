//! The one node that there is: the process that has the file open. It never ends, and nobody takes over from it.
//!
//! Nothing of it is written down: whoever opens the file next goes on with the same log.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use resthooks::env::Clock;
use resthooks::model::{Node, NodeNo, NodeStatus};
use resthooks::store::{
    ChangeNo, Changes, DeletedAccount, Emitted, EmittedAsk, Error, Inherited, Joined, NewNode, Nodes,
    PlannedNews, Renewed,
};

use crate::{SqliteStore, control, log};

/// Its number.
const ONLY: NodeNo = NodeNo(1);

/// What is known of it.
#[derive(Debug)]
pub(crate) struct OneNode {
    clock: Arc<dyn Clock>,
    joined: Mutex<Option<NewNode>>,
}

impl OneNode {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, joined: Mutex::default() }
    }

    fn join(&self, new: NewNode) {
        *self.joined.lock().unwrap_or_else(PoisonError::into_inner) = Some(new);
    }

    fn leave(&self) {
        self.joined.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// It lives as long as anybody can ask.
    fn as_seen(&self) -> Option<Node> {
        let new = self.joined.lock().unwrap_or_else(PoisonError::into_inner).clone()?;
        let now = self.clock.now();
        Some(Node {
            no: ONLY,
            name: new.name,
            version: new.version,
            status: NodeStatus::Live,
            started_at: new.started_at,
            renewed_at: now,
            lease_until: now.plus(new.lease),
            taken_by: None,
        })
    }
}

#[async_trait]
impl Nodes for SqliteStore {
    fn is_shared(&self) -> bool {
        false
    }

    async fn join(&self, new: &NewNode) -> Result<Joined, Error> {
        let position = self.readers.ask_for_log(log::position).await?;
        self.node.join(new.clone());
        Ok(Joined { node: ONLY, last: position.last, watermark: Some(position.watermark) })
    }

    async fn renew(&self, _node: NodeNo, _lease: Duration) -> Result<Renewed, Error> {
        Ok(Renewed { live: 1, place: 0, orphans: false })
    }

    async fn take_over(&self, _by: NodeNo, _patient: bool) -> Result<Vec<NodeNo>, Error> {
        Ok(Vec::new())
    }

    async fn inherit(&self, _by: NodeNo, _from: NodeNo, _limit: usize) -> Result<Inherited, Error> {
        let backlog = self.readers.ask_for_log(log::backlog).await?;
        Ok(Inherited { backlog, done: true })
    }

    async fn forget(&self, _by: NodeNo, _gone: NodeNo) -> Result<(), Error> {
        Ok(())
    }

    async fn planned_news(&self, _node: NodeNo) -> Result<Vec<PlannedNews>, Error> {
        Ok(Vec::new())
    }

    async fn leave(&self, _node: NodeNo) -> Result<(), Error> {
        self.node.leave();
        Ok(())
    }

    async fn nodes(&self) -> Result<Vec<Node>, Error> {
        Ok(self.node.as_seen().into_iter().collect())
    }

    async fn changes(&self, after: ChangeNo, _limit: usize) -> Result<Changes, Error> {
        Ok(Changes { changes: Vec::new(), through: after, more: false })
    }

    async fn deletions(&self) -> Result<Vec<DeletedAccount>, Error> {
        self.readers.ask(control::deletions).await
    }

    async fn told(&self) {
        std::future::pending().await
    }

    fn emit_statement(&self) -> Option<String> {
        None
    }

    async fn emitted(&self, _ask: EmittedAsk) -> Result<Vec<Emitted>, Error> {
        Ok(Vec::new())
    }
}
