//! How long a caller may keep a connection without letting anything be done on it.
//!
//! A connection is never cut while the server owes its caller something: while a handler works, or while the body of an
//! answer is being made. It ends when the caller owes for too long: the rest of a request's head, or taking in what it
//! was answered; a byte now and then changes nothing about that. And it ends when nobody owes anything for
//! longer still. How long a request's *body* may take is the API's to say.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use resthooks::env::Clock;

/// What is asked of a connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// How often it is looked at.
    every: Duration,
    /// It ends when the caller owes at so many looks in a row.
    owing_looks: u32,
    /// It ends when nothing is being done at so many looks in a row.
    quiet_looks: u32,
    /// A caller that takes in so many bytes within its time does not owe: its line is slow, and so be it.
    progress_bytes: u64,
}

impl Patience {
    /// 30 seconds for a request's head, 75 between two requests: longer than load balancers keep a connection, so that
    /// it's theirs to end it, and none of their requests meets a closing one.
    pub(super) const IN_SERVICE: Self =
        Self { every: Duration::from_secs(5), owing_looks: 6, quiet_looks: 15, progress_bytes: 64 * 1024 };

    /// For what is left on a connection when the server stops.
    pub(super) const LEAVING: Self =
        Self { every: Duration::from_millis(500), owing_looks: 3, quiet_looks: 3, progress_bytes: 16 * 1024 };

    /// For what is left when the caller's time was up: whatever it takes in now, it has had its time.
    pub(super) const EXPELLED: Self = Self { progress_bytes: u64::MAX, ..Self::LEAVING };

    /// Ends when the caller's time is up.
    pub(super) async fn runs_out(self, activity: &Activity, clock: &dyn Clock) {
        let mut last = activity.seen();
        let (mut owing, mut quiet) = (0, 0);
        while owing < self.owing_looks && quiet < self.quiet_looks {
            clock.sleep(self.every).await;
            let seen = activity.seen();
            if seen.working || seen.steps != last.steps || seen.written - last.written >= self.progress_bytes
            {
                (owing, quiet, last) = (0, 0, seen);
                continue;
            }
            quiet += 1;
            // It does not begin anew with each byte of a head.
            owing = if seen.owed { owing + 1 } else { 0 };
        }
    }
}

/// What happens on one connection.
#[derive(Debug, Default)]
pub(super) struct Activity {
    /// Bytes that came from the caller.
    read: AtomicU64,
    /// How many had come when the last answer ended: what came since then belongs to a request that is not whole.
    read_at_rest: AtomicU64,
    /// Bytes that were taken off our hands.
    written: AtomicU64,
    /// Whether something could not be written at once.
    stuck: AtomicBool,
    /// Answers that are not at their end.
    open: AtomicU64,
    /// Those of them that wait for us and not for the caller.
    working: AtomicU64,
    /// Grows with everything that is done for the caller.
    steps: AtomicU64,
}

/// What a look at it shows.
#[derive(Debug, Clone, Copy)]
struct Seen {
    working: bool,
    owed: bool,
    steps: u64,
    written: u64,
}

impl Activity {
    pub(super) fn read(&self, bytes: usize) {
        self.read.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// So many bytes were written, or none could be.
    pub(super) fn wrote(&self, bytes: Option<usize>) {
        self.written.fetch_add(bytes.unwrap_or(0) as u64, Ordering::Relaxed);
        self.stuck.store(bytes.is_none(), Ordering::Relaxed);
    }

    fn seen(&self) -> Seen {
        let load = |number: &AtomicU64| number.load(Ordering::Relaxed);
        let steps = load(&self.steps);
        let is_half_read = steps == 0 || load(&self.read) > load(&self.read_at_rest);
        Seen {
            working: load(&self.working) > 0,
            owed: is_half_read || load(&self.open) > 0 || self.stuck.load(Ordering::Relaxed),
            steps,
            written: load(&self.written),
        }
    }
}

/// One request, from its head to the end of its answer.
#[derive(Debug)]
pub(super) struct Answering {
    activity: Arc<Activity>,
    is_ours: bool,
}

impl Answering {
    /// A head is there: it is our turn.
    pub(super) fn begin(activity: &Arc<Activity>) -> Self {
        activity.open.fetch_add(1, Ordering::Relaxed);
        activity.working.fetch_add(1, Ordering::Relaxed);
        activity.steps.fetch_add(1, Ordering::Relaxed);
        Self { activity: Arc::clone(activity), is_ours: true }
    }

    /// There is something for the caller to take in.
    pub(super) fn is_the_callers_turn(&mut self) {
        self.activity.steps.fetch_add(1, Ordering::Relaxed);
        if std::mem::take(&mut self.is_ours) {
            self.activity.working.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// The caller waits for more.
    pub(super) fn is_our_turn(&mut self) {
        if !std::mem::replace(&mut self.is_ours, true) {
            self.activity.working.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.is_the_callers_turn();
        self.activity.open.fetch_sub(1, Ordering::Relaxed);
        self.activity.read_at_rest.store(self.activity.read.load(Ordering::Relaxed), Ordering::Relaxed);
    }
}
