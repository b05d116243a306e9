//! The one that writes: a thread with a queue of jobs and the only connection that changes anything.
//!
//! Jobs that wait at the same time share a transaction, and so one flush to the disk; each is undone alone when it
//! fails. Nobody is answered before the transaction is durable, and a job happens although its asker has gone.
//!
//! A failure of the file or the disk leaves nothing behind: the transaction is rolled back, the connection and what
//! the writer remembered are thrown away, and the next job begins with fresh ones.

mod job;
mod thread;

use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;

use resthooks::store::Error;
use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

pub(crate) use self::job::Work;
use self::job::{Ask, Job};
pub(crate) use self::thread::Desk;
use crate::failure::closed;

/// The most jobs that wait; further ones are refused. The engine keeps a few under way, callers of the control
/// plane one each.
const QUEUE: usize = 4_096;

/// The way to the writer's thread.
#[derive(Debug)]
pub(crate) struct Writer {
    queue: Mutex<Option<mpsc::Sender<Box<dyn Job>>>>,
    thread: Mutex<Option<JoinHandle<Option<Connection>>>>,
}

impl Writer {
    pub(crate) fn start(desk: Desk) -> Result<Self, Error> {
        let (queue, jobs) = mpsc::channel(QUEUE);
        let thread = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || desk.work(jobs))
            .map_err(|e| Error::Unavailable(format!("can't start the writer: {e}")))?;
        Ok(Self { queue: Mutex::new(Some(queue)), thread: Mutex::new(Some(thread)) })
    }

    /// Has `action` done in a transaction and answers once that is durable.
    pub(crate) async fn ask<T, F>(&self, action: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce(&mut Work<'_>) -> Result<T, Error> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        self.send(Box::new(Ask::new(action, reply)))?;
        answer.await.map_err(|_| Error::Unavailable("its writer broke off".to_owned()))?
    }

    fn send(&self, job: Box<dyn Job>) -> Result<(), Error> {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.as_ref().ok_or_else(closed)?.try_send(job).map_err(|refused| match refused {
            mpsc::error::TrySendError::Full(_) => {
                Error::Unavailable("too many writes are waiting".to_owned())
            }
            mpsc::error::TrySendError::Closed(_) => Error::Unavailable("its writer has stopped".to_owned()),
        })
    }

    /// Refuses further jobs, waits until those that wait are done, and gives the connection back.
    pub(crate) fn close(&self) -> Option<Connection> {
        drop(self.queue.lock().unwrap_or_else(PoisonError::into_inner).take());
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        thread.join().ok().flatten()
    }
}
