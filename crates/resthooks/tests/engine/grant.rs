//! What a target has granted is obeyed, asked for again each day, and over when it is taken back.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use resthooks::model::{
    DeliveryStatus, Intent, RateLimit, Subscription, SubscriptionId, SubscriptionStatus, Timestamp,
};
use resthooks::{Error, Scope};

use crate::receiver::{Answer, Asked, Receiver, answer};
use crate::world::{World, found, quiet, until};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(86_400);

use SubscriptionStatus::{Active, Pending};

fn granting(rate: &'static str) -> impl Fn(&Asked) -> Answer + Send + Sync {
    move |asked| match asked.is_delivery() {
        true => answer(200, ""),
        false => answer(
            200,
            &format!("webhook-allowed-origin: hooks.example.com\r\nwebhook-allowed-rate: {rate}\r\n"),
        ),
    }
}

async fn world() -> World {
    World::with(|options| {
        options.intent = Intent::Options;
        options.origin = "hooks.example.com".to_owned();
    })
    .await
}

async fn confirmed(world: &World, receiver: &Receiver) -> SubscriptionId {
    let id = world.subscribe("a.b", &receiver.url()).await.subscription.id;
    world.subscription_becomes(id, Active).await;
    id
}

async fn read(world: &World, id: SubscriptionId) -> Subscription {
    world.hooks.subscription(&Scope::All, id).await.unwrap().subscription
}

async fn renewed(world: &World, id: SubscriptionId, is_so: impl Fn(&Subscription) -> bool) -> Subscription {
    found("it is renewed", async || Some(read(world, id).await).filter(&is_so)).await
}

/// The most deliveries within any such time.
fn most(delivered: &[Asked], within: Duration) -> usize {
    let times: Vec<Timestamp> = delivered.iter().map(|one| one.at).collect();
    let from = |from: &Timestamp| times.iter().filter(|at| **at >= *from && **at < from.plus(within)).count();
    times.iter().map(from).max().unwrap_or(0)
}

#[tokio::test]
async fn sixty_a_minute_are_sixty_a_minute() {
    let world = world().await;
    let receiver = Receiver::start(&world.clock, granting("60")).await;
    let id = confirmed(&world, &receiver).await;
    let asked = &receiver.asked()[0];
    assert_eq!(
        (asked.method.as_str(), asked.header("webhook-request-origin")),
        ("OPTIONS", Some("hooks.example.com"))
    );
    assert_eq!(read(&world, id).await.grant.unwrap().per_minute, Some(60));
    world.emit_all("acme", "a.b", 300).await;
    // Another one of the same account has no such bounds, and does not wait for it.
    let free = Receiver::start(&world.clock, granting("*")).await;
    confirmed(&world, &free).await;
    world.emit_all("acme", "a.b", 300).await;
    world.idle().await;
    assert_eq!(free.delivered().len(), 300, "the other one has all: {:#?}", world.hooks.stats());
    world.pass(MINUTE * 3, SECOND / 2).await;
    let delivered = receiver.delivered();
    assert!(most(&delivered, MINUTE) <= 60, "{} in a minute", most(&delivered, MINUTE));
    assert!(delivered.len() >= 170, "{} in three minutes", delivered.len());
    // What waits is in the store by now, and outlives a restart with the rate.
    let world = world.restarted().await;
    world.pass(MINUTE * 10, SECOND / 2).await;
    let delivered = receiver.delivered();
    assert!(most(&delivered, MINUTE) <= 61, "{} in a minute", most(&delivered, MINUTE));
    assert_eq!(delivered.len(), 600, "and none is lost");
}

#[tokio::test]
async fn a_burst_is_sent_at_once_and_the_rate_still_holds() {
    let world = world().await;
    let receiver = Receiver::start(&world.clock, granting("600")).await;
    confirmed(&world, &receiver).await;
    world.pass(MINUTE, MINUTE).await;
    world.emit_all("acme", "a.b", 1000).await;
    until("a second's worth is sent", || receiver.delivered().len() >= 8).await;
    world.pass(MINUTE, SECOND / 5).await;
    let delivered = receiver.delivered();
    assert!(most(&delivered, MINUTE) <= 600, "{} in a minute", most(&delivered, MINUTE));
    assert!(delivered.len() >= 560, "{}", delivered.len());
}

#[tokio::test]
async fn a_request_by_hand_takes_a_turn_or_is_refused() {
    let world = world().await;
    let receiver = Receiver::start(&world.clock, granting("2")).await;
    let id = confirmed(&world, &receiver).await;
    assert!(world.hooks.ping(&Scope::All, id).await.unwrap().is_success());
    let Err(Error::TooSoon { code, retry_after, detail }) = world.hooks.ping(&Scope::All, id).await else {
        panic!("not refused")
    };
    assert_eq!((code, retry_after), ("rate_granted", SECOND * 30));
    assert!(detail.contains("2 requests a minute"), "{detail}");
    let event = world.emit("a.b").await;
    world.turn_to(world.now().plus(SECOND * 29)).await;
    assert_eq!(receiver.delivered().len(), 1, "the ping counts");
    world.turn_to(world.now().plus(SECOND)).await;
    world.becomes(&event, DeliveryStatus::Delivered, 1).await;
    // One that comes soon is waited for.
    world.turn_to(world.now().plus(SECOND * 26)).await;
    let hooks = world.hooks.clone();
    let ping = tokio::spawn(async move { hooks.ping(&Scope::All, id).await });
    quiet().await;
    world.turn_to(world.now().plus(SECOND * 3)).await;
    assert!(!ping.is_finished());
    world.turn_to(world.now().plus(SECOND)).await;
    assert!(ping.await.unwrap().unwrap().is_success());
}

#[tokio::test]
async fn a_grant_is_asked_for_again_each_day() {
    let world = world().await;
    let receiver = Receiver::start(&world.clock, granting("60")).await;
    let id = confirmed(&world, &receiver).await;
    let confirmed_at = read(&world, id).await.intent_confirmed_at;
    let begun = world.now();
    world.turn_to(begun.plus(DAY - SECOND)).await;
    assert_eq!(receiver.asked().len(), 1);
    receiver.answers(granting("6000"));
    world.turn_to(begun.plus(DAY)).await;
    let read = renewed(&world, id, |one| one.rate() == Some(RateLimit::of_minute(6000))).await;
    assert_eq!((read.status, read.intent_confirmed_at), (Active, confirmed_at));
    assert_eq!(receiver.asked().len(), 2);
    // Faster at once.
    world.emit_all("acme", "a.b", 150).await;
    world.pass(SECOND * 2, SECOND / 10).await;
    assert_eq!(receiver.delivered().len(), 150);
}

#[tokio::test]
async fn a_target_that_can_not_be_reached_keeps_its_grant_and_one_that_takes_it_back_does_not() {
    let world = world().await;
    let receiver = Receiver::start(&world.clock, granting("60")).await;
    let id = confirmed(&world, &receiver).await;
    receiver.answers(|asked| if asked.is_delivery() { answer(200, "") } else { answer(503, "") });
    let first = world.now().plus(DAY);
    world.turn_to(first).await;
    let kept = renewed(&world, id, |one| {
        one.grant.as_ref().is_some_and(|grant| grant.renew_at > first.plus(MINUTE))
    })
    .await;
    assert_eq!((kept.status, kept.rate()), (Active, Some(RateLimit::of_minute(60))));
    assert_eq!(kept.grant.unwrap().renew_at, first.plus(MINUTE * 60), "an hour later");
    let event = world.emit("a.b").await;
    world.settled(&event, DeliveryStatus::Delivered, 1).await;

    receiver.answers(|asked| match asked.is_delivery() {
        true => answer(200, ""),
        false => answer(200, "webhook-allowed-origin: other.example.com\r\n"),
    });
    world.turn_to(first.plus(MINUTE * 60)).await;
    let pending = renewed(&world, id, |one| one.status == Pending).await;
    assert_eq!((pending.intent_confirmed_at, &pending.grant), (None, &None));
    let reason = pending.status_reason.unwrap();
    assert!(reason.contains("WebHook-Allowed-Origin is another one"), "{reason}");
    world.idle().await;
    let unmatched = world.hooks.emit("acme", "a.b", &serde_json::json!(1)).await.unwrap();
    assert_eq!(unmatched.matched, 0);
    // It grants again: the next attempts find that out.
    receiver.answers(granting("*"));
    world.turn_to(world.now().plus(SECOND * 5)).await;
    renewed(&world, id, |one| one.status == Active).await;
}

#[tokio::test]
async fn a_410_to_the_daily_question_ends_the_subscription() {
    let world = world().await;
    let receiver = Receiver::start(&world.clock, granting("60")).await;
    let id = confirmed(&world, &receiver).await;
    let asked = Arc::new(AtomicU32::new(0));
    let counting = Arc::clone(&asked);
    receiver.answers(move |_| {
        counting.fetch_add(1, Ordering::SeqCst);
        answer(410, "")
    });
    world.turn_to(world.now().plus(DAY)).await;
    let is_gone = async || world.hooks.subscription(&Scope::All, id).await.is_err().then_some(());
    found("it is gone", is_gone).await;
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}
