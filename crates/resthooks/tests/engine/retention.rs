//! What is old is deleted, and nothing that is still to be sent.

use std::time::Duration;

use resthooks::model::{DeliveryStatus, EventId, Terms};
use resthooks::store::{EventFilter, Page};
use resthooks::{Error, RetentionPolicy, Scope, SubscriptionChange};

use crate::target::Reply;
use crate::world::{ACCOUNT, World, found};

const DAY: Duration = Duration::from_secs(24 * 3600);
/// More than go in one step.
const MANY: usize = 450;

async fn world(change: impl FnOnce(&mut RetentionPolicy)) -> World {
    World::beginning("2090-01-02T03:04:05.678Z", |options| {
        options.retention = RetentionPolicy {
            events: 2 * DAY,
            attempts: 2 * DAY,
            missed: 6 * DAY,
            ..RetentionPolicy::default()
        };
        change(&mut options.retention);
    })
    .await
}

async fn is_there(world: &World, event: &EventId) -> bool {
    match world.hooks.event(&Scope::All, event).await {
        Ok(_) => true,
        Err(Error::NotFound) => false,
        Err(error) => panic!("{error}"),
    }
}

/// Lets rounds happen until so many events are gone since the start.
async fn are_gone(world: &World, count: u64) {
    found("so many are gone", async || {
        world.turn_to(world.now().plus(Duration::from_secs(20))).await;
        (world.hooks.stats().expired_events == count).then_some(())
    })
    .await;
    world.idle().await;
}

async fn count(world: &World) -> usize {
    let mut count = 0;
    let mut after = None;
    loop {
        let page = Page { after, limit: 250 };
        let list = world.hooks.events(EventFilter::default(), page).await.unwrap();
        count += list.items.len();
        after = list.next;
        if after.is_none() {
            return count;
        }
    }
}

/// Delivered ones by their age, missed ones by theirs, and what is held not at all; an id may be used again then.
#[tokio::test]
async fn each_goes_at_its_age_but_what_waits() {
    let world = world(|_| ()).await;
    let good = world.target([Reply::Status(200)]).await;
    let bad = world.target([Reply::Status(404)]).await;
    let terms =
        Terms { retry: Some(serde_json::from_str(r#"{"schedule": []}"#).unwrap()), ..Terms::default() };
    world.subscribe("good.one", &good.url()).await;
    world.subscribe_with(ACCOUNT, "bad.one", &bad.url(), terms).await.unwrap();
    let held = world.subscribe("held.one", &good.url()).await.subscription.id;
    let change = SubscriptionChange { active: Some(false), ..SubscriptionChange::default() };
    world.hooks.change_subscription(&Scope::All, held, change, None).await.unwrap();
    let delivered = world.emit("good.one").await;
    let missed = world.emit("bad.one").await;
    world.settled(&delivered, DeliveryStatus::Delivered, 1).await;
    world.settled(&missed, DeliveryStatus::Dead, 1).await;
    // A paused subscription matches, and its deliveries are held; one that had none matched nothing.
    let waits = world.emit("held.one").await;
    let nothing = world.emit("no.one").await;
    world.turn_to(world.now().plus(DAY)).await;
    world.turn_to(world.now().plus(DAY / 2)).await;
    assert_eq!(world.hooks.stats().expired_events, 0);
    world.turn_to(world.now().plus(DAY)).await;
    are_gone(&world, 2).await;
    assert!(!is_there(&world, &delivered).await && !is_there(&world, &nothing).await);
    assert!(is_there(&world, &missed).await && is_there(&world, &waits).await);
    let world = world.crashed().await;
    world.turn_to(world.now().plus(4 * DAY)).await;
    are_gone(&world, 1).await;
    assert!(!is_there(&world, &missed).await && is_there(&world, &waits).await);
    let change = SubscriptionChange { active: Some(true), ..SubscriptionChange::default() };
    world.hooks.change_subscription(&Scope::All, held, change, None).await.unwrap();
    world.settled(&waits, DeliveryStatus::Delivered, 1).await;
    assert_eq!(good.received().len(), 2);
}

/// In steps; whatever a crash leaves goes in the next round, and what is young stays.
#[tokio::test]
async fn a_crash_between_two_steps_costs_nothing() {
    let world = world(|_| ()).await;
    let target = world.target([Reply::Status(200)]).await;
    world.subscribe("a.b", &target.url()).await;
    world.emit_all(ACCOUNT, "a.b", MANY).await;
    found("all are delivered", async || (target.received().len() == MANY).then_some(())).await;
    world.pass(Duration::from_secs(2), Duration::from_secs(1)).await;
    // Before its last event the watermark stays below it.
    let young = {
        world.turn_to(world.now().plus(2 * DAY)).await;
        world.emit("a.b").await
    };
    world.settled(&young, DeliveryStatus::Delivered, 1).await;
    // One step of the round, and no further: its pause has no end.
    world.turn_to(world.now().plus(Duration::from_secs(600))).await;
    let world = world.crashed().await;
    assert!(count(&world).await >= 1);
    found("all that is old is gone", async || {
        world.turn_to(world.now().plus(Duration::from_secs(20))).await;
        (count(&world).await == 1).then_some(())
    })
    .await;
    assert!(is_there(&world, &young).await);
    world.idle().await;
    assert_eq!(target.received().len(), MANY + 1, "nothing was sent again");
}
