//! Whose turn it is, proved without a network: the queues are asked and told what a runner and the writer would.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::circuit::{Admitted, Circuit};
use super::lane::{Aim, Job, Outcome};
use super::queue::{Claim, Dispatch, Due, Limits};
use crate::env::{Clock as _, ManualClock};
use crate::model::{
    AccountId, DeliveryKey, DeliveryStatus, Event, EventId, EventSeq, Mode, NodeNo, RateLimit,
    SequencedEvent, SubscriptionNo, Timestamp, Uid,
};
use crate::store::{Leased, LeasedDelivery, LeasedPlanned, Record};

const NOW: Timestamp = Timestamp::EPOCH;

fn dispatch(limits: Limits) -> Dispatch {
    Dispatch::new(limits, Arc::new(ManualClock::new(NOW)))
}

fn limits() -> Limits {
    Limits { in_flight: 16, queue_per_target: 100, queue_bytes: 1 << 20, shared: false }
}

fn event(account: &str, seq: i64, bytes: usize) -> SequencedEvent {
    let uid = Uid::new(NOW, u128::from(seq.unsigned_abs()));
    let event = Event {
        uid,
        id: EventId::generated(uid),
        account: account.parse().unwrap(),
        event: "a.b".parse().unwrap(),
        created_at: NOW,
        data: Bytes::from(vec![b'1'; bytes]),
        resource_url: None,
        order_key: None,
        debounce_key: None,
        digest: None,
        matched: Vec::new(),
    };
    SequencedEvent { seq: EventSeq(seq), event: Arc::new(event) }
}

fn aim(cap: usize) -> Aim {
    Aim { cap, host: Arc::from("https://example.com:443"), mode: Mode::Free, sends: true }
}

/// Each subscription has a host of its own.
fn aim_at(no: i64) -> Aim {
    Aim { cap: 64, host: Arc::from(format!("https://{no}.example:443")), mode: Mode::Free, sends: true }
}

fn job(account: &str, seq: i64) -> Job {
    let event = event(account, seq, 1);
    Job {
        event,
        sequence: 1,
        attempts: 0,
        automatic: 0,
        has_row: false,
        since: Duration::ZERO,
        admitted: Admitted::default(),
        planned: false,
        group: None,
    }
}

fn push(dispatch: &Dispatch, no: i64, account: &str, count: i64) -> usize {
    let jobs = (1..=count).map(|seq| (SubscriptionNo(no), aim_at(no), job(account, seq))).collect();
    dispatch.push(jobs).len()
}

fn in_flight(dispatch: &Dispatch) -> Vec<i64> {
    std::iter::from_fn(|| dispatch.next()).map(|(no, _)| no.0).collect()
}

fn scheduled(no: i64, account: &str, seq: i64, has_row: bool) -> Record {
    let record = job(account, seq).record(SubscriptionNo(no), DeliveryStatus::Scheduled, None, Some(NOW));
    Record { has_row, ..record }
}

fn lease(dispatch: &Dispatch) -> crate::store::LeaseDue {
    loop {
        match dispatch.due(NodeNo(1), NOW) {
            Due::Lease(ask) => return ask,
            // There are none.
            Due::Planned(ask) => {
                let none = Some(LeasedPlanned::default());
                dispatch.planned_leased(ask.subscription, none, Duration::ZERO, NOW);
            }
            Due::Wait(wait) => panic!("nothing is due: {wait:?}"),
        }
    }
}

fn leased(account: &str, seqs: &[i64]) -> Option<Leased> {
    let one =
        |seq: &i64| LeasedDelivery { event: event(account, *seq, 1), sequence: 1, attempts: 1, automatic: 1 };
    Some(Leased { deliveries: seqs.iter().map(one).collect(), next_due: None })
}

#[test]
fn a_target_starts_with_few_requests_and_gets_more_with_each_answer() {
    let dispatch = dispatch(Limits { in_flight: 512, ..limits() });
    push(&dispatch, 1, "a", 50);
    assert_eq!(in_flight(&dispatch).len(), 8);
    let (next, _) = dispatch.finish(SubscriptionNo(1), &Admitted::Freely, Some(Outcome::Well));
    assert!(next.is_some());
    assert_eq!(in_flight(&dispatch).len(), 1, "the answer has raised the limit by one");
    for _ in 0..3 {
        let (next, _) = dispatch.finish(SubscriptionNo(1), &Admitted::Freely, Some(Outcome::Unreached));
        assert!(next.is_none(), "a target that is not reached gets fewer");
    }
}

#[test]
fn one_account_leaves_room_for_the_next() {
    let dispatch = dispatch(limits());
    for no in 1..=10 {
        push(&dispatch, no, "a", 8);
    }
    assert_eq!(in_flight(&dispatch).len(), 8, "one alone gets half");
    push(&dispatch, 11, "b", 8);
    assert_eq!(in_flight(&dispatch), [11, 11, 11, 11]);
}

#[test]
fn targets_that_are_not_reached_get_half_at_most() {
    let dispatch = dispatch(limits());
    for no in 1..=16 {
        push(&dispatch, no, &format!("account{no}"), 2);
        let (taken, _) = dispatch.next().unwrap();
        dispatch.finish(taken, &Admitted::Freely, Some(Outcome::Unreached));
    }
    let mut flying = dispatch.counts().in_flight;
    flying += in_flight(&dispatch).len();
    assert!(flying <= 9, "{flying} requests in flight to targets that were not reached");
    push(&dispatch, 20, "healthy", 1);
    assert_eq!(in_flight(&dispatch), [20]);
}

#[test]
fn a_full_lane_overflows_and_a_quiet_one_always_has_room() {
    let dispatch = dispatch(limits());
    assert_eq!(push(&dispatch, 1, "a", 150), 50);
    let big = |seq| Job { event: event("b", seq, 300_000), ..job("b", seq) };
    let jobs = (1..=20).map(|seq| (SubscriptionNo(2), aim(64), big(seq))).collect();
    assert_eq!(dispatch.push(jobs).len(), 16, "one lane gets a part of the bytes");
    assert_eq!(push(&dispatch, 3, "c", 4), 0);
}

#[test]
fn the_cap_of_late_deliveries_is_the_subscriptions_own() {
    let dispatch = dispatch(limits());
    for seq in 1..=5 {
        dispatch.recorded(&scheduled(1, "a", seq, false), false, &aim(1));
    }
    assert_eq!(lease(&dispatch).limit, 4);
    dispatch.leased(SubscriptionNo(1), leased("a", &[1, 2, 3, 4]), Duration::ZERO, NOW);
    assert_eq!(in_flight(&dispatch), [1]);
}

#[test]
fn what_was_recorded_while_it_was_fetched_is_not_sent() {
    let dispatch = dispatch(limits());
    dispatch.recorded(&scheduled(1, "a", 1, false), false, &aim(4));
    dispatch.recorded(&scheduled(1, "a", 2, false), false, &aim(4));
    assert!(lease(&dispatch).except.is_empty());
    let account: AccountId = "a".parse().unwrap();
    let claim = dispatch.claim(SubscriptionNo(1), &account, &aim(4), EventSeq(1), true);
    assert!(matches!(claim, Claim::Free));
    let cancelled = Record { status: DeliveryStatus::Cancelled, ..scheduled(1, "a", 1, true) };
    dispatch.recorded(&cancelled, true, &aim(4));
    dispatch.leased(SubscriptionNo(1), leased("a", &[1, 2]), Duration::ZERO, NOW);
    let (_, job) = dispatch.next().unwrap();
    assert_eq!(job.event.seq, EventSeq(2));
    assert!(dispatch.next().is_none());
}

#[test]
fn a_delivery_in_hand_is_not_fetched_again_until_its_record_is_durable() {
    let dispatch = dispatch(limits());
    dispatch.recorded(&scheduled(1, "a", 1, false), false, &aim(4));
    lease(&dispatch);
    dispatch.leased(SubscriptionNo(1), leased("a", &[1]), Duration::ZERO, NOW);
    dispatch.next().unwrap();
    dispatch.finish(SubscriptionNo(1), &Admitted::Freely, Some(Outcome::Well));
    dispatch.recorded(&scheduled(1, "a", 2, false), false, &aim(4));
    assert_eq!(lease(&dispatch).except, [EventSeq(1)]);
    dispatch.leased(SubscriptionNo(1), leased("a", &[]), Duration::ZERO, NOW);
    let delivered = Record { status: DeliveryStatus::Delivered, ..scheduled(1, "a", 1, true) };
    assert_eq!(delivered.key, DeliveryKey { event: EventSeq(1), subscription: SubscriptionNo(1) });
    dispatch.recorded(&delivered, true, &aim(4));
    assert_eq!(dispatch.counts().waiting, 1);
}

#[test]
fn settling_waits_for_a_fetch_under_way() {
    let dispatch = dispatch(limits());
    dispatch.recorded(&scheduled(1, "a", 1, false), false, &aim(4));
    lease(&dispatch);
    assert!(dispatch.subscription_changed(SubscriptionNo(1), None, false).is_empty());
    assert_eq!(dispatch.next_settle(), None);
    dispatch.leased(SubscriptionNo(1), leased("a", &[1]), Duration::ZERO, NOW);
    assert_eq!(dispatch.next_settle(), Some(SubscriptionNo(1)));
}

#[test]
fn an_attempt_that_breaks_off_frees_its_place() {
    let dispatch = dispatch(limits());
    push(&dispatch, 1, "a", 2);
    let (no, _) = dispatch.next().unwrap();
    dispatch.broke_off(no, &Admitted::Freely);
    assert_eq!(dispatch.counts().in_flight, 0);
    assert!(dispatch.next().is_some());
}

#[test]
fn nothing_is_sent_while_the_gate_is_shut_or_after_the_end() {
    let dispatch = dispatch(limits());
    push(&dispatch, 1, "a", 2);
    dispatch.set_gate(false);
    assert!(dispatch.next().is_none());
    dispatch.set_gate(true);
    assert!(dispatch.next().is_some());
    dispatch.close();
    assert!(dispatch.next().is_none());
}

#[test]
fn every_eighth_turn_is_a_late_delivery() {
    let dispatch = dispatch(Limits { in_flight: 1, ..limits() });
    dispatch.recorded(&scheduled(1, "a", 900, false), false, &aim(64));
    lease(&dispatch);
    dispatch.leased(SubscriptionNo(1), leased("a", &[900]), Duration::ZERO, NOW);
    push(&dispatch, 1, "a", 20);
    let mut sent = vec![dispatch.next().unwrap().1.event.seq.0];
    while let (Some((_, job)), _) = dispatch.finish(SubscriptionNo(1), &Admitted::Freely, Some(Outcome::Well))
    {
        sent.push(job.event.seq.0);
    }
    assert_eq!(sent.iter().position(|seq| *seq == 900), Some(7), "{sent:?}");
}

#[test]
fn nothing_is_sent_once_the_lease_is_over() {
    let clock = Arc::new(ManualClock::new(NOW));
    let dispatch = Dispatch::new(limits(), Arc::clone(&clock) as _);
    push(&dispatch, 1, "a", 3);
    let until = clock.monotonic() + Duration::from_secs(10);
    dispatch.send_until(until);
    assert!(dispatch.next().is_some());
    clock.advance(Duration::from_secs(10));
    assert!(
        dispatch.next().is_none(),
        "its time is over, whether or not anybody has looked at a clock meanwhile"
    );
    let (next, _) = dispatch.finish(SubscriptionNo(1), &Admitted::Freely, Some(Outcome::Well));
    assert!(next.is_none());
    dispatch.send_until(until + Duration::from_secs(10));
    assert_eq!(in_flight(&dispatch), [1, 1]);
}

/// A clock, and queues that know it.
fn timed() -> (Arc<ManualClock>, Dispatch) {
    let clock = Arc::new(ManualClock::new(NOW));
    let dispatch = Dispatch::new(limits(), Arc::clone(&clock) as _);
    (clock, dispatch)
}

/// Sends and finishes all that may be sent now.
fn sent(dispatch: &Dispatch) -> Vec<i64> {
    let all = in_flight(dispatch);
    all.iter()
        .for_each(|no| drop(dispatch.finish(SubscriptionNo(*no), &Admitted::Freely, Some(Outcome::Well))));
    all
}

#[test]
fn a_target_gets_no_more_a_minute_than_it_allows_and_others_do_not_wait_for_it() {
    let (clock, dispatch) = timed();
    dispatch.set_rate(SubscriptionNo(1), Some(RateLimit::of_minute(60)));
    push(&dispatch, 1, "a", 100);
    push(&dispatch, 2, "a", 3);
    assert_eq!(in_flight(&dispatch), [1, 2, 2, 2]);
    (1..=2).for_each(|no| drop(dispatch.finish(SubscriptionNo(no), &Admitted::Freely, Some(Outcome::Well))));
    let mut count = 1;
    for _ in 0..59 {
        let wait = dispatch.resume_paced().unwrap();
        assert_eq!(wait, Duration::from_secs(1));
        clock.advance(wait - Duration::from_millis(1));
        assert_eq!(dispatch.resume_paced(), Some(Duration::from_millis(1)));
        assert!(dispatch.next().is_none());
        clock.advance(Duration::from_millis(1));
        dispatch.resume_paced();
        count += sent(&dispatch).len();
    }
    assert_eq!(count, 60);
}

#[test]
fn a_pace_outlives_its_idle_lane() {
    let (clock, dispatch) = timed();
    dispatch.set_rate(SubscriptionNo(1), Some(RateLimit::of_minute(60)));
    let mut count = 0;
    for seq in 0..100 {
        dispatch.push(vec![(SubscriptionNo(1), aim(4), job("a", seq))]);
        dispatch.resume_paced();
        count += sent(&dispatch).len();
        clock.advance(Duration::from_millis(100));
    }
    assert_eq!(count, 10, "in ten seconds");
}

#[test]
fn another_rate_holds_at_once_and_none_lifts_it() {
    let (clock, dispatch) = timed();
    dispatch.set_rate(SubscriptionNo(1), Some(RateLimit::of_minute(1)));
    push(&dispatch, 1, "a", 40);
    assert_eq!(sent(&dispatch).len(), 1);
    assert_eq!(dispatch.resume_paced(), Some(Duration::from_secs(60)));
    dispatch.set_rate(SubscriptionNo(1), Some(RateLimit::of_minute(120)));
    assert!(dispatch.resume_paced().unwrap() <= Duration::from_secs(1));
    clock.advance(Duration::from_secs(1));
    dispatch.resume_paced();
    assert_eq!(sent(&dispatch).len(), 1);
    dispatch.set_rate(SubscriptionNo(1), None);
    assert_eq!(dispatch.resume_paced(), None);
    assert_eq!(in_flight(&dispatch).len(), 8, "as many as an unknown target gets at once");
}

#[test]
fn nodes_that_come_slow_each_down_and_nodes_that_go_are_made_up_for() {
    let (clock, dispatch) = timed();
    dispatch.set_rate(SubscriptionNo(1), Some(RateLimit::of_minute(60)));
    dispatch.set_nodes(3);
    push(&dispatch, 1, "a", 10);
    assert_eq!(sent(&dispatch).len(), 1);
    assert_eq!(dispatch.resume_paced(), Some(Duration::from_secs(3)));
    clock.advance(Duration::from_secs(3));
    dispatch.resume_paced();
    assert_eq!(sent(&dispatch).len(), 1);
    dispatch.set_nodes(1);
    clock.advance(Duration::from_secs(3));
    dispatch.resume_paced();
    assert_eq!(sent(&dispatch).len(), 1);
    assert_eq!(dispatch.resume_paced(), Some(Duration::from_secs(1)));
}

#[test]
fn a_request_by_hand_takes_the_lanes_turn() {
    let (clock, dispatch) = timed();
    dispatch.set_rate(SubscriptionNo(1), Some(RateLimit::of_minute(60)));
    push(&dispatch, 1, "a", 10);
    let longest = Duration::from_secs(5);
    assert_eq!(dispatch.reserve(SubscriptionNo(1), longest), Ok(Duration::ZERO));
    assert!(dispatch.next().is_none(), "it was listed, and its turn was taken since");
    assert_eq!(dispatch.reserve(SubscriptionNo(1), longest), Ok(Duration::from_secs(1)));
    assert_eq!(dispatch.resume_paced(), Some(Duration::from_secs(1)), "when it first looked");
    clock.advance(Duration::from_secs(1));
    assert_eq!(dispatch.resume_paced(), Some(Duration::from_secs(1)));
    assert!(dispatch.next().is_none());
    clock.advance(Duration::from_secs(1));
    dispatch.resume_paced();
    assert_eq!(sent(&dispatch), [1]);
}

#[test]
fn what_waits_for_its_pace_goes_to_the_store_like_any_other() {
    let (clock, dispatch) = timed();
    dispatch.set_rate(SubscriptionNo(1), Some(RateLimit::of_minute(60)));
    push(&dispatch, 1, "a", 10);
    assert_eq!(sent(&dispatch).len(), 1);
    assert_eq!(dispatch.take_stale(Duration::ZERO).len(), 9);
    clock.advance(Duration::from_secs(1));
    assert_eq!(dispatch.resume_paced(), None);
    assert!(dispatch.next().is_none() && dispatch.counts().queued == 0);
}

/// However many subscriptions go to one host: when it can't be reached it is left alone, and comes back gently, while the
/// others go on.
#[test]
fn a_host_that_is_away_is_left_alone_as_one() {
    let clock = ManualClock::new(NOW);
    let limits = Limits { in_flight: 512, ..limits() };
    let dispatch = Dispatch::new(limits, Arc::new(clock.clone()));
    let push = |no: i64, aim: Aim, count: i64| {
        let jobs = (1..=count).map(|seq| (SubscriptionNo(no), aim.clone(), job("a", seq))).collect();
        assert!(dispatch.push(jobs).is_empty());
    };
    (1..=100).for_each(|no| push(no, aim(64), 3));
    let mut failing: Vec<_> = std::iter::from_fn(|| dispatch.next()).collect();
    let mut failed = 0;
    while let Some((no, job)) = failing.pop() {
        failed += 1;
        failing.extend(dispatch.finish(no, &job.admitted, Some(Outcome::Unreached)).0);
    }
    assert_eq!(dispatch.circuit(&aim(1).host), Circuit::Open);
    assert!(dispatch.next().is_none(), "nothing is sent");
    push(101, aim_at(101), 3);
    assert_eq!(in_flight(&dispatch), [101, 101, 101], "but to others");
    clock.advance(Duration::from_secs(5));
    assert!(dispatch.resume_paced().is_none());
    let (no, probe) = dispatch.next().unwrap();
    assert!(dispatch.next().is_none(), "one to see");
    let mut under_way = vec![(no, probe)];
    let mut rounds = Vec::new();
    while !under_way.is_empty() {
        rounds.push(under_way.len());
        let mut next = Vec::new();
        for (no, job) in std::mem::take(&mut under_way) {
            next.extend(dispatch.finish(no, &job.admitted, Some(Outcome::Well)).0);
        }
        next.extend(std::iter::from_fn(|| dispatch.next()));
        under_way = next;
    }
    assert_eq!(rounds[..4], [1, 2, 4, 8]);
    assert_eq!(rounds.iter().sum::<usize>() + failed, 300, "and all of it");
    assert_eq!(dispatch.circuit(&aim(1).host), Circuit::Closed);
}

#[test]
fn a_target_that_is_overloaded_gets_less_and_slowly_more() {
    let dispatch = dispatch(Limits { in_flight: 512, ..limits() });
    push(&dispatch, 1, "a", 90);
    let no = SubscriptionNo(1);
    let round = |outcome: Outcome| {
        let under_way: Vec<_> = std::iter::from_fn(|| dispatch.next()).collect();
        let count = under_way.len();
        for (no, job) in under_way {
            if let (Some((no, job)), _) = dispatch.finish(no, &job.admitted, Some(outcome)) {
                dispatch.broke_off(no, &job.admitted);
            }
        }
        count
    };
    assert_eq!(no, SubscriptionNo(1));
    assert_eq!(round(Outcome::Overloaded), 8);
    assert_eq!(round(Outcome::Overloaded), 4, "halved once for all that were under way");
    assert_eq!(round(Outcome::Answered), 2);
    assert_eq!(round(Outcome::Well), 2, "neither more nor less for an answer of another kind");
    assert_eq!(round(Outcome::Well), 3, "one more with each round");
    assert_eq!(round(Outcome::Well), 4);
}
