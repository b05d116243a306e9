//! A waker between a connection and the task that uses it just now.

use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Wake, Waker};

/// Passes wake-ups of a connection on to the task that drives it, while there is one.
///
/// A connection is polled with this one waker for all its life. While no task waits for it, wake-ups end here:
/// those that handing it a request and taking an answer from it cause, for a task that is about to poll it anyway, and
/// the one of a peer that closes it while it is idle. And an idle connection keeps nothing of the task that used it last.
#[derive(Debug, Default)]
pub(super) struct Gate(Mutex<Option<Waker>>);

impl Gate {
    /// A shut gate, and the waker to poll with.
    pub(super) fn new() -> (Arc<Self>, Waker) {
        let gate = Arc::<Self>::default();
        let waker = Waker::from(Arc::clone(&gate));
        (gate, waker)
    }

    /// From now on wakes `task`. What happened before must be found by polling.
    pub(super) fn open(&self, task: &Waker) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *waiting {
            Some(waker) => waker.clone_from(task),
            None => *waiting = Some(task.clone()),
        }
    }

    /// From now on wakes nobody.
    pub(super) fn shut(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl Wake for Gate {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if let Some(task) = &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            task.wake_by_ref();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[derive(Default)]
    struct Counted(AtomicUsize);

    impl Wake for Counted {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn wakes_the_task_that_waits_and_no_other() {
        let (gate, waker) = Gate::new();
        let tasks = [Arc::<Counted>::default(), Arc::default()];
        waker.wake_by_ref();
        for task in &tasks {
            gate.open(&Waker::from(Arc::clone(task)));
            waker.wake_by_ref();
        }
        gate.shut();
        waker.wake_by_ref();
        assert_eq!(tasks.map(|task| task.0.load(Ordering::SeqCst)), [1, 1]);
    }
}
