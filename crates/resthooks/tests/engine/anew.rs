//! An account that begins anew while its deletion has yet to be heard of: what it has by now stays.

use std::time::Duration;

use resthooks::model::{DeliveryStatus, KeyRole};
use resthooks::{Scope, SubscriptionChange};

use crate::target::Reply;
use crate::world::{ACCOUNT, World, until};

const TIMEOUT: Duration = Duration::from_secs(15);

#[tokio::test]
async fn keeps_its_subscriptions_its_keys_and_what_waits() {
    let world = World::with(|options| {
        options.max_in_flight_per_target = 1;
        // No second attempt comes in between.
        options.retry.schedule = vec![Duration::from_secs(86_400)];
        options.attempt_timeout = TIMEOUT;
    })
    .await;
    let role = || KeyRole::Consumer(ACCOUNT.parse().unwrap());
    let target = world.target([Reply::Hang]).await;
    let beside = world.subscribe_of("beside", "a.c", &target.url()).await.subscription.id;
    let former = world.subscribe("a.b", &target.url()).await.subscription.id;
    let former_key = world.hooks.create_key(role(), None).await.unwrap();
    // Here and not below: a type that registers itself would look at what was changed.
    world.emit_all("nobody", "a.b", 1).await;
    world.hooks.delete_account(&ACCOUNT.parse().unwrap()).await.unwrap();
    let new = world.subscribe("a.b", &target.url()).await.subscription.id;
    let key = world.hooks.create_key(role(), None).await.unwrap();
    let first = world.emit("a.b").await;
    until("the first one is under way", || target.count() == 1).await;
    let second = world.emit("a.b").await;

    // A change looks first at what was changed before.
    let change = SubscriptionChange { active: Some(false), ..SubscriptionChange::default() };
    world.hooks.change_subscription(&Scope::All, beside, change, None).await.unwrap();
    assert!(world.hooks.subscription(&Scope::All, former).await.is_err());
    assert!(world.hooks.authenticate(&former_key.key).is_err());
    assert!(world.hooks.authenticate(&key.key).is_ok());
    // The first one has had its time; the second one, which waited all the while, is sent, and a third one behind it.
    let third = world.emit("a.b").await;
    for (place, event) in [&first, &second, &third].into_iter().enumerate() {
        until("it is under way", || target.count() == place + 1).await;
        world.turn_to(world.now().plus(TIMEOUT)).await;
        let (delivery, _) = world.becomes(event, DeliveryStatus::Scheduled, 1).await;
        assert_eq!((delivery.subscription(), delivery.sequence), (new, place as u64 + 1));
    }
}
