//! Moves the write-ahead log into the file, so that a commit does not have to.
//!
//! A thread with a connection of its own checkpoints passively whenever enough has gathered: it waits for nobody and
//! nobody waits for it. Under constant writing that alone never lets the log begin anew, because something has
//! always been added meanwhile. So when the log is long, the writer itself does the little that remains, between two
//! transactions; the next one then writes from the log's beginning.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use resthooks::store::Error;
use rusqlite::Connection;

use crate::Options;
use crate::connection::{BUSY, PAGE_SIZE, open_writing};
use crate::failure::from_sqlite;

/// What the writer may be held up for by readers of the log when the log is half as long as it may be.
const BRIEF: Duration = Duration::from_millis(5);
/// The same when it is as long as it may be.
const PATIENT: Duration = Duration::from_secs(1);
/// The writer does a rest of so many pages itself.
const REST: i32 = 256;
/// Rounds to get to such a rest. A writer that outruns them all does more itself once the log is full.
const ROUNDS: usize = 4;
/// After a try that readers spoilt, the log grows by at most so many pages before the next.
const PAUSE: i32 = 256;

/// The checkpointer reads no pages through its cache.
const CACHE_KIB: u32 = 64;

/// How long the log is. Shared by the writer, which makes it grow, and the checkpointer.
#[derive(Debug)]
pub(crate) struct Pressure {
    /// Pages in the log now.
    pages: AtomicI32,
    /// Of them, moved into the file.
    moved: AtomicI32,
    /// At this length the writer empties it next.
    next_try: AtomicI32,
    /// The checkpointer has moved nearly all.
    ready: AtomicBool,
    threshold: i32,
    limit: i32,
    wake: SyncSender<()>,
}

impl Pressure {
    pub(crate) fn new(options: &Options) -> (Arc<Self>, Receiver<()>) {
        let pages = |kib: u32| i32::try_from(kib / (PAGE_SIZE / 1024)).unwrap_or(i32::MAX).max(1);
        let (wake, woken) = sync_channel(1);
        let pressure = Self {
            pages: AtomicI32::new(0),
            moved: AtomicI32::new(0),
            next_try: AtomicI32::new(0),
            ready: AtomicBool::new(false),
            threshold: pages(options.checkpoint_kib),
            limit: pages(options.wal_limit_kib),
            wake,
        };
        (Arc::new(pressure), woken)
    }

    /// After each commit: the log's length.
    #[expect(clippy::unnecessary_wraps, reason = "the form of SQLite's hook")]
    pub(crate) fn grown(&self, pages: i32) -> rusqlite::Result<()> {
        if pages < self.pages.swap(pages, Ordering::SeqCst) {
            // It began anew.
            self.moved.store(0, Ordering::SeqCst);
            self.next_try.store(0, Ordering::SeqCst);
            self.ready.store(false, Ordering::SeqCst);
        }
        if pages - self.moved.load(Ordering::SeqCst) >= self.threshold {
            // When it is full the checkpointer is awake already; when it is closed, so is the store.
            if let Err(TrySendError::Full(()) | TrySendError::Disconnected(())) = self.wake.try_send(()) {}
        }
        Ok(())
    }

    /// Between two transactions of the writer: empties the log when that is due.
    pub(crate) fn relieve(&self, connection: &Connection) {
        let pages = self.pages.load(Ordering::SeqCst);
        let full = pages >= self.limit;
        if pages < self.next_try.load(Ordering::SeqCst) || !(full || self.ready.load(Ordering::SeqCst)) {
            return;
        }
        match restart(connection, if full { PATIENT } else { BRIEF }) {
            Ok(true) => {
                self.pages.store(0, Ordering::SeqCst);
                self.moved.store(0, Ordering::SeqCst);
                self.next_try.store(0, Ordering::SeqCst);
                self.ready.store(false, Ordering::SeqCst);
                return;
            }
            Ok(false) => {}
            Err(error) => tracing::warn!(%error, "the write-ahead log could not be emptied"),
        }
        let later = pages.saturating_add(PAUSE.min(self.limit / 16 + 1));
        // A short try that failed does not put off the patient one.
        self.next_try.store(if full { later } else { later.min(self.limit) }, Ordering::SeqCst);
    }
}

/// Moves all of the log and lets the next transaction begin it anew; whether no reader stood in the way.
fn restart(connection: &Connection, patience: Duration) -> rusqlite::Result<bool> {
    connection.busy_timeout(patience)?;
    let busy = connection.query_row("PRAGMA wal_checkpoint(RESTART)", [], |row| row.get::<_, i64>(0));
    connection.busy_timeout(BUSY)?;
    Ok(busy? == 0)
}

/// Moves all of the log and cuts it to nothing. For the end.
pub(crate) fn truncate(connection: &Connection) -> Result<(), Error> {
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).map_err(from_sqlite)
}

/// The thread that checkpoints. Ends when it is closed.
#[derive(Debug)]
pub(crate) struct Checkpointer {
    pressure: Arc<Pressure>,
    closing: Arc<AtomicBool>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Checkpointer {
    pub(crate) fn start(
        path: PathBuf,
        options: Options,
        pressure: Arc<Pressure>,
        woken: Receiver<()>,
    ) -> Result<Self, Error> {
        let closing = Arc::new(AtomicBool::new(false));
        let connection = open_writing(&path, CACHE_KIB, &options)?;
        let shift = Shift {
            path,
            options,
            connection,
            pressure: Arc::clone(&pressure),
            closing: Arc::clone(&closing),
        };
        let thread = std::thread::Builder::new()
            .name("store-checkpoint".to_owned())
            .spawn(move || shift.work(&woken))
            .map_err(|e| Error::Unavailable(format!("can't start the checkpointer: {e}")))?;
        Ok(Self { pressure, closing, thread: Mutex::new(Some(thread)) })
    }

    pub(crate) fn close(&self) {
        self.closing.store(true, Ordering::SeqCst);
        // A full channel wakes it as well.
        let _ = self.pressure.wake.try_send(());
        if let Some(thread) = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take() {
            let _ = thread.join();
        }
    }
}

struct Shift {
    path: PathBuf,
    options: Options,
    /// Never absent, not even between two: while it is open, SQLite keeps apart what of the log was committed and
    /// what only got there. Were the writer's connection the only one, opening it anew after a failed flush would
    /// bring back a transaction that was refused.
    connection: Connection,
    pressure: Arc<Pressure>,
    closing: Arc<AtomicBool>,
}

impl Shift {
    fn work(mut self, woken: &Receiver<()>) {
        while woken.recv().is_ok() && !self.closing.load(Ordering::SeqCst) {
            if let Err(error) = self.rounds() {
                tracing::warn!(%error, "a checkpoint of the store failed");
                if let Ok(fresh) = open_writing(&self.path, CACHE_KIB, &self.options) {
                    self.connection = fresh;
                }
            }
        }
    }

    /// Checkpoints until little is left, if the log is long; else once.
    fn rounds(&self) -> rusqlite::Result<()> {
        for _ in 0..ROUNDS {
            let moved = passive(&self.connection)?;
            self.pressure.moved.store(moved, Ordering::SeqCst);
            let pages = self.pressure.pages.load(Ordering::SeqCst);
            if pages < self.pressure.limit / 2 || self.closing.load(Ordering::SeqCst) {
                return Ok(());
            }
            if pages - moved <= REST {
                self.pressure.ready.store(true, Ordering::SeqCst);
                return Ok(());
            }
        }
        Ok(())
    }
}

/// Moves what can be moved without waiting; how many of the log's pages are in the file now.
fn passive(connection: &Connection) -> rusqlite::Result<i32> {
    connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| row.get(2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wakes_once_enough_has_gathered() {
        let options = Options { checkpoint_kib: 40, wal_limit_kib: 400, ..Options::default() };
        let (pressure, woken) = Pressure::new(&options);
        pressure.grown(9).unwrap();
        assert!(woken.try_recv().is_err());
        pressure.grown(10).unwrap();
        pressure.grown(11).unwrap();
        assert!(woken.try_recv().is_ok() && woken.try_recv().is_err());
        pressure.moved.store(11, Ordering::SeqCst);
        pressure.grown(20).unwrap();
        assert!(woken.try_recv().is_err());
        pressure.grown(3).unwrap();
        assert_eq!(pressure.moved.load(Ordering::SeqCst), 0, "the log began anew");
    }
}
