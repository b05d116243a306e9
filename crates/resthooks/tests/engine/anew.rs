//! An account that begins anew while its deletion has yet to be heard of: what it has by now stays.

use resthooks::model::{DeliveryStatus, KeyRole};
use resthooks::{Scope, SubscriptionChange};

use crate::target::Reply;
use crate::world::{ACCOUNT, World};

#[tokio::test]
async fn keeps_its_subscriptions_its_keys_and_what_waits() {
    let world = World::start().await;
    let role = || KeyRole::Consumer(ACCOUNT.parse().unwrap());
    let target = world.target([Reply::Status(500), Reply::Status(200)]).await;
    let beside = world.subscribe_of("beside", "a.c", &target.url()).await.subscription.id;
    let former = world.subscribe("a.b", &target.url()).await.subscription.id;
    let former_key = world.hooks.create_key(role(), None).await.unwrap();
    // Here and not below: a type that registers itself would look at what was changed.
    world.emit_all("nobody", "a.b", 1).await;
    world.hooks.delete_account(&ACCOUNT.parse().unwrap()).await.unwrap();
    let new = world.subscribe("a.b", &target.url()).await.subscription.id;
    let key = world.hooks.create_key(role(), None).await.unwrap();
    let first = world.emit("a.b").await;
    let (delivery, _) = world.settled(&first, DeliveryStatus::Scheduled, 1).await;

    // A change looks first at what was changed before.
    let change = SubscriptionChange { active: Some(false), ..SubscriptionChange::default() };
    world.hooks.change_subscription(&Scope::All, beside, change, None).await.unwrap();
    assert!(world.hooks.subscription(&Scope::All, former).await.is_err());
    assert!(world.hooks.authenticate(&former_key.key).is_none());
    assert!(world.hooks.authenticate(&key.key).is_some());
    let second = world.emit("a.b").await;
    let (second_delivery, _) = world.settled(&second, DeliveryStatus::Scheduled, 1).await;
    let due = delivery.next_attempt_at.max(second_delivery.next_attempt_at).unwrap();
    world.turn_to(due).await;
    for event in [&first, &second] {
        let (delivery, _) = world.settled(event, DeliveryStatus::Delivered, 2).await;
        assert_eq!(delivery.subscription(), new);
    }
}
