//! A subscription that fails for days is disabled, and nothing of it is lost.

use std::time::Duration;

use resthooks::model::{DeliveryStatus, SubscriptionStatus};
use resthooks::{Scope, SubscriptionChange};

use crate::target::Reply;
use crate::world::World;

const DAY: Duration = Duration::from_secs(86_400);

#[tokio::test]
async fn after_five_days_without_a_success() {
    let world = World::start().await;
    let refusing = Reply::Status(500);
    // The first delivery fails to its end, the second one is answered as soon as it is allowed to be.
    let target = world.target([refusing.clone()]).await;
    let id = world.subscribe("a.b", &target.url()).await.subscription.id;
    let begun = world.now();
    let first = world.emit("a.b").await;
    world.settled(&first, DeliveryStatus::Scheduled, 1).await;
    let view = world.hooks.subscription(&Scope::All, id).await.unwrap();
    assert_eq!((view.health.failing_since, view.health.consecutive_failures), (Some(begun), 1));
    for attempts in 1..=10 {
        let (delivery, _) = world.settled(&first, DeliveryStatus::Scheduled, attempts).await;
        world.turn_to(delivery.next_attempt_at.unwrap()).await;
    }
    world.settled(&first, DeliveryStatus::Dead, 11).await;
    assert!(world.now().since(begun) < 5 * DAY);
    world.subscription_becomes(id, SubscriptionStatus::Active).await;
    world.turn_to(begun.plus(5 * DAY)).await;
    let second = world.emit("a.b").await;
    let view = world.subscription_becomes(id, SubscriptionStatus::Disabled).await;
    let reason = view.subscription.status_reason.unwrap();
    assert!(reason.contains(&begun.to_string()), "the reason names the begin: {reason}");
    world.settled(&second, DeliveryStatus::Held, 1).await;
    let third = world.emit("a.b").await;
    world.settled(&third, DeliveryStatus::Held, 0).await;
    let sent = target.count();
    let world = world.restarted().await;
    world.turn_to(world.now().plus(30 * DAY)).await;
    assert_eq!(target.count(), sent, "a disabled subscription was sent something");
    let good = world.target([Reply::Status(200)]).await;
    let change = SubscriptionChange {
        active: Some(true),
        target_url: Some(good.url().parse().unwrap()),
        ..SubscriptionChange::default()
    };
    world.hooks.change_subscription(&Scope::All, id, change, None).await.unwrap();
    world.settled(&second, DeliveryStatus::Delivered, 2).await;
    world.settled(&third, DeliveryStatus::Delivered, 1).await;
    let view = world.subscription_becomes(id, SubscriptionStatus::Active).await;
    assert_eq!((view.health.failing_since, view.health.consecutive_failures), (None, 0));
}

#[tokio::test]
async fn but_not_when_something_succeeds_in_between() {
    let world = World::start().await;
    let target = world.target([Reply::Status(500), Reply::Status(200)]).await;
    let id = world.subscribe("a.b", &target.url()).await.subscription.id;
    for _ in 0..4 {
        let event = world.emit("a.b").await;
        let (delivery, _) = world.settled(&event, DeliveryStatus::Scheduled, 1).await;
        world.turn_to(delivery.next_attempt_at.unwrap()).await;
        world.settled(&event, DeliveryStatus::Delivered, 2).await;
        world.turn_to(world.now().plus(3 * DAY)).await;
    }
    world.subscription_becomes(id, SubscriptionStatus::Active).await;
}
