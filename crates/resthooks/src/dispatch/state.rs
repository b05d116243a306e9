//! Lanes, accounts and turns, behind one lock. Every method leaves the lists as the lanes' contents ask for.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::circuit::{Admitted, Circuits};
use super::lane::{Aim, Job, Lane, Outcome, Settling};
use super::pace::Paces;
use super::plan::Plan;
use super::queue::Due;
use crate::model::{AccountId, DeliveryStatus, NodeNo, SubscriptionNo, Timestamp};
use crate::store::{LeaseDue, LeasePlanned, Record};

/// Late deliveries of one lane that are fetched from the store at once.
const LEASE: usize = 128;
/// Planned deliveries of one lane that are read at once.
const PLANNED: usize = 256;
/// A lane with fewer late deliveries than this in memory fetches more.
const LEASE_BELOW: usize = 32;
/// Targets that were not reached may together have this part of all requests in flight.
const SUSPECT_PART: usize = 2;
/// Accounts with their share in flight that are passed over before the search is given up for now.
const LOOKS: usize = 64;
/// A lane may always keep so many deliveries in memory, however full it is otherwise.
pub(super) const RESERVED: usize = 4;

#[derive(Debug, Default)]
pub(super) struct Account {
    pub(super) ready: VecDeque<SubscriptionNo>,
    pub(super) in_flight: usize,
    pub(super) listed: bool,
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) lanes: HashMap<SubscriptionNo, Lane>,
    pub(super) accounts: HashMap<AccountId, Account>,
    /// Accounts with something to send, in turn.
    pub(super) ring: VecDeque<AccountId>,
    /// Lanes to fetch for, by when.
    pub(super) due: BTreeSet<(Timestamp, SubscriptionNo)>,
    /// Lanes whose deliveries in the store may not fit their subscription's status.
    pub(super) settle: VecDeque<SubscriptionNo>,
    pub(super) in_flight: usize,
    pub(super) suspect_in_flight: usize,
    pub(super) queued: usize,
    pub(super) fresh_bytes: usize,
    pub(super) late_bytes: usize,
    pub(super) waiting: u64,
    /// Lanes for which due deliveries are being fetched, or those in the store moved.
    pub(super) fetching: usize,
    pub(super) moving: usize,
    /// What each target is allowed.
    pub(super) paces: Paces,
    /// Which hosts are in trouble.
    pub(super) circuits: Circuits,
    /// Nothing new is sent while too many records wait to be written.
    pub(super) gate_shut: bool,
    pub(super) closed: bool,
    /// Something came among what is due: the pump must look.
    pub(super) due_grew: bool,
    /// Something is to be settled.
    pub(super) settle_grew: bool,
}

impl State {
    pub(super) fn lane(&mut self, no: SubscriptionNo, account: &AccountId, aim: &Aim) -> &mut Lane {
        let lane = self.lanes.entry(no).or_insert_with(|| Lane::new(account.clone(), aim.clone()));
        if lane.aim != *aim {
            // What it has planned may be forgotten with its aim.
            let before = lane.planned();
            lane.set_aim(aim.clone());
            let after = lane.planned();
            self.queued = self.queued + after.0 - before.0;
            self.late_bytes = self.late_bytes + after.1 - before.1;
        }
        lane
    }

    pub(super) fn count_out(&mut self, job: &Job) {
        let bytes = if job.has_row { &mut self.late_bytes } else { &mut self.fresh_bytes };
        *bytes -= job.bytes();
    }

    /// Does something with a lane's plan, and counts what that keeps in memory.
    pub(super) fn with_plan<T>(&mut self, no: SubscriptionNo, act: impl FnOnce(&mut Plan) -> T) -> Option<T> {
        let plan = self.lanes.get_mut(&no)?.plan.as_mut()?;
        let (len, bytes) = (plan.len(), plan.bytes());
        let done = act(plan);
        self.queued = self.queued + plan.len() - len;
        self.late_bytes = self.late_bytes + plan.bytes() - bytes;
        Some(done)
    }

    pub(super) fn next(&mut self, max: usize) -> Option<(SubscriptionNo, Job)> {
        if self.closed || self.gate_shut || self.in_flight >= max {
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
            let taken = (account.in_flight < allowed)
                .then(|| take_from(account, &mut self.lanes, &mut self.paces, &mut self.circuits, spared))
                .flatten();
            account.listed = !account.ready.is_empty();
            if account.listed {
                self.ring.push_back(id);
                passed += 1;
            } else if account.in_flight == 0 {
                self.accounts.remove(&id);
            }
            if let Some(Turn { no, job, suspect, len, bytes }) = taken {
                self.in_flight += 1;
                self.suspect_in_flight += usize::from(suspect);
                self.queued -= len;
                *(if job.has_row { &mut self.late_bytes } else { &mut self.fresh_bytes }) -= bytes;
                self.paces.take(no);
                self.list_ready(no);
                return Some((no, job));
            }
        }
        None
    }

    /// An attempt has ended, or was not made after all (no outcome).
    pub(super) fn finished(
        &mut self,
        no: SubscriptionNo,
        admitted: &Admitted,
        outcome: Option<Outcome>,
        now: Duration,
    ) {
        self.in_flight -= 1;
        let Some(lane) = self.lanes.get_mut(&no) else { return };
        let reached = outcome.map(|outcome| outcome != Outcome::Unreached);
        let host = admitted.host().unwrap_or(&lane.aim.host);
        let free = self.circuits.ended(host, admitted, reached, now);
        lane.in_flight -= 1;
        if lane.suspect_in_flight > 0 {
            lane.suspect_in_flight -= 1;
            self.suspect_in_flight -= 1;
        }
        if let Some(outcome) = outcome {
            lane.adapt(outcome);
        }
        if let Some(account) = self.accounts.get_mut(&lane.account) {
            account.in_flight -= 1;
            if account.in_flight == 0 && account.ready.is_empty() && !account.listed {
                let id = lane.account.clone();
                self.accounts.remove(&id);
            }
        }
        self.let_go(free);
        self.list_ready(no);
        self.list_due(no);
        self.forget_if_idle(no);
    }

    /// Lanes that their hosts' circuits held back may be looked at again. One that has nothing to send any more lets
    /// another one of its host go in its place.
    pub(super) fn let_go(&mut self, mut free: Vec<SubscriptionNo>) {
        while let Some(no) = free.pop() {
            let Some(lane) = self.lanes.get_mut(&no) else { continue };
            lane.held_back = false;
            let host = Arc::clone(&lane.aim.host);
            if lane.can_send() {
                self.list_ready(no);
            } else {
                free.extend(self.circuits.pass_on(&host));
            }
        }
    }

    pub(super) fn recorded(&mut self, record: &Record, was_waiting: bool, aim: &Aim) {
        let waits = if record.keep_state {
            was_waiting
        } else {
            matches!(record.status, DeliveryStatus::Scheduled | DeliveryStatus::Held)
        };
        let no = record.key.subscription;
        let lane = self.lane(no, &record.account, aim);
        if record.has_row {
            lane.put_down(record.key.event);
        }
        let planned = lane.plan.is_some() && record.has_row;
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
        if planned {
            self.with_plan(no, |plan| plan.written(record.key.event));
            self.list_ready(no);
        }
        self.list_due(no);
        self.forget_if_idle(no);
    }

    pub(super) fn next_settle(&mut self) -> Option<SubscriptionNo> {
        // While a lane's due deliveries are being fetched it is left: the settled ones would come among them.
        let lanes = &mut self.lanes;
        let place = self.settle.iter().position(|no| lanes.get(no).is_none_or(|lane| !lane.leasing))?;
        let no = self.settle.remove(place)?;
        if let Some(lane) = lanes.get_mut(&no) {
            lane.settling = Settling::Running;
        }
        self.moving += 1;
        Some(no)
    }

    pub(super) fn due(&mut self, node: NodeNo, now: Timestamp, late_most: usize) -> Due {
        if self.closed {
            return Due::Wait(None);
        }
        let Some((at, no)) = self.due.first().copied() else { return Due::Wait(None) };
        if at > now {
            return Due::Wait(Some(at.since(now)));
        }
        self.due.remove(&(at, no));
        let full = self.late_bytes >= late_most;
        if let Some(lane) = self.lanes.get_mut(&no) {
            lane.due_listed = None;
        }
        if let Some(ask) = self.read_planned(node, no, now, full) {
            return Due::Planned(ask);
        }
        let Some(lane) = self.lanes.get_mut(&no) else { return Due::Wait(Some(Duration::ZERO)) };
        if lane.next_due.is_none_or(|due| due > now) {
            // It was there for its plan alone, which has nothing to read after all.
            self.list_ready(no);
            self.list_due(no);
            return Due::Wait(Some(Duration::ZERO));
        }
        let limit = if full { RESERVED } else { (2 * lane.limit).clamp(RESERVED, LEASE) };
        lane.next_due = None;
        lane.leasing = true;
        self.fetching += 1;
        self.due_grew = !self.due.is_empty();
        let except = lane.in_hand.iter().copied().collect();
        Due::Lease(LeaseDue { node, subscription: no, now, limit, except })
    }

    /// Brings a lane's plan to this moment; what of it is to be read now.
    fn read_planned(
        &mut self,
        node: NodeNo,
        no: SubscriptionNo,
        now: Timestamp,
        full: bool,
    ) -> Option<LeasePlanned> {
        let lane = self.lanes.get(&no)?;
        if !lane.aim.sends || lane.leasing || lane.settling != Settling::Done {
            return None;
        }
        let pick = self.with_plan(no, |plan| {
            plan.advance(now);
            plan.next_read(now)
        });
        self.list_ready(no);
        let pick = pick.flatten()?;
        self.lanes.get_mut(&no)?.leasing = true;
        self.fetching += 1;
        self.due_grew = !self.due.is_empty();
        let limit = if full { RESERVED } else { PLANNED };
        Some(LeasePlanned { node, subscription: no, pick, limit })
    }

    /// Looks again at lanes that waited for their pace.
    pub(super) fn resume(&mut self, parked: Vec<SubscriptionNo>) {
        for no in parked {
            if let Some(lane) = self.lanes.get_mut(&no) {
                lane.parked = None;
            }
            self.list_ready(no);
        }
    }

    /// Puts a lane among those with something to send, if it has and is not there.
    pub(super) fn list_ready(&mut self, no: SubscriptionNo) {
        let Some(lane) = self.lanes.get_mut(&no) else { return };
        if lane.ready_listed || !lane.can_send() || self.paces.park(no, lane) {
            return;
        }
        self.paces.unpark(no, lane);
        lane.ready_listed = true;
        let account = self.accounts.entry(lane.account.clone()).or_default();
        account.ready.push_back(no);
        if !account.listed {
            account.listed = true;
            self.ring.push_back(lane.account.clone());
        }
    }

    /// Puts a lane among those with something to fetch under the right moment, or takes it out.
    pub(super) fn list_due(&mut self, no: SubscriptionNo) {
        let Some(lane) = self.lanes.get_mut(&no) else { return };
        let room = !lane.leasing
            && !lane.stopped
            && lane.settling == Settling::Done
            && lane.late_len() < LEASE_BELOW;
        let planned =
            lane.plan_due().filter(|_| !lane.leasing && !lane.stopped && lane.settling == Settling::Done);
        let wanted = earlier(lane.next_due.filter(|_| room), planned);
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

    pub(super) fn want_settle(&mut self, no: SubscriptionNo) {
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

    pub(super) fn forget_if_idle(&mut self, no: SubscriptionNo) {
        if let Some(lane) = self.lanes.get_mut(&no).filter(|lane| lane.is_idle()) {
            self.paces.unpark(no, lane);
            self.lanes.remove(&no);
        }
    }
}

/// A delivery whose turn it is.
struct Turn {
    no: SubscriptionNo,
    job: Job,
    /// Whether the lane's target was not reached.
    suspect: bool,
    /// Deliveries that left memory with it, and their bytes.
    len: usize,
    bytes: usize,
}

/// The next delivery of an account: its lanes take turns. With `spared`, lanes whose target was not reached are passed
/// over. The lane is to be listed again.
fn take_from(
    account: &mut Account,
    lanes: &mut HashMap<SubscriptionNo, Lane>,
    paces: &mut Paces,
    circuits: &mut Circuits,
    spared: bool,
) -> Option<Turn> {
    for _ in 0..account.ready.len() {
        let no = account.ready.pop_front()?;
        let Some(lane) = lanes.get_mut(&no) else { continue };
        lane.ready_listed = false;
        // Its turn may have been taken by hand since it was listed.
        if !lane.can_send() || paces.park(no, lane) {
            continue;
        }
        if spared && lane.is_suspect {
            lane.ready_listed = true;
            account.ready.push_back(no);
            continue;
        }
        let admitted = circuits.admit(&lane.aim.host, no);
        if admitted == Admitted::No {
            lane.held_back = true;
            continue;
        }
        let before = lane.in_memory();
        let Some(mut job) = lane.pop() else { continue };
        let after = lane.in_memory();
        job.admitted = admitted;
        lane.in_flight += 1;
        lane.suspect_in_flight += usize::from(lane.is_suspect);
        account.in_flight += 1;
        let suspect = lane.is_suspect;
        return Some(Turn { no, job, suspect, len: before.0 - after.0, bytes: before.1 - after.1 });
    }
    None
}

pub(super) fn earlier(a: Option<Timestamp>, b: Option<Timestamp>) -> Option<Timestamp> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}
