//! A job: what to do in a transaction, and whom to tell how it ended.

use resthooks::seal::Vault;
use resthooks::store::Error;
use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::failure::closed;
use crate::memory::Memory;

/// What a job works with: a connection inside a transaction, the writer's memory, and what seals.
pub(crate) struct Work<'a> {
    pub(crate) connection: &'a Connection,
    pub(crate) memory: &'a mut Memory,
    pub(crate) vault: &'a Vault,
}

pub(super) trait Job: Send {
    /// Does it, once. An error undoes what it did.
    fn run(&mut self, work: &mut Work<'_>) -> Result<(), Error>;
    /// Tells whoever asked: what came of it, or why its transaction did not commit.
    fn answer(self: Box<Self>, end: Result<(), Error>);
}

pub(super) struct Ask<F, T> {
    action: Option<F>,
    done: Option<T>,
    reply: oneshot::Sender<Result<T, Error>>,
}

impl<F, T> Ask<F, T> {
    pub(super) const fn new(action: F, reply: oneshot::Sender<Result<T, Error>>) -> Self {
        Self { action: Some(action), done: None, reply }
    }
}

impl<F, T> Job for Ask<F, T>
where
    T: Send,
    F: FnOnce(&mut Work<'_>) -> Result<T, Error> + Send,
{
    fn run(&mut self, work: &mut Work<'_>) -> Result<(), Error> {
        let action = self.action.take().ok_or_else(closed)?;
        self.done = Some(action(work)?);
        Ok(())
    }

    fn answer(self: Box<Self>, end: Result<(), Error>) {
        let Self { done, reply, .. } = *self;
        // Whoever asked may have gone; what was done stays done.
        let _ = reply.send(end.and_then(|()| done.ok_or_else(closed)));
    }
}
