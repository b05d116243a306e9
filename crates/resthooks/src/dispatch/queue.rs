//! The lanes of all subscriptions, and whose turn it is.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::lane::{Job, Lane, Settling};
use crate::model::{AccountId, DeliveryStatus, EventSeq, SubscriptionNo, Timestamp};
use crate::store::{Backlog, LeaseDue, Leased, Record};

/// Late deliveries of one lane that are fetched from the store at once.
const LEASE: usize = 128;
/// A lane with fewer late deliveries than this in memory fetches more.
const LEASE_BELOW: usize = 32;
/// A lane may always keep so many deliveries in memory, however full it is otherwise.
const RESERVED: usize = 4;
/// One lane's fresh deliveries may take this part of the bytes of all.
const LANE_PART: usize = 4;
/// Late deliveries in memory may take, beside the fresh ones, this part of their bytes.
const LATE_PART: usize = 4;
/// Targets that were not reached may together have this part of all requests in flight.
const SUSPECT_PART: usize = 2;
/// Accounts with their share in flight that are passed over before the search is given up for now.
const LOOKS: usize = 64;

/// The bounds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub in_flight: usize,
    pub queue_per_target: usize,
    pub queue_bytes: usize,
}

#[derive(Debug, Default)]
struct Account {
    ready: VecDeque<SubscriptionNo>,
    in_flight: usize,
    listed: bool,
}

#[derive(Debug)]
struct State {
    lanes: HashMap<SubscriptionNo, Lane>,
    accounts: HashMap<AccountId, Account>,
    /// Accounts with something to send, in turn.
    ring: VecDeque<AccountId>,
    /// Lanes to fetch for, by when.
    due: BTreeSet<(Timestamp, SubscriptionNo)>,
    /// Lanes whose deliveries in the store may not fit their subscription's status.
    settle: VecDeque<SubscriptionNo>,
    in_flight: usize,
    suspect_in_flight: usize,
    queued: usize,
    fresh_bytes: usize,
    late_bytes: usize,
    waiting: u64,
    /// Shut while too many records wait to be written.
    gate_open: bool,
    closed: bool,
    /// Something came among what is due: the pump must look.
    due_grew: bool,
    /// Something is to be settled.
    settle_grew: bool,
}

/// The queues.
#[derive(Debug)]
pub(crate) struct Dispatch {
    state: Mutex<State>,
    limits: Limits,
    /// Something is due, or may be sent.
    pub due_changed: Notify,
    /// Something is to be settled.
    pub settle_changed: Notify,
    /// Nothing is in flight any more.
    pub idle: Notify,
}

/// What now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Counts {
    pub in_flight: usize,
    pub queued: usize,
    pub queued_bytes: usize,
    pub waiting: u64,
}

/// What a claim for one delivery found.
#[derive(Debug)]
pub(crate) enum Claim {
    /// It waited in memory and is the claimer's now.
    Waiting(Job),
    /// It is in flight, or being written.
    Busy,
    /// It is not in memory; nobody else takes it from the store until it is released.
    Free,
}

/// What the pump is to do next.
#[derive(Debug)]
pub(crate) enum Due {
    Lease(LeaseDue),
    Wait(Option<Duration>),
}

impl Dispatch {
    pub(crate) fn new(limits: Limits) -> Self {
        let state = State {
            lanes: HashMap::new(),
            accounts: HashMap::new(),
            ring: VecDeque::new(),
            due: BTreeSet::new(),
            settle: VecDeque::new(),
            in_flight: 0,
            suspect_in_flight: 0,
            queued: 0,
            fresh_bytes: 0,
            late_bytes: 0,
            waiting: 0,
            gate_open: true,
            closed: false,
            due_grew: false,
            settle_grew: false,
        };
        Self {
            state: Mutex::new(state),
            limits,
            due_changed: Notify::new(),
            settle_changed: Notify::new(),
            idle: Notify::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets go of the queues, and wakes the pump if there is something for it.
    fn unlock(&self, mut state: MutexGuard<'_, State>) {
        let due = std::mem::take(&mut state.due_grew);
        let settle = std::mem::take(&mut state.settle_grew);
        drop(state);
        if due {
            self.due_changed.notify_one();
        }
        if settle {
            self.settle_changed.notify_one();
        }
    }

    /// Puts deliveries into their lanes; gives back those that find no room.
    pub(crate) fn push(&self, jobs: Vec<(SubscriptionNo, usize, Job)>) -> Vec<(SubscriptionNo, Job)> {
        let mut state = self.lock();
        let mut overflow = Vec::new();
        let most = self.limits.queue_bytes / LANE_PART;
        for (no, cap, job) in jobs {
            let full = state.fresh_bytes >= self.limits.queue_bytes;
            let lane = state.lane(no, &job.event.event.account, cap);
            let few = lane.fresh_len() < RESERVED;
            let room = !full && lane.fresh_len() < self.limits.queue_per_target && lane.fresh_bytes < most;
            if lane.stopped || !(few || room) {
                overflow.push((no, job));
                continue;
            }
            let bytes = job.bytes();
            lane.push(job);
            state.queued += 1;
            state.fresh_bytes += bytes;
            state.list_ready(no);
        }
        overflow
    }

    /// The next delivery to send, counted as in flight from now on.
    pub(crate) fn next(&self) -> Option<(SubscriptionNo, Job)> {
        self.lock().next(self.limits.in_flight)
    }

    /// An attempt has ended; `reached` tells whether the target could be reached, when it was tried. Gives the next
    /// delivery to send, and whether there may be more.
    pub(crate) fn finish(
        &self,
        no: SubscriptionNo,
        reached: Option<bool>,
    ) -> (Option<(SubscriptionNo, Job)>, bool) {
        let mut state = self.lock();
        state.finished(no, reached);
        if state.in_flight == 0 {
            self.idle.notify_waiters();
        }
        let next = state.next(self.limits.in_flight);
        let more = next.is_some() && !state.ring.is_empty() && state.in_flight < self.limits.in_flight;
        self.unlock(state);
        (next, more)
    }

    /// An attempt has broken off.
    pub(crate) fn broke_off(&self, no: SubscriptionNo) {
        let mut state = self.lock();
        state.finished(no, None);
        if state.in_flight == 0 {
            self.idle.notify_waiters();
        }
        self.unlock(state);
    }

    /// A record is durable. `was_waiting`: its row was scheduled or held before. `cap`: its subscription's.
    pub(crate) fn recorded(&self, record: &Record, was_waiting: bool, cap: Option<usize>) {
        let mut state = self.lock();
        state.recorded(record, was_waiting, cap);
        self.unlock(state);
    }

    /// Whether a record that has become durable is of concern here: most are not.
    pub(crate) const fn concerns(record: &Record, was_waiting: bool) -> bool {
        record.has_row
            || was_waiting
            || matches!(record.status, DeliveryStatus::Scheduled | DeliveryStatus::Held)
    }

    /// Has a lane's deliveries in the store brought again to the state that their subscription's status asks for.
    pub(crate) fn settle_again(&self, no: SubscriptionNo) {
        let mut state = self.lock();
        state.want_settle(no);
        self.unlock(state);
    }

    /// A lane to settle.
    pub(crate) fn next_settle(&self) -> Option<SubscriptionNo> {
        self.lock().next_settle()
    }

    /// What the store has waiting at a start.
    pub(crate) fn load(&self, backlog: &Backlog, account: &AccountId, cap: usize, settle: bool) {
        let mut state = self.lock();
        state.waiting += backlog.scheduled + backlog.held;
        let lane = state.lane(backlog.subscription, account, cap);
        lane.waiting = backlog.scheduled + backlog.held;
        lane.next_due = backlog.next_due;
        if settle {
            state.want_settle(backlog.subscription);
        }
        state.list_due(backlog.subscription);
    }

    /// What the pump is to do next.
    pub(crate) fn due(&self, now: Timestamp) -> Due {
        self.lock().due(now, self.limits.queue_bytes / LATE_PART)
    }

    /// Deliveries were fetched (none when the store could not be read: then it is tried again at `retry`).
    pub(crate) fn leased(
        &self,
        no: SubscriptionNo,
        leased: Option<Leased>,
        since: Duration,
        retry: Timestamp,
    ) {
        let mut state = self.lock();
        let Some(lane) = state.lanes.get_mut(&no) else { return };
        lane.leasing = false;
        let leased = leased.unwrap_or(Leased { deliveries: Vec::new(), next_due: Some(retry) });
        lane.next_due = earlier(lane.next_due, leased.next_due);
        let touched = std::mem::take(&mut lane.touched);
        let before = lane.late_bytes;
        let mut count = 0;
        for delivery in leased.deliveries {
            let job = Job {
                event: delivery.event,
                sequence: delivery.sequence,
                attempts: delivery.attempts,
                automatic: delivery.automatic,
                has_row: true,
                since,
            };
            if !touched.contains(&job.event.seq) && lane.in_hand.insert(job.event.seq) {
                count += 1;
                lane.push(job);
            }
        }
        let bytes = lane.late_bytes - before;
        let settle_waits = lane.settling == Settling::Wanted;
        state.settle_grew |= settle_waits;
        state.queued += count;
        state.late_bytes += bytes;
        state.list_ready(no);
        state.list_due(no);
        state.forget_if_idle(no);
        self.unlock(state);
    }

    /// The subscription has changed: what waits in memory is given back for the caller to record, and what waits in
    /// the store will be settled. `cap` is `None` when it has ended.
    pub(crate) fn subscription_changed(
        &self,
        no: SubscriptionNo,
        cap: Option<usize>,
        sends: bool,
    ) -> Vec<Job> {
        let mut state = self.lock();
        let Some(lane) = state.lanes.get_mut(&no) else { return Vec::new() };
        lane.stopped = false;
        if let Some(cap) = cap {
            lane.set_cap(cap);
        }
        let (fresh, late) = (lane.fresh_bytes, lane.late_bytes);
        let drained = if sends { Vec::new() } else { lane.drain() };
        state.queued -= drained.len();
        if !sends {
            state.fresh_bytes -= fresh;
            state.late_bytes -= late;
        }
        state.want_settle(no);
        state.list_ready(no);
        state.list_due(no);
        state.due_grew = true;
        self.unlock(state);
        drained
    }

    /// Sends nothing more to this subscription until it has changed.
    pub(crate) fn stop(&self, no: SubscriptionNo) {
        if let Some(lane) = self.lock().lanes.get_mut(&no) {
            lane.stopped = true;
        }
    }

    /// A lane's deliveries to leave alone while its others are settled.
    pub(crate) fn in_hand(&self, no: SubscriptionNo) -> Vec<EventSeq> {
        self.lock().lanes.get(&no).map(|lane| lane.in_hand.iter().copied().collect()).unwrap_or_default()
    }

    /// Some of a lane's deliveries in the store were moved to another state.
    pub(crate) fn settled(&self, no: SubscriptionNo, moved: usize, to: DeliveryStatus, now: Timestamp) {
        let mut state = self.lock();
        let Some(lane) = state.lanes.get_mut(&no) else { return };
        match to {
            DeliveryStatus::Scheduled => lane.next_due = earlier(lane.next_due, Some(now)),
            DeliveryStatus::Cancelled => {
                let moved = lane.waiting.min(moved as u64);
                lane.waiting -= moved;
                state.waiting -= moved;
            }
            _ => {}
        }
        state.list_due(no);
        self.unlock(state);
    }

    /// Settling has come to its end, well or not. `ended`: the subscription has ended, so that whatever waited for it
    /// has been cancelled, or was deleted with its account.
    pub(crate) fn settle_ended(&self, no: SubscriptionNo, ok: bool, ended: bool) {
        let mut state = self.lock();
        let Some(lane) = state.lanes.get_mut(&no) else { return };
        let again = lane.settling == Settling::Again || !ok;
        lane.settling = Settling::Done;
        if ok && ended {
            let left = lane.waiting.min(lane.in_hand.len() as u64);
            let gone = lane.waiting - left;
            lane.waiting = left;
            state.waiting = state.waiting.saturating_sub(gone);
        }
        if again {
            state.want_settle(no);
        }
        state.list_due(no);
        state.forget_if_idle(no);
        self.unlock(state);
    }

    /// Takes one delivery for a manual action.
    pub(crate) fn claim(
        &self,
        no: SubscriptionNo,
        account: &AccountId,
        cap: usize,
        seq: EventSeq,
        has_row: bool,
    ) -> Claim {
        let mut state = self.lock();
        let lane = state.lane(no, account, cap);
        if let Some(job) = lane.take(seq) {
            state.queued -= 1;
            state.count_out(&job);
            return Claim::Waiting(job);
        }
        let free = has_row && lane.in_hand.insert(seq);
        state.forget_if_idle(no);
        if free { Claim::Free } else { Claim::Busy }
    }

    /// Gives back a claim that led to no record. `due` is when the delivery's row is due, if it is scheduled.
    pub(crate) fn release(&self, no: SubscriptionNo, seq: EventSeq, due: Option<Timestamp>) {
        let mut state = self.lock();
        let Some(lane) = state.lanes.get_mut(&no) else { return };
        lane.put_down(seq);
        lane.next_due = earlier(lane.next_due, due);
        state.list_due(no);
        state.forget_if_idle(no);
        self.unlock(state);
    }

    /// Fresh deliveries of lanes whose first one has waited since `before`: they are to go to the store.
    pub(crate) fn take_stale(&self, before: Duration) -> Vec<(SubscriptionNo, Job)> {
        let mut state = self.lock();
        let mut stale = Vec::new();
        for (no, lane) in &mut state.lanes {
            stale.extend(lane.drain_stale(before).into_iter().map(|job| (*no, job)));
        }
        state.queued -= stale.len();
        state.fresh_bytes -= stale.iter().map(|(_, job)| job.bytes()).sum::<usize>();
        stale
    }

    /// Opens or shuts the gate: while it is shut, nothing new is sent.
    pub(crate) fn set_gate(&self, open: bool) {
        self.lock().gate_open = open;
    }

    /// Sends nothing more, for good.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.due_changed.notify_waiters();
        self.settle_changed.notify_waiters();
    }

    pub(crate) fn counts(&self) -> Counts {
        let state = self.lock();
        Counts {
            in_flight: state.in_flight,
            queued: state.queued,
            queued_bytes: state.fresh_bytes + state.late_bytes,
            waiting: state.waiting,
        }
    }

    /// Deliveries of one subscription that wait: in memory without a row, or in the store.
    pub(crate) fn waiting(&self, no: SubscriptionNo) -> u64 {
        self.lock().lanes.get(&no).map_or(0, |lane| lane.waiting + lane.fresh_len() as u64)
    }
}

impl State {
    fn lane(&mut self, no: SubscriptionNo, account: &AccountId, cap: usize) -> &mut Lane {
        let lane = self.lanes.entry(no).or_insert_with(|| Lane::new(account.clone(), cap));
        if lane.cap != cap {
            lane.set_cap(cap);
        }
        lane
    }

    fn count_out(&mut self, job: &Job) {
        let bytes = if job.has_row { &mut self.late_bytes } else { &mut self.fresh_bytes };
        *bytes -= job.bytes();
    }

    fn next(&mut self, max: usize) -> Option<(SubscriptionNo, Job)> {
        if self.closed || !self.gate_open || self.in_flight >= max {
            return None;
        }
        // An account may have as much in flight as is still free: one alone gets half of all, the next one half of
        // the rest, and so on.
        let allowed = max - self.in_flight;
        let spared = self.suspect_in_flight >= (max / SUSPECT_PART).max(1);
        let mut passed = 0;
        while passed < self.ring.len().min(LOOKS) {
            let id = self.ring.pop_front()?;
            let Some(account) = self.accounts.get_mut(&id) else { continue };
            let taken =
                if account.in_flight < allowed { take_from(account, &mut self.lanes, spared) } else { None };
            account.listed = !account.ready.is_empty();
            if account.listed {
                self.ring.push_back(id);
                passed += 1;
            } else if account.in_flight == 0 {
                self.accounts.remove(&id);
            }
            if let Some((no, job, suspect)) = taken {
                self.in_flight += 1;
                self.suspect_in_flight += usize::from(suspect);
                self.queued -= 1;
                self.count_out(&job);
                return Some((no, job));
            }
        }
        None
    }

    fn finished(&mut self, no: SubscriptionNo, reached: Option<bool>) {
        self.in_flight -= 1;
        let Some(lane) = self.lanes.get_mut(&no) else { return };
        lane.in_flight -= 1;
        if lane.suspect_in_flight > 0 {
            lane.suspect_in_flight -= 1;
            self.suspect_in_flight -= 1;
        }
        if let Some(reached) = reached {
            lane.adapt(reached);
        }
        if let Some(account) = self.accounts.get_mut(&lane.account) {
            account.in_flight -= 1;
            if account.in_flight == 0 && account.ready.is_empty() && !account.listed {
                let id = lane.account.clone();
                self.accounts.remove(&id);
            }
        }
        self.list_ready(no);
        self.list_due(no);
        self.forget_if_idle(no);
    }

    fn recorded(&mut self, record: &Record, was_waiting: bool, cap: Option<usize>) {
        let waits = if record.keep_state {
            was_waiting
        } else {
            matches!(record.status, DeliveryStatus::Scheduled | DeliveryStatus::Held)
        };
        let no = record.key.subscription;
        let lane = self.lane(no, &record.account, cap.unwrap_or(1));
        if record.has_row {
            lane.put_down(record.key.event);
        }
        if record.status == DeliveryStatus::Scheduled {
            lane.next_due = earlier(lane.next_due, record.next_attempt_at);
        }
        match (was_waiting, waits) {
            (false, true) => {
                lane.waiting += 1;
                self.waiting += 1;
            }
            (true, false) => {
                lane.waiting = lane.waiting.saturating_sub(1);
                self.waiting = self.waiting.saturating_sub(1);
            }
            _ => {}
        }
        self.list_due(no);
        self.forget_if_idle(no);
    }

    fn next_settle(&mut self) -> Option<SubscriptionNo> {
        // While a lane's due deliveries are being fetched it is left: the settled ones would come among them.
        let lanes = &mut self.lanes;
        let place = self.settle.iter().position(|no| lanes.get(no).is_none_or(|lane| !lane.leasing))?;
        let no = self.settle.remove(place)?;
        if let Some(lane) = lanes.get_mut(&no) {
            lane.settling = Settling::Running;
        }
        Some(no)
    }

    fn due(&mut self, now: Timestamp, late_most: usize) -> Due {
        if self.closed {
            return Due::Wait(None);
        }
        let Some((at, no)) = self.due.first().copied() else { return Due::Wait(None) };
        if at > now {
            return Due::Wait(Some(at.since(now)));
        }
        self.due.remove(&(at, no));
        let full = self.late_bytes >= late_most;
        let Some(lane) = self.lanes.get_mut(&no) else { return Due::Wait(Some(Duration::ZERO)) };
        let limit = if full { RESERVED } else { (2 * lane.limit).clamp(RESERVED, LEASE) };
        lane.due_listed = None;
        lane.next_due = None;
        lane.leasing = true;
        self.due_grew = !self.due.is_empty();
        Due::Lease(LeaseDue { subscription: no, now, limit, except: lane.in_hand.iter().copied().collect() })
    }

    /// Puts a lane among those with something to send, if it has and is not there.
    fn list_ready(&mut self, no: SubscriptionNo) {
        let Some(lane) = self.lanes.get_mut(&no) else { return };
        if lane.ready_listed || !lane.can_send() {
            return;
        }
        lane.ready_listed = true;
        let account = self.accounts.entry(lane.account.clone()).or_default();
        account.ready.push_back(no);
        if !account.listed {
            account.listed = true;
            self.ring.push_back(lane.account.clone());
        }
    }

    /// Puts a lane among those with something to fetch under the right moment, or takes it out.
    fn list_due(&mut self, no: SubscriptionNo) {
        let Some(lane) = self.lanes.get_mut(&no) else { return };
        let room = !lane.leasing
            && !lane.stopped
            && lane.settling == Settling::Done
            && lane.late_len() < LEASE_BELOW;
        let wanted = lane.next_due.filter(|_| room);
        if wanted == lane.due_listed {
            return;
        }
        if let Some(at) = lane.due_listed {
            self.due.remove(&(at, no));
        }
        if let Some(at) = wanted {
            self.due.insert((at, no));
            self.due_grew = true;
        }
        lane.due_listed = wanted;
    }

    fn want_settle(&mut self, no: SubscriptionNo) {
        let Some(lane) = self.lanes.get_mut(&no) else { return };
        match lane.settling {
            Settling::Done => {
                lane.settling = Settling::Wanted;
                self.settle.push_back(no);
                self.settle_grew = true;
            }
            Settling::Running => lane.settling = Settling::Again,
            Settling::Wanted | Settling::Again => {}
        }
    }

    fn forget_if_idle(&mut self, no: SubscriptionNo) {
        if self.lanes.get(&no).is_some_and(Lane::is_idle) {
            self.lanes.remove(&no);
        }
    }
}

/// The next delivery of an account: its lanes take turns. With `spared`, lanes whose target was not reached are passed
/// over. The flag says whether the lane is such a one.
fn take_from(
    account: &mut Account,
    lanes: &mut HashMap<SubscriptionNo, Lane>,
    spared: bool,
) -> Option<(SubscriptionNo, Job, bool)> {
    for _ in 0..account.ready.len() {
        let no = account.ready.pop_front()?;
        let Some(lane) = lanes.get_mut(&no) else { continue };
        lane.ready_listed = false;
        if !lane.can_send() {
            continue;
        }
        if spared && lane.is_suspect {
            lane.ready_listed = true;
            account.ready.push_back(no);
            continue;
        }
        let Some(job) = lane.pop() else { continue };
        lane.in_flight += 1;
        lane.suspect_in_flight += usize::from(lane.is_suspect);
        account.in_flight += 1;
        if lane.can_send() {
            lane.ready_listed = true;
            account.ready.push_back(no);
        }
        return Some((no, job, lane.is_suspect));
    }
    None
}

fn earlier(a: Option<Timestamp>, b: Option<Timestamp>) -> Option<Timestamp> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}
