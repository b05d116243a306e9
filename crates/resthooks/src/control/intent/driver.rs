//! The task that asks targets: takes what is due, claims it, asks, and writes down what came of it.
//!
//! What is due stands in the subscriptions; this node's memory only says when to look. A node that dies leaves a claim
//! that runs out, and whoever looks then goes on.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::task::{AbortHandle, Id, JoinError, JoinSet};

use super::ask::ask;
use super::conclude::{Ended, Work};
use super::handshake::{Plan, Round, Step, is_claimed, step};
use super::line::{Line, Turn, Waiting};
use crate::core::Core;
use crate::error::Error;
use crate::model::SubscriptionNo;

/// The longest wait, so that a wall clock that is set forward is noticed.
const LONGEST_WAIT: Duration = Duration::from_secs(1);
/// After the store failed.
const AFTER_FAILURE: Duration = Duration::from_secs(1);

/// Asks targets until the engine stops.
pub(crate) async fn confirm(core: Arc<Core>) {
    let mut driver = Driver::new(Arc::clone(&core));
    loop {
        let grew = core.index.agenda.grew();
        driver.look();
        let wait = driver.go().await;
        driver.tell();
        tokio::select! {
            () = grew => {}
            Some(ended) = driver.asking.join_next_with_id() => driver.take(ended),
            () = core.options.clock.sleep(wait) => {}
            () = core.stopping.cancelled() => return,
        }
    }
}

struct Driver {
    core: Arc<Core>,
    line: Line,
    asking: JoinSet<Option<Ended>>,
    /// Whom each task asks.
    tasks: HashMap<Id, SubscriptionNo>,
    handles: HashMap<SubscriptionNo, AbortHandle>,
    /// Those whose round this node has begun, and so holds its claim.
    own: HashSet<SubscriptionNo>,
    /// Of these, the ones that are still being asked for a round that is over.
    again: HashSet<SubscriptionNo>,
    /// Attempts that are over and not written.
    ended: Vec<Ended>,
    /// When the line was last tidied.
    tidied: Duration,
    /// Subscriptions whose time is over.
    expired: Vec<SubscriptionNo>,
}

impl Driver {
    fn new(core: Arc<Core>) -> Self {
        Self {
            core,
            line: Line::default(),
            asking: JoinSet::new(),
            tasks: HashMap::new(),
            handles: HashMap::new(),
            own: HashSet::new(),
            again: HashSet::new(),
            ended: Vec::new(),
            tidied: Duration::ZERO,
            expired: Vec::new(),
        }
    }

    fn nodes(&self) -> usize {
        self.core.live_nodes.load(Ordering::Relaxed).max(1)
    }

    /// Puts into the line what has come.
    fn look(&mut self) {
        let now = self.core.options.clock.now();
        for no in self.core.intent.take_begun() {
            self.own.insert(no);
            if self.line.is_asked(no) {
                // What would come of it counts for nothing any more.
                self.again.insert(no);
                self.handles.get(&no).inspect(|handle| handle.abort());
            } else {
                self.add(no);
            }
        }
        for no in self.core.index.agenda.take(now) {
            match self.core.index.get(no).map(|live| step(&live.subscription, now)) {
                Some(Step::Ask) => self.add(no),
                Some(Step::Expire) => self.expired.push(no),
                Some(Step::Wait) | None => self.core.index.look_again(no),
            }
        }
        let monotonic = self.core.options.clock.monotonic();
        if monotonic.saturating_sub(self.tidied) >= LONGEST_WAIT {
            self.line.tidy(monotonic);
            self.tidied = monotonic;
        }
    }

    fn add(&mut self, no: SubscriptionNo) {
        let Some(live) = self.core.index.get(no) else { return };
        let account = live.subscription.account.clone();
        let host = Arc::clone(live.prepared.target.origin());
        let now = self.core.options.clock.monotonic();
        self.line.push(Waiting { no, account, host }, now);
    }

    /// Begins what may be begun, and writes what is to be written. How long until there may be more.
    async fn go(&mut self) -> Duration {
        let (mut work, wait) = self.turns();
        work.extend(std::mem::take(&mut self.ended).into_iter().map(|one| Work::Conclude(Box::new(one))));
        work.extend(std::mem::take(&mut self.expired).into_iter().map(Work::Expire));
        if work.is_empty() {
            return wait;
        }
        self.tell();
        let done = self.write(&work).await;
        let mut well = true;
        for (work, done) in work.into_iter().zip(done) {
            well &= done.is_some();
            match (work, done) {
                // The attempt was made: what came of it is written once the store can take it.
                (Work::Conclude(ended), None) => self.ended.push(*ended),
                (Work::Conclude(ended), Some(_)) => self.finished(ended.no),
                (Work::Claim(no), Some(true)) => self.start(no),
                (Work::Claim(no), _) => self.finished(no),
                (Work::Expire(no), _) => self.core.index.look_again(no),
            }
        }
        if !well {
            tokio::select! {
                () = self.core.options.clock.sleep(AFTER_FAILURE) => {}
                () = self.core.stopping.cancelled() => {}
            }
        }
        Duration::ZERO
    }

    /// Whose turn it is: those whose claim this node holds are begun, for the others it is to be written. And how long
    /// until it may be somebody's.
    fn turns(&mut self) -> (Vec<Work>, Duration) {
        let mut claims = Vec::new();
        let now = self.core.options.clock.now();
        let due = self.core.index.agenda.wait(now).unwrap_or(LONGEST_WAIT);
        if self.core.dispatch.is_closed() || !self.core.dispatch.has_lease() {
            return (claims, LONGEST_WAIT);
        }
        let plan = Plan::of(&self.core.options);
        let monotonic = self.core.options.clock.monotonic();
        loop {
            let next = match self.line.next(monotonic, self.nodes()) {
                Turn::Go(next) => next,
                Turn::Wait(turn) => {
                    return (claims, due.min(turn.unwrap_or(LONGEST_WAIT)).min(LONGEST_WAIT));
                }
            };
            let Some(live) = self.core.index.get(next.no) else {
                self.finished(next.no);
                continue;
            };
            if live.prepared.target.origin() != &next.host {
                // It has another target by now: it is that one's turn that counts.
                self.line.finished(next.no);
                self.add(next.no);
                continue;
            }
            let is_own = self.own.contains(&next.no) && is_claimed(&live.subscription, now, &plan);
            match step(&live.subscription, now) {
                Step::Ask => claims.push(Work::Claim(next.no)),
                Step::Wait if is_own => self.start(next.no),
                _ => self.finished(next.no),
            }
        }
    }

    /// Whether each was done; none for what could not be written.
    async fn write(&self, work: &[Work]) -> Vec<Option<bool>> {
        let failed = |error: &Error| tracing::warn!(%error, "a confirmation can't be written; trying again");
        match self.core.write_down(work.to_vec()).await {
            Ok(done) => done.into_iter().map(|done| done.inspect_err(failed).ok()).collect(),
            Err(error) => {
                failed(&error);
                vec![None; work.len()]
            }
        }
    }

    /// Asks one whose attempt is this node's.
    fn start(&mut self, no: SubscriptionNo) {
        let live = self.core.index.get(no);
        let Some((live, round)) =
            live.and_then(|live| Some((Arc::clone(&live), Round::of(&live.subscription)?)))
        else {
            return self.finished(no);
        };
        let core = Arc::clone(&self.core);
        let task = self.asking.spawn(async move {
            // The process may have been stopped since it was its turn.
            let asked = if core.dispatch.has_lease() { ask(&core, &live, &round).await } else { None };
            asked.map(|asked| Ended { no, round, asked })
        });
        self.own.remove(&no);
        self.tasks.insert(task.id(), no);
        self.handles.insert(no, task);
    }

    /// An attempt is over.
    fn take(&mut self, ended: Result<(Id, Option<Ended>), JoinError>) {
        let (id, ended) = match ended {
            Ok((id, ended)) => (id, ended),
            Err(broken) => {
                if broken.is_panic() {
                    tracing::error!("asking a target broke off; it is asked again");
                }
                (broken.id(), None)
            }
        };
        let no = self.tasks.remove(&id);
        no.and_then(|no| self.handles.remove(&no));
        match (ended, no) {
            (Some(ended), _) => self.ended.push(ended),
            (None, Some(no)) => self.finished(no),
            (None, None) => {}
        }
    }

    /// One needs its turn no longer: it waits for the round that has begun meanwhile, or what it waits for is looked up.
    fn finished(&mut self, no: SubscriptionNo) {
        self.line.finished(no);
        if self.again.remove(&no) {
            self.add(no);
        } else {
            self.own.remove(&no);
            self.core.index.look_again(no);
        }
    }

    /// Tells who waits for the end how much is under way.
    fn tell(&self) {
        self.core.intent.set_busy(self.line.in_flight());
    }
}
