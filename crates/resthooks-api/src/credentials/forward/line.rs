//! Questions that are on their way, or wait for it: few at once, each only once, and no more than half of all for one
//! address. Who asks has proved nothing yet: without that, one stranger who shows what nobody knows would take all turns,
//! and those whom the provider knows would be told to come again.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::answer::Outcome;
use crate::credentials::cache::Fingerprint;

/// Questions on their way at once.
const AT_ONCE: usize = 64;
/// Of these, for one address.
const AT_ONCE_PER_ADDRESS: usize = AT_ONCE / 2;
/// Questions on their way, or waiting for it; who comes then is told to come again.
const AT_MOST: usize = 1024;
/// Of these, for one address.
const AT_MOST_PER_ADDRESS: usize = AT_MOST / 2;

/// Where an answer will be.
pub(super) type Answers = watch::Receiver<Option<Outcome>>;

/// All of them.
#[derive(Debug)]
pub(super) struct Line {
    open: Mutex<Questions>,
    turns: Arc<Semaphore>,
}

#[derive(Debug, Default)]
struct Questions {
    answers: HashMap<Fingerprint, Answers>,
    shares: HashMap<IpAddr, Share>,
}

/// What one address has of it.
#[derive(Debug)]
struct Share {
    open: usize,
    turns: Arc<Semaphore>,
}

/// What comes of a question.
#[derive(Debug)]
pub(super) enum Joined {
    /// It is being asked already.
    Asked(Answers),
    /// It is to be asked.
    New(Open, watch::Sender<Option<Outcome>>, Answers),
    /// Too many are open.
    Full,
}

/// A question on its way; when that ends, however it does, it can be asked anew.
#[derive(Debug)]
pub(super) struct Open {
    line: Arc<Line>,
    pub(super) name: Fingerprint,
    /// Whose it is; none where addresses are not known.
    from: Option<(IpAddr, Arc<Semaphore>)>,
}

impl Line {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { open: Mutex::default(), turns: Arc::new(Semaphore::new(AT_ONCE)) })
    }

    /// Puts a question from this address into the line.
    pub(super) fn join(self: &Arc<Self>, name: Fingerprint, from: Option<IpAddr>) -> Joined {
        let mut open = self.open();
        if let Some(answers) = open.answers.get(&name) {
            return Joined::Asked(answers.clone());
        }
        if open.answers.len() >= AT_MOST || from.is_some_and(|from| open.of(from) >= AT_MOST_PER_ADDRESS) {
            return Joined::Full;
        }
        let (tell, answers) = watch::channel(None);
        open.answers.insert(name, answers.clone());
        let from = from.map(|from| (from, open.enter(from)));
        Joined::New(Open { line: Arc::clone(self), name, from }, tell, answers)
    }

    fn open(&self) -> MutexGuard<'_, Questions> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Questions {
    fn of(&self, from: IpAddr) -> usize {
        self.shares.get(&from).map_or(0, |share| share.open)
    }

    fn enter(&mut self, from: IpAddr) -> Arc<Semaphore> {
        let none = || Share { open: 0, turns: Arc::new(Semaphore::new(AT_ONCE_PER_ADDRESS)) };
        let share = self.shares.entry(from).or_insert_with(none);
        share.open += 1;
        Arc::clone(&share.turns)
    }

    fn leave(&mut self, from: IpAddr) {
        if let Some(share) = self.shares.get_mut(&from) {
            share.open -= 1;
            if share.open == 0 {
                self.shares.remove(&from);
            }
        }
    }
}

impl Open {
    /// Waits for its turn, which lasts until what this answers is dropped: first among those of its own address.
    pub(super) async fn turn(&self) -> [Option<OwnedSemaphorePermit>; 2] {
        let of = async |turns: &Arc<Semaphore>| Arc::clone(turns).acquire_owned().await.ok();
        let own = match &self.from {
            Some((_, turns)) => of(turns).await,
            None => None,
        };
        [own, of(&self.line.turns).await]
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let mut open = self.line.open();
        open.answers.remove(&self.name);
        if let Some((from, _)) = &self.from {
            open.leave(*from);
        }
    }
}
