//! A target that hangs delays nobody else's deliveries: not by a moment of the engine's clock.

use resthooks::model::DeliveryStatus;

use crate::target::Reply;
use crate::world::{ACCOUNT, World, until};

#[tokio::test]
async fn of_the_same_account() {
    let world = World::start().await;
    let hanging = world.target([Reply::Hang]).await;
    let good = world.target([Reply::Status(200)]).await;
    world.subscribe("slow.one", &hanging.url()).await;
    world.subscribe("quick.one", &good.url()).await;
    for _ in 0..10 {
        world.emit_all(ACCOUNT, "slow.one", 1000).await;
    }
    until("the hanging target has its share", || hanging.count() > 0).await;
    let begun = world.now();
    for sent in 1..=50 {
        let event = world.emit("quick.one").await;
        until("the good target has it", || good.count() == sent).await;
        world.becomes(&event, DeliveryStatus::Delivered, 1).await;
    }
    assert_eq!(world.now(), begun);
    assert!(hanging.count() <= 64, "{} requests are in flight to one target", hanging.count());
    assert!(good.received().iter().all(|received| received.header("x-hook-attempt") == "1"));
}

#[tokio::test]
async fn of_many_hanging_ones_with_more_than_all_that_may_be_in_flight() {
    let world = World::with(|options| {
        options.max_in_flight = 48;
        options.max_in_flight_per_target = 16;
    })
    .await;
    let good = world.target([Reply::Status(200)]).await;
    world.subscribe("quick.one", &good.url()).await;
    let mut hanging = Vec::new();
    // Of another account: what one account holds up must leave room for the next.
    for place in 0..6 {
        let target = world.target([Reply::Hang]).await;
        world.subscribe_of("other", &format!("slow.n{place}"), &target.url()).await;
        hanging.push(target);
        world.emit_all("other", &format!("slow.n{place}"), 500).await;
    }
    let in_flight = || hanging.iter().map(crate::target::Target::count).sum::<usize>();
    until("the other account has its share", || in_flight() >= hanging.len()).await;
    for sent in 1..=50 {
        world.emit("quick.one").await;
        until("the good target has it", || good.count() == sent).await;
    }
    assert!(in_flight() <= 48, "{} requests in flight", in_flight());
}
