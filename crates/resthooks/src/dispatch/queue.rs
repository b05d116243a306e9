//! The lanes of all subscriptions, and whose turn it is.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::circuit::{Admitted, Circuit};
use super::lane::{Aim, Job, Outcome, Settling};
use super::plan::{Item, Key, Plan, Read};
use super::state::{RESERVED, State, earlier};
use crate::env::Clock;
use crate::model::{AccountId, DeliveryStatus, EventSeq, Mode, NodeNo, RateLimit, SubscriptionNo, Timestamp};
use crate::store::{Backlog, LeaseDue, LeasePlanned, Leased, LeasedPlanned, PlannedDelivery, Record};

/// One lane's fresh deliveries may take this part of the bytes of all.
const LANE_PART: usize = 4;
/// Late deliveries in memory may take, beside the fresh ones, this part of their bytes.
const LATE_PART: usize = 4;

/// The bounds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub in_flight: usize,
    pub queue_per_target: usize,
    pub queue_bytes: usize,
    /// Whether other nodes share the store.
    pub shared: bool,
}

/// The queues.
#[derive(Debug)]
pub(crate) struct Dispatch {
    state: Mutex<State>,
    limits: Limits,
    clock: Arc<dyn Clock>,
    /// Until when this node may send, by its clock, in microseconds: its lease. `u64::MAX` on a store of its own.
    send_until: AtomicU64,
    /// Something is due, or may be sent.
    pub due_changed: Notify,
    /// Something is to be settled.
    pub settle_changed: Notify,
    /// A lane waits for its pace.
    pub pace_changed: Notify,
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
    /// Lanes for which due deliveries are being fetched from the store.
    pub fetching: usize,
    /// Lanes whose deliveries in the store are being moved, or are to be.
    pub moving: usize,
    /// Hosts that nothing, or only a probe, is sent to.
    pub open_circuits: usize,
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
    Planned(LeasePlanned),
    Wait(Option<Duration>),
}

impl Dispatch {
    pub(crate) fn new(limits: Limits, clock: Arc<dyn Clock>) -> Self {
        Self {
            state: Mutex::default(),
            limits,
            clock,
            send_until: AtomicU64::new(u64::MAX),
            due_changed: Notify::new(),
            settle_changed: Notify::new(),
            pace_changed: Notify::new(),
            idle: Notify::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if !state.paces.is_empty() {
            state.paces.set_now(self.clock.monotonic());
        }
        state
    }

    /// Lets go of the queues, and wakes the pump if there is something for it.
    fn unlock(&self, mut state: MutexGuard<'_, State>) {
        let due = std::mem::take(&mut state.due_grew);
        let settle = std::mem::take(&mut state.settle_grew);
        let paced = std::mem::take(&mut state.paces.grew) | std::mem::take(&mut state.circuits.grew);
        drop(state);
        if paced {
            self.pace_changed.notify_one();
        }
        if due {
            self.due_changed.notify_one();
        }
        if settle {
            self.settle_changed.notify_one();
        }
    }

    /// Puts deliveries into their lanes; gives back those that find no room.
    pub(crate) fn push(&self, jobs: Vec<(SubscriptionNo, Aim, Job)>) -> Vec<(SubscriptionNo, Job)> {
        let mut state = self.lock();
        let mut overflow = Vec::new();
        let most = self.limits.queue_bytes / LANE_PART;
        for (no, aim, job) in jobs {
            let full = state.fresh_bytes >= self.limits.queue_bytes;
            let lane = state.lane(no, &job.event.event.account, &aim);
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
        self.unlock(state);
        overflow
    }

    /// Nothing new is sent after this moment of the monotonic clock, unless it is put off again.
    pub(crate) fn send_until(&self, moment: Duration) {
        let micros = u64::try_from(moment.as_micros()).unwrap_or(u64::MAX);
        self.send_until.store(micros, Ordering::Relaxed);
    }

    /// Whether this node's lease runs. Asked for each delivery just before it is sent: a process that was stopped for
    /// a while must not go on with what another node has taken over meanwhile.
    pub(crate) fn has_lease(&self) -> bool {
        let until = self.send_until.load(Ordering::Relaxed);
        until == u64::MAX || self.clock.monotonic().as_micros() < u128::from(until)
    }

    /// The next delivery to send, counted as in flight from now on.
    pub(crate) fn next(&self) -> Option<(SubscriptionNo, Job)> {
        if !self.has_lease() {
            return None;
        }
        let mut state = self.lock();
        let next = state.next(self.limits.in_flight);
        self.unlock(state);
        next
    }

    /// An attempt has ended; `outcome` is what it says of its target, when it was made. Gives the next delivery to send, and
    /// whether there may be more.
    pub(crate) fn finish(
        &self,
        no: SubscriptionNo,
        admitted: &Admitted,
        outcome: Option<Outcome>,
    ) -> (Option<(SubscriptionNo, Job)>, bool) {
        let now = self.clock.monotonic();
        let mut state = self.lock();
        state.finished(no, admitted, outcome, now);
        if state.in_flight == 0 {
            self.idle.notify_waiters();
        }
        let next = self.has_lease().then(|| state.next(self.limits.in_flight)).flatten();
        let more = next.is_some() && !state.ring.is_empty() && state.in_flight < self.limits.in_flight;
        self.unlock(state);
        (next, more)
    }

    /// An attempt has broken off.
    pub(crate) fn broke_off(&self, no: SubscriptionNo, admitted: &Admitted) {
        let now = self.clock.monotonic();
        let mut state = self.lock();
        state.finished(no, admitted, None, now);
        if state.in_flight == 0 {
            self.idle.notify_waiters();
        }
        self.unlock(state);
    }

    /// A record is durable. `was_waiting`: its row was scheduled or held before. `aim`: its subscription's.
    pub(crate) fn recorded(&self, record: &Record, was_waiting: bool, aim: &Aim) {
        let mut state = self.lock();
        state.recorded(record, was_waiting, aim);
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

    /// What the store has waiting: at a start, or taken over from another node. Told twice, it counts twice until it is
    /// sent; what is due is found all the same.
    pub(crate) fn load(&self, backlog: &Backlog, account: &AccountId, aim: &Aim, settle: bool) {
        let mut state = self.lock();
        state.waiting += backlog.scheduled + backlog.held;
        let lane = state.lane(backlog.subscription, account, aim);
        lane.waiting += backlog.scheduled + backlog.held;
        lane.next_due = earlier(lane.next_due, backlog.next_due);
        lane.plan(self.limits.shared);
        state.with_plan(backlog.subscription, Plan::read_again);
        if settle {
            state.want_settle(backlog.subscription);
        }
        state.list_due(backlog.subscription);
        self.unlock(state);
    }

    /// What the pump is to do next.
    pub(crate) fn due(&self, node: NodeNo, now: Timestamp) -> Due {
        self.lock().due(node, now, self.limits.queue_bytes / LATE_PART)
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
        state.fetching -= 1;
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
                admitted: Admitted::default(),
                planned: false,
                group: None,
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

    /// A planned delivery was committed, and is this node's to send.
    pub(crate) fn feed(&self, no: SubscriptionNo, aim: &Aim, item: Item, now: Timestamp) {
        let mut state = self.lock();
        state.waiting += 1;
        let shared = self.limits.shared;
        let lane = state.lane(no, &item.job.event.event.account, aim);
        lane.waiting += 1;
        lane.plan(shared);
        if aim.sends {
            state.with_plan(no, |plan| plan.feed(item, now));
            state.list_ready(no);
        } else {
            state.want_settle(no);
        }
        state.list_due(no);
        self.unlock(state);
    }

    /// Other nodes have written planned deliveries that are this node's to send: so many. `again`: nothing that was known
    /// of them holds any more.
    pub(crate) fn planned_came(
        &self,
        no: SubscriptionNo,
        account: &AccountId,
        aim: &Aim,
        came: u64,
        again: bool,
    ) {
        let mut state = self.lock();
        let shared = self.limits.shared;
        let lane = state.lane(no, account, aim);
        let before = if again { std::mem::replace(&mut lane.waiting, 0) } else { 0 };
        lane.waiting += came;
        lane.plan(shared);
        state.waiting = state.waiting.saturating_sub(before) + came;
        state.with_plan(no, if again { Plan::read_again } else { Plan::came });
        if !aim.sends {
            state.want_settle(no);
        }
        state.list_due(no);
        self.unlock(state);
    }

    /// Planned deliveries were read (`None`: the store could not be read).
    pub(crate) fn planned_leased(
        &self,
        no: SubscriptionNo,
        read: Option<LeasedPlanned>,
        since: Duration,
        now: Timestamp,
    ) {
        let mut state = self.lock();
        state.fetching -= 1;
        let Some(lane) = state.lanes.get_mut(&no) else { return };
        lane.leasing = false;
        lane.touched.clear();
        let settle_waits = lane.settling == Settling::Wanted;
        state.settle_grew |= settle_waits;
        let read = read.map(|read| Read {
            items: read.deliveries.into_iter().map(|delivery| item(delivery, since)).collect(),
            more: read.more,
            next_due: read.next_due,
        });
        state.with_plan(no, |plan| plan.read(read, now));
        state.list_ready(no);
        state.list_due(no);
        state.forget_if_idle(no);
        self.unlock(state);
    }

    /// What becomes of a planned delivery that was in flight: its record is on its way to the store, behind those of the
    /// ones before it, so that the next of its key may be sent.
    pub(crate) fn planned_ended(&self, record: &Record) {
        let no = record.key.subscription;
        let mut state = self.lock();
        state.with_plan(no, |plan| plan.ended(record));
        state.list_due(no);
        self.unlock(state);
    }

    /// The subscription has changed: what waits in memory is given back for the caller to record, and what waits in
    /// the store will be settled. `aim` is `None` when it has ended.
    pub(crate) fn subscription_changed(&self, no: SubscriptionNo, aim: Option<Aim>, sends: bool) -> Vec<Job> {
        let mut state = self.lock();
        state.with_plan(no, Plan::read_again);
        let Some(lane) = state.lanes.get_mut(&no) else { return Vec::new() };
        lane.stopped = false;
        if let Some(aim) = aim {
            // Its new target may be as good as any. Where it is still in line for the former one it is passed over.
            lane.held_back = false;
            let mode = aim.mode;
            lane.set_aim(aim);
            if mode != Mode::Free {
                lane.plan(self.limits.shared);
            }
        }
        lane.aim.sends &= sends;
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
            DeliveryStatus::Scheduled => {
                lane.next_due = earlier(lane.next_due, Some(now));
                state.with_plan(no, Plan::read_again);
            }
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
        state.moving -= 1;
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
        aim: &Aim,
        seq: EventSeq,
        has_row: bool,
    ) -> Claim {
        let mut state = self.lock();
        let lane = state.lane(no, account, aim);
        if let Some(job) = lane.take(seq) {
            state.queued -= 1;
            state.count_out(&job);
            return Claim::Waiting(job);
        }
        if let Some(job) = state.with_plan(no, |plan| plan.take(seq)).flatten() {
            if let Some(lane) = state.lanes.get_mut(&no) {
                lane.in_hand.insert(seq);
            }
            return Claim::Waiting(job);
        }
        let free = has_row && state.lanes.get_mut(&no).is_some_and(|lane| lane.in_hand.insert(seq));
        if free {
            state.with_plan(no, |plan| plan.claimed(seq));
        }
        state.forget_if_idle(no);
        if free { Claim::Free } else { Claim::Busy }
    }

    /// Gives back a claim that led to no record. `due` is when the delivery's row is due, if it is scheduled.
    pub(crate) fn release(&self, no: SubscriptionNo, seq: EventSeq, due: Option<Timestamp>) {
        let mut state = self.lock();
        let Some(lane) = state.lanes.get_mut(&no) else { return };
        lane.put_down(seq);
        lane.next_due = earlier(lane.next_due, due);
        state.with_plan(no, |plan| plan.written(seq));
        state.list_ready(no);
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

    /// How often a subscription's target is asked at most, `None` for any. Holds from now on.
    pub(crate) fn set_rate(&self, no: SubscriptionNo, rate: Option<RateLimit>) {
        let mut state = self.lock();
        // Without any rates until now nobody has looked at the clock.
        state.paces.set_now(self.clock.monotonic());
        if state.paces.set(no, rate) {
            state.list_ready(no);
        }
        self.unlock(state);
    }

    /// How many nodes send, and share the rates.
    pub(crate) fn set_nodes(&self, nodes: usize) {
        let mut state = self.lock();
        if state.paces.set_nodes(nodes) {
            let waiting = state.paces.take_waiting();
            state.resume(waiting);
        }
        self.unlock(state);
    }

    /// Takes the target's next turn for a request by hand, when it comes within `longest`: how long that is to wait; as an
    /// error when it is longer.
    pub(crate) fn reserve(&self, no: SubscriptionNo, longest: Duration) -> Result<Duration, Duration> {
        self.lock().paces.reserve(no, longest)
    }

    /// Brings lanes back whose pace allows the next request, or whose host is to be tried again; how long until there
    /// is another one.
    pub(crate) fn resume_paced(&self) -> Option<Duration> {
        let now = self.clock.monotonic();
        let mut state = self.lock();
        let come = state.paces.come();
        state.resume(come);
        let tried = state.circuits.come(now);
        state.let_go(tried);
        let waits = [state.paces.wait(), state.circuits.wait(now)];
        self.unlock(state);
        waits.into_iter().flatten().min()
    }

    /// How a target's host stands.
    pub(crate) fn circuit(&self, host: &str) -> Circuit {
        self.lock().circuits.of(host)
    }

    /// Opens or shuts the gate: while it is shut, nothing new is sent.
    pub(crate) fn set_gate(&self, open: bool) {
        self.lock().gate_shut = !open;
    }

    /// Sends nothing more, for good.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.due_changed.notify_waiters();
        self.settle_changed.notify_waiters();
    }

    /// Whether nothing is sent any more.
    pub(crate) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    pub(crate) fn counts(&self) -> Counts {
        let state = self.lock();
        Counts {
            in_flight: state.in_flight,
            queued: state.queued,
            queued_bytes: state.fresh_bytes + state.late_bytes,
            waiting: state.waiting,
            fetching: state.fetching,
            moving: state.moving + state.settle.len(),
            open_circuits: state.circuits.open(),
        }
    }

    /// Deliveries of one subscription that wait in memory and have no row.
    pub(crate) fn fresh(&self, no: SubscriptionNo) -> u64 {
        self.lock().lanes.get(&no).map_or(0, |lane| lane.fresh_len() as u64)
    }

    /// Deliveries of one subscription that wait: in memory without a row, or in the store.
    pub(crate) fn waiting(&self, no: SubscriptionNo) -> u64 {
        self.lock().lanes.get(&no).map_or(0, |lane| lane.waiting + lane.fresh_len() as u64)
    }
}

fn item(read: PlannedDelivery, since: Duration) -> Item {
    let PlannedDelivery { delivery, key, due, group } = read;
    let job = Job {
        event: delivery.event,
        sequence: delivery.sequence,
        attempts: delivery.attempts,
        automatic: delivery.automatic,
        has_row: true,
        since,
        admitted: Admitted::default(),
        planned: true,
        group: None,
    };
    Item { job, key: Key::from(key), due, group }
}
