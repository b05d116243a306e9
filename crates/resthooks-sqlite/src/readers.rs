//! Reading, beside the writer: a few connections that can't write, lent to blocking threads.
//!
//! A read sees everything that was committed before it was asked, and one state of it however many statements it
//! takes. It never waits for the writer, only for another read when as many as may are under way.

use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use resthooks::store::Error;
use rusqlite::Connection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::Options;
use crate::connection::open_reading;
use crate::failure::{closed, from_sqlite};

/// How many of the engine's own reads run at once, beside callers': one that looks up ids, one that takes what is
/// due.
const LOG_READERS: usize = 2;

#[derive(Debug)]
pub(crate) struct Readers {
    path: PathBuf,
    cache_kib: u32,
    permits: Arc<Semaphore>,
    /// For the engine's own reads: callers' lists, however slow, must not hold up what is accepted and sent.
    log_permits: Arc<Semaphore>,
    shelf: Mutex<Shelf>,
    returned: Condvar,
}

#[derive(Debug, Default)]
struct Shelf {
    idle: Vec<Connection>,
    lent: usize,
}

impl Readers {
    /// Connections are opened as they are needed.
    pub(crate) fn new(path: PathBuf, options: &Options) -> Arc<Self> {
        Arc::new(Self {
            path,
            cache_kib: options.reader_cache_kib,
            permits: Arc::new(Semaphore::new(options.readers.max(1))),
            log_permits: Arc::new(Semaphore::new(LOG_READERS)),
            shelf: Mutex::default(),
            returned: Condvar::new(),
        })
    }

    /// Runs `read` on a blocking thread, inside a read transaction.
    pub(crate) async fn ask<T, F>(self: &Arc<Self>, read: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, Error> + Send + 'static,
    {
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(|_| closed())?;
        self.run(permit, read).await
    }

    /// As [`Readers::ask`], for the engine's own reads.
    pub(crate) async fn ask_for_log<T, F>(self: &Arc<Self>, read: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, Error> + Send + 'static,
    {
        let permit = Arc::clone(&self.log_permits).acquire_owned().await.map_err(|_| closed())?;
        self.run(permit, read).await
    }

    async fn run<T, F>(self: &Arc<Self>, permit: OwnedSemaphorePermit, read: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, Error> + Send + 'static,
    {
        let loan = self.lend();
        let done = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            loan.run(read)
        });
        done.await.map_err(|_| Error::Unavailable("a read was broken off".to_owned()))?
    }

    fn lend(self: &Arc<Self>) -> Loan {
        let mut shelf = self.shelf();
        shelf.lent += 1;
        Loan { connection: shelf.idle.pop(), readers: Arc::clone(self) }
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Refuses further reads, waits for those under way and closes the connections.
    pub(crate) fn close(&self) {
        self.permits.close();
        self.log_permits.close();
        let shelf = self.shelf();
        let wait = self.returned.wait_while(shelf, |shelf| shelf.lent > 0);
        wait.unwrap_or_else(PoisonError::into_inner).idle.clear();
    }
}

/// A connection on its way out and back. Also comes back when the runtime ends before the read began.
struct Loan {
    readers: Arc<Readers>,
    connection: Option<Connection>,
}

impl Loan {
    fn run<T>(mut self, read: impl FnOnce(&Connection) -> Result<T, Error>) -> Result<T, Error> {
        // A connection that failed, or was in the hands of a panic, is not put back.
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => open_reading(&self.readers.path, self.readers.cache_kib)?,
        };
        let answer = in_one_state(&connection, read);
        if answer.is_ok() {
            self.connection = Some(connection);
        }
        answer
    }
}

fn in_one_state<T>(
    connection: &Connection,
    read: impl FnOnce(&Connection) -> Result<T, Error>,
) -> Result<T, Error> {
    let state = connection.unchecked_transaction().map_err(from_sqlite)?;
    let answer = read(connection)?;
    state.commit().map_err(from_sqlite)?;
    Ok(answer)
}

impl Drop for Loan {
    fn drop(&mut self) {
        let mut shelf = self.readers.shelf();
        shelf.lent -= 1;
        shelf.idle.extend(self.connection.take());
        drop(shelf);
        self.readers.returned.notify_all();
    }
}
