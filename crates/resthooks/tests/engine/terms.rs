//! What a subscription asks for of its delivery: its own retries, time, rate and end.

use std::time::Duration;

use resthooks::model::{
    DeliveryStatus, RateLimit, Retry, Span, SubscriptionId, SubscriptionStatus, Terms, TermsChange, Timestamp,
};
use resthooks::store::Page;
use resthooks::{Circuit, Error, Scope, SubscriptionChange, SubscriptionView};

use crate::receiver::{Receiver, answer};
use crate::target::Reply;
use crate::world::{ACCOUNT, World, until};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

fn retry(json: &str) -> Terms {
    Terms { retry: Some(serde_json::from_str::<Retry>(json).unwrap()), ..Terms::default() }
}

async fn subscribe(world: &World, url: &str, terms: Terms) -> SubscriptionView {
    world.subscribe_with(ACCOUNT, "a.b", url, terms).await.unwrap()
}

/// The waits of a subscription's own schedule, jitter apart, and its end.
#[tokio::test]
async fn its_own_schedule_takes_the_place_of_the_servers() {
    let world = World::with(|options| options.retry.jitter = 0.0).await;
    let target = world.target([Reply::Status(500), Reply::Status(404), Reply::Status(503)]).await;
    subscribe(&world, &target.url(), retry(r#"{"schedule": ["7s", "90s"]}"#)).await;
    let event = world.emit("a.b").await;
    for (attempts, wait) in [(1, 7), (2, 90)] {
        let (delivery, _) = world.settled(&event, DeliveryStatus::Scheduled, attempts).await;
        assert_eq!(delivery.next_attempt_at, Some(world.now().plus(SECOND * wait)));
        world.turn_to(world.now().plus(SECOND * wait)).await;
    }
    let (delivery, _) = world.settled(&event, DeliveryStatus::Dead, 3).await;
    assert_eq!(delivery.reason.as_deref(), Some("3 attempts failed, the last one with status 503"));
}

#[tokio::test]
async fn what_it_does_not_try_again_is_dead_at_once() {
    let world = World::start().await;
    let target = world.target([Reply::Status(404)]).await;
    subscribe(&world, &target.url(), retry(r#"{"schedule": ["7s"], "statuses": ["5xx", 429]}"#)).await;
    let event = world.emit("a.b").await;
    let (delivery, _) = world.settled(&event, DeliveryStatus::Dead, 1).await;
    assert!(delivery.reason.unwrap().contains("404, which its retry policy does not try again"));
}

/// A change of the policy holds from the next attempt on, also after a crash.
#[tokio::test]
async fn a_changed_policy_holds_from_the_next_attempt_on() {
    let world = World::with(|options| options.retry.jitter = 0.0).await;
    let target = world.target([Reply::Status(500), Reply::Status(500)]).await;
    let id = subscribe(&world, &target.url(), retry(r#"{"base": "10s", "factor": 2}"#)).await.subscription.id;
    let event = world.emit("a.b").await;
    world.settled(&event, DeliveryStatus::Scheduled, 1).await;
    let terms =
        TermsChange { retry: Some(retry(r#"{"schedule": ["1s", "40s"]}"#).retry), ..TermsChange::default() };
    let change = SubscriptionChange { terms, ..SubscriptionChange::default() };
    world.hooks.change_subscription(&Scope::All, id, change, None).await.unwrap();
    let world = world.crashed().await;
    world.turn_to(world.now().plus(SECOND * 10)).await;
    let (delivery, _) = world.settled(&event, DeliveryStatus::Scheduled, 2).await;
    assert_eq!(delivery.next_attempt_at, Some(world.now().plus(SECOND * 40)));
}

#[tokio::test]
async fn its_own_time_for_an_attempt() {
    let world = World::start().await;
    let target = world.target([Reply::Hang, Reply::Hang]).await;
    let terms = Terms { timeout: Some(Span(SECOND * 2)), ..Terms::default() };
    subscribe(&world, &target.url(), terms).await;
    let event = world.emit("a.b").await;
    until("it is in flight", || target.received().len() == 1).await;
    world.turn_to(world.now().plus(SECOND)).await;
    assert_eq!(world.hooks.stats().in_flight, 1);
    world.turn_to(world.now().plus(SECOND)).await;
    let (_, attempts) = world.settled(&event, DeliveryStatus::Scheduled, 1).await;
    assert!(attempts[0].error_detail.as_ref().unwrap().contains("2s"), "{attempts:?}");
}

/// Bursts and the limit, within a second and within a minute, and through a restart.
#[tokio::test]
async fn its_own_rate_is_kept() {
    let world = World::start().await;
    let receiver = Receiver::start(&world.clock, |_| answer(200, "")).await;
    let rate_limit = Some(RateLimit { burst: Some(5), ..serde_json::from_str(r#"{"limit":30}"#).unwrap() });
    let terms = Terms { rate_limit, ..Terms::default() };
    subscribe(&world, &receiver.url(), terms).await;
    world.turn_to(world.now().plus(MINUTE)).await;
    world.emit_all(ACCOUNT, "a.b", 100).await;
    world.idle().await;
    assert_eq!(receiver.delivered().len(), 5, "the burst");
    world.pass(MINUTE, SECOND / 2).await;
    let sent = receiver.delivered().len();
    assert!((28..=35).contains(&sent), "{sent}");
    let world = world.restarted().await;
    world.pass(MINUTE * 4, SECOND).await;
    let times: Vec<Timestamp> = receiver.delivered().iter().map(|one| one.at).collect();
    let from = |from: &Timestamp| times.iter().filter(|at| **at >= *from && **at < from.plus(MINUTE)).count();
    assert!(times.iter().map(from).max().unwrap() <= 31);
    assert_eq!(times.len(), 100, "and none is lost");
}

#[tokio::test]
async fn it_ends_when_it_was_to() {
    let world = World::start().await;
    let receiver = Receiver::start(&world.clock, |_| answer(200, "")).await;
    let at = world.now().plus(MINUTE);
    let ends = |at| Terms { expires_at: Some(at), ..Terms::default() };
    let refused = world.subscribe_with(ACCOUNT, "a.b", &receiver.url(), ends(world.now())).await.unwrap_err();
    assert!(matches!(refused, Error::Invalid(fields) if fields[0].field == "expires_at"));
    let id = subscribe(&world, &receiver.url(), ends(at)).await.subscription.id;
    world.emit("a.b").await;
    world.idle().await;
    let world = world.crashed().await;
    world.turn_to(at).await;
    gone(&world, id).await;
    let accepted = world.hooks.emit(ACCOUNT, "a.b", &serde_json::json!(1)).await.unwrap();
    assert_eq!((accepted.matched, receiver.delivered().len()), (0, 1));
    let page = Page { after: None, limit: 10 };
    let audit = world.hooks.audit(&resthooks::store::AuditFilter::default(), page).await.unwrap();
    assert!(audit.items[0].reason.as_ref().unwrap().contains("it was to end at"), "{:?}", audit.items[0]);
}

async fn gone(world: &World, id: SubscriptionId) {
    let is_gone = async {
        while !matches!(world.hooks.subscription(&Scope::All, id).await, Err(Error::NotFound)) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), is_gone).await.expect("it never ended");
}

/// Many subscriptions to one host that is away: it is left alone, told so, and gets all of it when it is back.
#[tokio::test]
async fn a_host_that_is_away_is_tried_by_one_delivery_at_a_time() {
    let world = World::with(|options| {
        options.retry.jitter = 0.0;
        options.retry.schedule = vec![SECOND; 50];
    })
    .await;
    let receiver = Receiver::start(&world.clock, |_| answer(200, "")).await;
    receiver.hangs_up(true);
    let mut ids = Vec::new();
    for _ in 0..20 {
        ids.push(subscribe(&world, &receiver.url(), Terms::default()).await.subscription.id);
    }
    world.emit("a.b").await;
    world.idle().await;
    let circuit = |id| {
        let hooks = world.hooks.clone();
        async move { hooks.subscription(&Scope::All, id).await.unwrap().circuit }
    };
    assert_eq!((circuit(ids[0]).await, circuit(ids[19]).await), (Circuit::Open, Circuit::Open));
    assert_eq!(world.hooks.stats().open_circuits, 1);
    let before = receiver.connections();
    world.pass(SECOND * 4, SECOND / 2).await;
    assert_eq!(receiver.connections(), before, "it is left alone");
    world.pass(SECOND * 32, SECOND / 2).await;
    let probes = receiver.connections() - before;
    assert!((2..=4).contains(&probes), "{probes} probes in 36 s");
    receiver.hangs_up(false);
    world.pass(SECOND * 70, SECOND / 2).await;
    assert_eq!(receiver.delivered().len(), 20, "and none is lost");
    assert_eq!((circuit(ids[0]).await, world.hooks.stats().open_circuits), (Circuit::Closed, 0));
    for id in ids {
        world.subscription_becomes(id, SubscriptionStatus::Active).await;
    }
}
