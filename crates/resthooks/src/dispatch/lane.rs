//! One subscription's deliveries in memory, and what is known of those in the store.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::circuit::Admitted;
use super::plan::{Plan, Replaced};

use crate::model::{AccountId, DeliveryKey, DeliveryStatus};
use crate::model::{EventSeq, Mode, SequencedEvent, SubscriptionNo, Timestamp};
use crate::store::Record;

/// Of so many turns, one goes to late deliveries although fresh ones wait, so that they are not starved.
const LATE_TURN: u32 = 8;
/// How many requests a target gets at once before it has answered any.
const FIRST_LIMIT: usize = 8;

/// Where a lane's requests go, and how many at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Aim {
    /// The most requests in flight.
    pub cap: usize,
    /// The target's origin: what its circuit is known by.
    pub host: Arc<str>,
    /// How its deliveries are planned.
    pub mode: Mode,
    /// Whether anything is sent at all: its subscription is active.
    pub sends: bool,
}

impl Aim {
    /// For a subscription that has ended: nothing is sent.
    pub(crate) fn nowhere() -> Self {
        Self { cap: 1, host: Arc::from(""), mode: Mode::Free, sends: false }
    }
}

/// What an attempt says of its target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It acknowledged.
    Well,
    /// It answered something else.
    Answered,
    /// It said that it has too much to do: 429, 502, 503, 504.
    Overloaded,
    /// It could not be reached, or did not answer.
    Unreached,
}

/// A delivery that waits in memory or is in flight.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    /// The event with all that is needed to send it.
    pub event: SequencedEvent,
    /// Its place in the subscription's order.
    pub sequence: u64,
    /// Attempts made so far.
    pub attempts: u32,
    /// Of these, the schedule's.
    pub automatic: u32,
    /// Whether the store has a row of it.
    pub has_row: bool,
    /// When it came into memory, by the monotonic clock.
    pub since: Duration,
    /// In flight: by which leave of its host's circuit.
    pub admitted: Admitted,
    /// Whether it is planned: its lane's plan is told what becomes of it.
    pub planned: bool,
    /// What is sent with it, or in whose place.
    pub group: Option<Box<Group>>,
}

/// What goes with a planned delivery.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    /// The others of its batch.
    pub with: Vec<Job>,
    /// Those in whose place it is sent.
    pub replaced: Vec<Replaced>,
}

impl Job {
    /// What it costs to keep it in memory: about the size of its parts, as if nothing were shared.
    pub(crate) fn bytes(&self) -> usize {
        256 + self.event.event.data.len()
    }

    /// The record that gives it another state without an attempt.
    pub(crate) fn record(
        &self,
        subscription: SubscriptionNo,
        status: DeliveryStatus,
        reason: Option<String>,
        next_attempt_at: Option<Timestamp>,
    ) -> Record {
        Record {
            key: DeliveryKey { event: self.event.seq, subscription },
            account: self.event.event.account.clone(),
            sequence: self.sequence,
            has_row: self.has_row,
            status,
            reason,
            next_attempt_at,
            attempts: self.attempts,
            automatic: self.automatic,
            attempt: None,
            keep_state: false,
            group: None,
        }
    }
}

/// What the control plane's last change asks of a lane's deliveries in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Settling {
    /// Nothing, or it is done.
    #[default]
    Done,
    /// They may not be in the state that the subscription's status asks for.
    Wanted,
    /// Being moved.
    Running,
    /// Being moved, and changed again meanwhile.
    Again,
}

/// One subscription's deliveries.
#[derive(Debug)]
pub(crate) struct Lane {
    pub account: AccountId,
    fresh: VecDeque<Job>,
    late: VecDeque<Job>,
    turn: u32,
    /// Bytes of what waits here, see [`Job::bytes`].
    pub fresh_bytes: usize,
    pub late_bytes: usize,
    pub in_flight: usize,
    /// Of these, the ones that were sent after an attempt had not reached the target.
    pub suspect_in_flight: usize,
    /// Whether the last attempt did not reach the target.
    pub is_suspect: bool,
    /// How many may be in flight now: falls when the target can't be reached, rises with each success.
    pub limit: usize,
    pub aim: Aim,
    /// Until the first decrease `limit` grows by one with each success, afterwards with so many as it is.
    grows_fast: bool,
    /// Successes since it last grew.
    credit: usize,
    /// Attempts that were under way when it last fell: their ends say nothing new.
    stale: usize,
    /// Its host's circuit holds it back.
    pub held_back: bool,
    /// Deliveries with a row that are in memory or being written: not to be leased again.
    pub in_hand: HashSet<EventSeq>,
    /// When the first scheduled delivery in the store is due, as far as is known.
    pub next_due: Option<Timestamp>,
    /// Under which moment it stands among the lanes with something due.
    pub due_listed: Option<Timestamp>,
    pub leasing: bool,
    /// Deliveries whose records became durable while a lease was under way: what it brings of them is old.
    pub touched: HashSet<EventSeq>,
    pub settling: Settling,
    /// Whether it waits for its turn to send.
    pub ready_listed: bool,
    /// Under which moment it stands among the lanes that wait for their pace.
    pub parked: Option<Duration>,
    /// Nothing is sent until the control plane has said what becomes of it (410).
    pub stopped: bool,
    /// Deliveries in the store that wait (scheduled or held).
    pub waiting: u64,
    /// Its planned deliveries, if it has any or may have.
    pub plan: Option<Box<Plan>>,
}

impl Lane {
    pub(crate) fn new(account: AccountId, aim: Aim) -> Self {
        Self {
            account,
            fresh: VecDeque::new(),
            late: VecDeque::new(),
            turn: 0,
            fresh_bytes: 0,
            late_bytes: 0,
            in_flight: 0,
            suspect_in_flight: 0,
            is_suspect: false,
            limit: aim.cap.min(FIRST_LIMIT),
            aim,
            grows_fast: true,
            credit: 0,
            stale: 0,
            held_back: false,
            in_hand: HashSet::new(),
            next_due: None,
            due_listed: None,
            leasing: false,
            touched: HashSet::new(),
            settling: Settling::Done,
            ready_listed: false,
            parked: None,
            stopped: false,
            waiting: 0,
            plan: None,
        }
    }

    pub(crate) fn push(&mut self, job: Job) {
        if job.has_row {
            self.late_bytes += job.bytes();
            self.late.push_back(job);
        } else {
            self.fresh_bytes += job.bytes();
            self.fresh.push_back(job);
        }
    }

    /// The next delivery to send: planned and others by turns; of the others fresh before late, but for every eighth turn.
    pub(crate) fn pop(&mut self) -> Option<Job> {
        self.turn = self.turn.wrapping_add(1);
        if (self.queued() == 0 || self.turn.is_multiple_of(2))
            && let Some(job) = self.pop_planned()
        {
            return Some(job);
        }
        let late_first = self.turn.is_multiple_of(LATE_TURN);
        let (first, second) =
            if late_first { (&mut self.late, &mut self.fresh) } else { (&mut self.fresh, &mut self.late) };
        let job = first.pop_front().or_else(|| second.pop_front())?;
        self.count_out(&job);
        Some(job)
    }

    fn count_out(&mut self, job: &Job) {
        let bytes = if job.has_row { &mut self.late_bytes } else { &mut self.fresh_bytes };
        *bytes -= job.bytes();
    }

    /// A delivery with a row is in hand no more. A lease that is under way may bring it as it was before.
    pub(crate) fn put_down(&mut self, seq: EventSeq) {
        self.in_hand.remove(&seq);
        if self.leasing {
            self.touched.insert(seq);
        }
    }

    /// Takes over where the subscription's requests go, and how many at once.
    pub(crate) fn set_aim(&mut self, aim: Aim) {
        self.limit = self.limit.min(aim.cap).max(1);
        self.aim = aim;
        if let Some(plan) = &mut self.plan {
            plan.set_mode(self.aim.mode);
        }
    }

    /// Its plan, made if there is none.
    pub(crate) fn plan(&mut self, shared: bool) -> &mut Plan {
        let mode = self.aim.mode;
        self.plan.get_or_insert_with(|| Box::new(Plan::new(mode, shared)))
    }

    /// How many planned deliveries are in memory, and their bytes.
    pub(crate) fn planned(&self) -> (usize, usize) {
        self.plan.as_ref().map_or((0, 0), |plan| (plan.len(), plan.bytes()))
    }

    /// How many deliveries wait in memory, and their bytes.
    pub(crate) fn in_memory(&self) -> (usize, usize) {
        let (len, bytes) = self.planned();
        (len + self.queued(), bytes + self.fresh_bytes + self.late_bytes)
    }

    /// When its plan is to be looked at: at once when there is something to read.
    pub(crate) fn plan_due(&self) -> Option<Timestamp> {
        let plan = self.plan.as_ref().filter(|_| self.aim.sends)?;
        if plan.wants() { Some(Timestamp::EPOCH) } else { plan.wake() }
    }

    pub(crate) fn queued(&self) -> usize {
        self.fresh.len() + self.late.len()
    }

    pub(crate) fn fresh_len(&self) -> usize {
        self.fresh.len()
    }

    pub(crate) fn late_len(&self) -> usize {
        self.late.len()
    }

    /// Whether a planned delivery can be sent: not while what waits in the store is brought to another state.
    fn plan_is_ready(&self) -> bool {
        self.settling == Settling::Done
            && self.aim.sends
            && self.plan.as_ref().is_some_and(|plan| plan.has_ready())
    }

    /// The next planned delivery to send.
    pub(crate) fn pop_planned(&mut self) -> Option<Job> {
        if !self.plan_is_ready() {
            return None;
        }
        let job = self.plan.as_mut()?.pop()?;
        self.in_hand.insert(job.event.seq);
        self.in_hand.extend(job.group.iter().flat_map(|group| &group.with).map(|other| other.event.seq));
        Some(job)
    }

    /// Whether something can be sent now.
    pub(crate) fn can_send(&self) -> bool {
        (self.queued() > 0 || self.plan_is_ready())
            && self.in_flight < self.limit
            && !self.stopped
            && !self.held_back
    }

    /// Takes everything out of memory.
    pub(crate) fn drain(&mut self) -> Vec<Job> {
        self.fresh_bytes = 0;
        self.late_bytes = 0;
        self.fresh.drain(..).chain(self.late.drain(..)).collect()
    }

    /// Takes out the fresh deliveries, if the first of them has waited since `before` or longer.
    pub(crate) fn drain_stale(&mut self, before: Duration) -> Vec<Job> {
        if self.fresh.front().is_none_or(|job| job.since > before) {
            return Vec::new();
        }
        self.fresh_bytes = 0;
        self.fresh.drain(..).collect()
    }

    /// Takes one delivery out of memory.
    pub(crate) fn take(&mut self, seq: EventSeq) -> Option<Job> {
        let taken = [&mut self.fresh, &mut self.late].into_iter().find_map(|queue| {
            let place = queue.iter().position(|job| job.event.seq == seq)?;
            queue.remove(place)
        })?;
        self.count_out(&taken);
        Some(taken)
    }

    /// Whether there is nothing left to know about it.
    pub(crate) fn is_idle(&self) -> bool {
        self.queued() == 0
            && self.in_flight == 0
            && self.in_hand.is_empty()
            && self.next_due.is_none()
            && self.waiting == 0
            && !self.leasing
            && self.settling == Settling::Done
            && (!self.aim.sends || self.plan.as_ref().is_none_or(|plan| plan.is_idle()))
    }

    /// Follows what an attempt says of the target: additive increase, multiplicative decrease.
    pub(crate) fn adapt(&mut self, outcome: Outcome) {
        self.is_suspect = outcome == Outcome::Unreached;
        let was_under_way = self.stale > 0;
        self.stale = self.stale.saturating_sub(1);
        match outcome {
            Outcome::Well => {
                self.credit += 1;
                if self.grows_fast || self.credit >= self.limit {
                    self.credit = 0;
                    self.limit = (self.limit + 1).min(self.aim.cap);
                }
            }
            Outcome::Answered => {}
            Outcome::Overloaded | Outcome::Unreached if was_under_way => {}
            Outcome::Overloaded | Outcome::Unreached => {
                self.grows_fast = false;
                self.credit = 0;
                self.stale = self.in_flight;
                self.limit = (self.limit / 2).max(1);
            }
        }
    }
}
