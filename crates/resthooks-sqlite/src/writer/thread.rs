//! What the writer's thread does all day.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;

use resthooks::seal::Vault;
use resthooks::store::Error;
use rusqlite::Connection;
use tokio::sync::mpsc;

use super::job::{Job, Work};
use crate::Options;
use crate::checkpoint::Pressure;
use crate::connection::open_writing;
use crate::failure::{again, from_sqlite};
use crate::memory::Memory;

/// The most jobs in one transaction, so that the first does not wait long for the last.
const SHARED: usize = 32;

/// The writer's own things.
pub(crate) struct Desk {
    path: PathBuf,
    options: Options,
    pressure: Arc<Pressure>,
    vault: Arc<Vault>,
    /// Absent after a failure, until the next job.
    connection: Option<Connection>,
    memory: Memory,
}

impl Desk {
    /// With everything open and read, so that a store that can't work is not opened.
    pub(crate) fn new(
        path: PathBuf,
        options: Options,
        pressure: Arc<Pressure>,
        vault: Arc<Vault>,
    ) -> Result<Self, Error> {
        let mut desk = Self { path, options, pressure, vault, connection: None, memory: Memory::default() };
        desk.connection = Some(desk.fresh()?);
        Ok(desk)
    }

    /// Works until no more jobs can come.
    pub(super) fn work(mut self, mut jobs: mpsc::Receiver<Box<dyn Job>>) -> Option<Connection> {
        while let Some(first) = jobs.blocking_recv() {
            // A job that panics loses its transaction, whose askers are told by its being dropped; whoever comes
            // after it must not pay for it. The connection went with the transaction, so nothing half done is left.
            if catch_unwind(AssertUnwindSafe(|| self.round(first, &mut jobs))).is_err() {
                tracing::error!("a write to the store panicked");
            }
            if let Some(connection) = &self.connection {
                self.pressure.relieve(connection);
            }
        }
        self.connection
    }

    /// One transaction: the first job and those that wait beside it.
    fn round(&mut self, first: Box<dyn Job>, jobs: &mut mpsc::Receiver<Box<dyn Job>>) {
        let connection = match self.connection.take().map_or_else(|| self.fresh(), Ok) {
            Ok(connection) => connection,
            Err(error) => return first.answer(Err(error)),
        };
        let work = Work { connection: &connection, memory: &mut self.memory, vault: &self.vault };
        let mut transaction = Transaction { work, ran: Vec::new() };
        match transaction.run(first, jobs) {
            Ok(()) => self.connection = Some(connection),
            Err(()) => discard(connection),
        }
    }

    fn fresh(&mut self) -> Result<Connection, Error> {
        let mut connection = open_writing(&self.path, self.options.writer_cache_kib, &self.options)?;
        let pressure = Arc::clone(&self.pressure);
        connection.wal_hook(Some(move |_: &mut _, pages| pressure.grown(pages))).map_err(from_sqlite)?;
        self.memory.reload(&connection)?;
        Ok(connection)
    }
}

/// Rolls back what may be open. A connection that can't even be closed is left to the end of the process.
fn discard(connection: Connection) {
    if !connection.is_autocommit() {
        let _ = connection.execute_batch("ROLLBACK");
    }
    if let Err((connection, error)) = connection.close() {
        tracing::error!(%error, "a failed connection to the store could not be closed");
        drop(connection);
    }
}

struct Transaction<'a> {
    work: Work<'a>,
    ran: Vec<Box<dyn Job>>,
}

impl Transaction<'_> {
    /// `Err` when the connection and the memory can't be trusted any more. Everybody has been answered either way.
    fn run(&mut self, first: Box<dyn Job>, jobs: &mut mpsc::Receiver<Box<dyn Job>>) -> Result<(), ()> {
        if let Err(error) = self.statement("BEGIN IMMEDIATE") {
            first.answer(Err(error));
            return Err(());
        }
        self.first(first)?;
        let mut sound = Ok(());
        while sound.is_ok() && self.ran.len() < SHARED {
            let Ok(next) = jobs.try_recv() else { break };
            sound = self.further(next);
        }
        // After the failure of one job those before it still count, when the transaction does.
        self.commit()?;
        sound
    }

    fn first(&mut self, mut job: Box<dyn Job>) -> Result<(), ()> {
        match job.run(&mut self.work) {
            Ok(()) => {
                self.ran.push(job);
                Ok(())
            }
            Err(error) => {
                let _ = self.statement("ROLLBACK");
                job.answer(Err(error));
                Err(())
            }
        }
    }

    fn further(&mut self, mut job: Box<dyn Job>) -> Result<(), ()> {
        let mark = self.work.memory.mark();
        let end = self.statement("SAVEPOINT job").and_then(|()| job.run(&mut self.work));
        match end.and_then(|()| self.statement("RELEASE job")) {
            Ok(()) => {
                self.ran.push(job);
                Ok(())
            }
            Err(error) => {
                self.work.memory.back_to(mark);
                let _ = self.statement("ROLLBACK TO job; RELEASE job");
                job.answer(Err(error));
                Err(())
            }
        }
    }

    fn commit(&mut self) -> Result<(), ()> {
        // Some failures of the disk have rolled everything back already.
        let end = if self.work.connection.is_autocommit() {
            Err(Error::Unavailable("a failure beside it undid the transaction".to_owned()))
        } else {
            self.statement("COMMIT")
        };
        match &end {
            Ok(()) => self.work.memory.committed(),
            Err(error) => {
                tracing::warn!(%error, "a transaction of the store failed");
                let _ = self.statement("ROLLBACK");
            }
        }
        for job in self.ran.drain(..) {
            job.answer(end.as_ref().copied().map_err(again));
        }
        end.map_err(drop)
    }

    fn statement(&self, sql: &str) -> Result<(), Error> {
        self.work.connection.execute_batch(sql).map_err(from_sqlite)
    }
}
