use super::*;
use crate::model::{ErrorClass, PayloadKind, RateLimit, Secret, SubscriptionId, SubscriptionNo, Uid};

const SECOND: Duration = Duration::from_secs(1);
const START: Timestamp = Timestamp::EPOCH;

fn at(seconds: u64) -> Timestamp {
    START.plus(SECOND * u32::try_from(seconds).unwrap())
}

pub(in super::super) fn subscription(
    intent: Intent,
    target: &str,
    status: SubscriptionStatus,
) -> Subscription {
    Subscription {
        no: SubscriptionNo(1),
        version: 1,
        id: SubscriptionId(Uid::new(START, 1)),
        account: "acme".parse().unwrap(),
        events: vec!["contact.create".parse().unwrap()],
        target_url: target.parse().unwrap(),
        status,
        status_reason: None,
        description: None,
        metadata: None,
        payload: PayloadKind::Full,
        headers: std::collections::BTreeMap::new(),
        terms: Default::default(),
        secret: Secret::from_key([1; 32]),
        signing_key: None,
        previous_secret: None,
        intent,
        intent_confirmed_at: None,
        handshake: None,
        grant: None,
        created_at: START,
        updated_at: START,
    }
}

fn plan() -> Plan {
    Plan::of(&Options::default())
}

fn secret(text: &str) -> HandshakeSecret {
    HandshakeSecret::new(text.to_owned())
}

/// A new one that has to confirm.
fn begun(intent: Intent, active: bool) -> Subscription {
    let status = if active { SubscriptionStatus::Active } else { SubscriptionStatus::Paused };
    let mut draft = subscription(intent, "https://example.com/a", status);
    follow(&mut draft, None, START, &plan(), || secret("first"));
    draft
}

fn attempt(status_code: Option<u16>) -> Attempt {
    Attempt {
        number: 1,
        started_at: START,
        duration_us: 1,
        address: None,
        status_code,
        error: status_code.is_none().then_some(ErrorClass::Refused),
        error_detail: None,
        response_headers: Vec::new(),
        response_body: String::new(),
        response_truncated: false,
        manual: false,
        retry_after: None,
    }
}

fn after(subscription: &mut Subscription, finding: Finding, now: Timestamp) {
    let code = match &finding {
        Finding::Failed(Why::Unreached, _) => None,
        Finding::Failed(..) => Some(400),
        Finding::Gone => Some(410),
        _ => Some(200),
    };
    concluded(subscription, attempt(code), finding, now, &plan(), || secret("another"));
}

fn failed(why: Why) -> Finding {
    Finding::Failed(why, Some("it said no".to_owned()))
}

fn next(subscription: &Subscription) -> Option<Timestamp> {
    subscription.handshake.as_ref().unwrap().next_attempt_at
}

fn reason(subscription: &Subscription) -> &str {
    subscription.status_reason.as_deref().unwrap_or_default()
}

use SubscriptionStatus::{Active, Disabled, Gone, Paused, Pending};

#[test]
fn a_new_one_waits_for_what_its_policy_asks() {
    let free = begun(Intent::None, true);
    assert_eq!((free.status, &free.handshake), (Active, &None));
    assert_eq!(begun(Intent::None, false).status, Paused);
    for intent in [Intent::Echo, Intent::Challenge, Intent::Options] {
        for active in [true, false] {
            let one = begun(intent, active);
            assert_eq!((one.status, one.intent_confirmed_at), (Pending, None));
            let handshake = one.handshake.as_ref().unwrap();
            assert_eq!((handshake.then_paused, handshake.attempts, handshake.awaiting), (!active, 0, false));
            assert_eq!(handshake.expires_at, START.plus(24 * 3600 * SECOND));
            assert!(reason(&one).contains(intent.as_str()), "{}", reason(&one));
            assert!(reason(&one).contains("removed unless it is confirmed by 1970-01-02T00:00:00"));
            assert_eq!(reason(&one).contains("paused once"), !active);
            assert_eq!(Round::of(&one), Some(Round::Handshake(secret("first"))));
        }
    }
}

#[test]
fn the_first_attempt_is_its_nodes_own_until_the_claim_runs_out() {
    let mut one = begun(Intent::Echo, true);
    assert_eq!(wakes_at(&one), Some(at(30)));
    assert!(is_claimed(&one, START, &plan()) && is_claimed(&one, at(15), &plan()));
    assert!(!is_claimed(&one, at(16), &plan()), "an attempt may take 15 s");
    assert_eq!((step(&one, at(29)), step(&one, at(30))), (Step::Wait, Step::Ask));
    claim(&mut one, at(30), &plan());
    assert_eq!((step(&one, at(30)), wakes_at(&one)), (Step::Wait, Some(at(60))));
    assert_eq!(step(&one, at(24 * 3600)), Step::Expire);
    let slow = Plan::of(&Options { attempt_timeout: 60 * SECOND, ..Options::default() });
    claim(&mut one, START, &slow);
    assert_eq!(wakes_at(&one), Some(at(120)), "longer than an attempt can take");
}

#[test]
fn every_finding_has_its_next_state() {
    type Row = (Finding, SubscriptionStatus, Option<u64>, bool);
    let table: [Row; 6] = [
        (Finding::Confirmed(None), Active, None, false),
        (Finding::Awaits, Pending, None, true),
        (Finding::Gone, Gone, Some(30), false),
        (failed(Why::Unreached), Pending, Some(6), false),
        (failed(Why::Refused), Pending, Some(6), false),
        (failed(Why::Final), Pending, None, false),
    ];
    for (finding, status, next_at, awaiting) in table {
        let mut one = begun(Intent::Echo, true);
        after(&mut one, finding.clone(), at(1));
        assert_eq!((one.status, next(&one)), (status, next_at.map(at)), "{finding:?}");
        let handshake = one.handshake.as_ref().unwrap();
        assert_eq!(handshake.awaiting, awaiting, "{finding:?}");
        let kept = usize::from(finding != Finding::Gone);
        assert_eq!((handshake.attempts as usize, handshake.last.len()), (kept, kept));
        assert_eq!(one.intent_confirmed_at, (status == Active).then(|| at(1)));
        assert_eq!(handshake.secret.expose().is_empty(), status == Active);
        if let Finding::Failed(..) = finding {
            assert!(reason(&one).contains("it said no"), "{}", reason(&one));
            assert_eq!(handshake.last[0].error_detail.as_deref(), Some("it said no"));
        }
    }
}

#[test]
fn it_is_asked_five_times_and_then_no_more() {
    let mut one = begun(Intent::Challenge, true);
    let mut now = at(1);
    for wait in [5, 30, 120, 600] {
        after(&mut one, failed(Why::Refused), now);
        assert_eq!(next(&one), Some(now.plus(SECOND * wait)));
        assert!(reason(&one).contains("asked again at"), "{}", reason(&one));
        now = next(&one).unwrap();
    }
    after(&mut one, failed(Why::Refused), now);
    assert_eq!((next(&one), one.status), (None, Pending));
    assert!(
        reason(&one).contains("5 attempts") && reason(&one).contains("not asked again"),
        "{}",
        reason(&one)
    );
    let numbers: Vec<_> = one.handshake.as_ref().unwrap().last.iter().map(|attempt| attempt.number).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5]);
    assert_eq!(wakes_at(&one), Some(at(24 * 3600)), "to be removed");
    after(&mut one, Finding::Confirmed(None), now);
    assert_eq!(one.status, Active, "an answer that came late, to another node's attempt");
}

#[test]
fn only_the_last_attempts_are_kept() {
    let long = Plan { retries: vec![SECOND; 30], ..plan() };
    let mut one = begun(Intent::Echo, true);
    for _ in 0..25 {
        concluded(&mut one, attempt(None), failed(Why::Unreached), START, &long, || secret("x"));
    }
    let handshake = one.handshake.unwrap();
    assert_eq!((handshake.attempts, handshake.last.len(), handshake.last[9].number), (25, 10, 25));
}

#[test]
fn a_target_may_ask_for_time() {
    for (asked, wait) in [(1, 5), (60, 60), (100_000, 600)] {
        let mut one = begun(Intent::Echo, true);
        let slow = Attempt { retry_after: Some(SECOND * asked), ..attempt(Some(503)) };
        concluded(&mut one, slow, failed(Why::Unreached), START, &plan(), || secret("x"));
        assert_eq!(next(&one), Some(at(wait)), "asked for {asked} s");
    }
}

#[test]
fn a_paused_one_is_paused_again_once_it_is_confirmed() {
    let mut one = begun(Intent::Echo, false);
    after(&mut one, Finding::Confirmed(None), at(1));
    assert_eq!((one.status, one.status_reason), (Paused, None));
}

#[test]
fn another_target_or_policy_has_to_be_confirmed_again() {
    let mut former = begun(Intent::Echo, true);
    after(&mut former, Finding::Confirmed(None), at(1));
    let changed = |change: &dyn Fn(&mut Subscription)| {
        let mut draft = former.clone();
        change(&mut draft);
        follow(&mut draft, Some(&former), at(9), &plan(), || secret("second"));
        draft
    };
    let moved = changed(&|draft| draft.target_url = "https://example.com/b".parse().unwrap());
    assert_eq!((moved.status, moved.intent_confirmed_at), (Pending, None));
    assert_eq!(Round::of(&moved), Some(Round::Handshake(secret("second"))));
    assert!(moved.handshake.as_ref().is_some_and(|one| one.last.is_empty() && one.begun_at == at(9)));
    assert_eq!(changed(&|draft| draft.intent = Intent::Options).status, Pending);
    let freed = changed(&|draft| draft.intent = Intent::None);
    assert_eq!((freed.status, freed.handshake, freed.intent_confirmed_at), (Active, None, None));
    let other = changed(&|draft| draft.description = Some("x".to_owned()));
    assert_eq!((other.status, other.intent_confirmed_at), (Active, Some(at(1))));
}

#[test]
fn what_stood_still_stands_still_after_it() {
    for (status, then) in [(Active, Active), (Paused, Paused), (Disabled, Paused)] {
        let former = subscription(Intent::Echo, "https://example.com/a", status);
        let mut draft =
            Subscription { target_url: "https://example.com/b".parse().unwrap(), ..former.clone() };
        follow(&mut draft, Some(&former), START, &plan(), || secret("x"));
        assert_eq!(draft.status, Pending);
        // A further change keeps what its owner wanted.
        let former = draft.clone();
        draft.target_url = "https://example.com/c".parse().unwrap();
        follow(&mut draft, Some(&former), START, &plan(), || secret("y"));
        let mut freed = Subscription { intent: Intent::None, ..draft.clone() };
        follow(&mut freed, Some(&draft), START, &plan(), || secret("z"));
        assert_eq!(freed.status, then, "need not confirm any more");
        after(&mut draft, Finding::Confirmed(None), START);
        assert_eq!(draft.status, then);
    }
}

fn granted(per_minute: Option<u32>) -> Subscription {
    let mut one = begun(Intent::Options, true);
    after(&mut one, Finding::Confirmed(per_minute), at(1));
    one
}

#[test]
fn a_grant_holds_for_a_day_and_is_asked_for_again() {
    let one = granted(Some(60));
    let renew_at = at(1).plus(24 * 3600 * SECOND);
    assert_eq!(one.grant, Some(Grant { per_minute: Some(60), granted_at: at(1), renew_at }));
    assert_eq!((one.rate(), wakes_at(&one)), (Some(RateLimit::of_minute(60)), Some(renew_at)));
    assert_eq!(step(&one, renew_at), Step::Ask);
    assert_eq!(Round::of(&one), Some(Round::Renewal(one.target_url.clone())));
    let mut one = one;
    claim(&mut one, renew_at, &plan());
    assert_eq!(wakes_at(&one), Some(renew_at.plus(30 * SECOND)));
    let updated_at = one.updated_at;
    after(&mut one, Finding::Confirmed(None), renew_at);
    assert_eq!((one.status, one.rate(), one.intent_confirmed_at), (Active, None, Some(at(1))));
    assert_eq!(wakes_at(&one), Some(renew_at.plus(24 * 3600 * SECOND)));
    assert_eq!(one.updated_at, updated_at);
    for still in [Paused, Disabled] {
        assert_eq!(
            wakes_at(&Subscription { status: still, ..one.clone() }),
            None,
            "not while it is not used"
        );
    }
}

#[test]
fn a_grant_that_can_not_be_renewed_holds_and_one_that_is_refused_ends() {
    let mut one = granted(Some(60));
    after(&mut one, failed(Why::Unreached), at(100));
    assert_eq!(
        (one.status, one.rate(), wakes_at(&one)),
        (Active, Some(RateLimit::of_minute(60)), Some(at(3700)))
    );
    for why in [Why::Refused, Why::Final] {
        let mut one = granted(Some(60));
        after(&mut one, failed(why), at(100));
        assert_eq!((one.status, &one.grant, one.intent_confirmed_at), (Pending, &None, None));
        assert_eq!(Round::of(&one), Some(Round::Handshake(secret("another"))));
        assert_eq!(next(&one), (why == Why::Refused).then(|| at(105)));
        assert!(reason(&one).contains("it said no"), "{}", reason(&one));
    }
    after(&mut one, Finding::Gone, at(101));
    assert_eq!(one.status, Gone);
}

#[test]
fn only_options_grant() {
    for intent in [Intent::Echo, Intent::Challenge] {
        let mut one = begun(intent, true);
        after(&mut one, Finding::Confirmed(None), at(1));
        assert_eq!((one.grant.clone(), wakes_at(&one)), (None, None));
    }
}
