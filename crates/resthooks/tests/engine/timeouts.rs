//! Targets that don't come to an end: each costs what the settings say, and its delivery goes on.

use std::time::Duration;

use resthooks::model::{DeliveryStatus, ErrorClass};

use crate::target::Reply;
use crate::world::{World, quiet, until};

/// The first attempt hangs on this; the clock goes by a second at a time until it is given up.
async fn given_up(reply: Reply) {
    let world = World::start().await;
    let target = world.target([reply, Reply::Status(200)]).await;
    world.subscribe("a.b", &target.url()).await;
    let event = world.emit("a.b").await;
    until("it is sent", || target.count() == 1).await;
    let begun = world.now();
    for second in 1..15 {
        world.turn_to(begun.plus(Duration::from_secs(second))).await;
        assert_eq!(world.hooks.stats().in_flight, 1, "given up after {second} s");
    }
    world.turn_to(begun.plus(Duration::from_secs(15))).await;
    let (delivery, attempts) = world.settled(&event, DeliveryStatus::Scheduled, 1).await;
    assert_eq!((attempts[0].error, attempts[0].status_code), (Some(ErrorClass::Timeout), None));
    assert_eq!(attempts[0].duration_us, 15_000_000);
    let wait = delivery.next_attempt_at.unwrap().since(world.now());
    assert!(
        wait >= Duration::from_secs(5) && wait <= Duration::from_secs(6),
        "{wait:?} from the attempt's end"
    );
    world.turn_to(delivery.next_attempt_at.unwrap()).await;
    world.settled(&event, DeliveryStatus::Delivered, 2).await;
    assert_eq!(target.count(), 2);
}

#[tokio::test]
async fn one_that_never_answers() {
    given_up(Reply::Hang).await;
}

#[tokio::test]
async fn one_that_dribbles_a_byte_a_second() {
    given_up(Reply::Dribble).await;
}

#[tokio::test]
async fn what_waits_behind_a_hanging_target_goes_to_the_store() {
    let world = World::with(|options| options.max_in_flight_per_target = 1).await;
    let target = world.target([Reply::Hang, Reply::Status(200)]).await;
    world.subscribe("a.b", &target.url()).await;
    let first = world.emit("a.b").await;
    until("the first is in flight", || target.count() == 1).await;
    let mut others = Vec::new();
    for _ in 0..20 {
        others.push(world.emit("a.b").await);
    }
    quiet().await;
    assert_eq!(world.delivery(&others[0]).await.0.status, DeliveryStatus::Pending);
    // Longer than anything is kept waiting in memory alone, shorter than the attempt.
    for _ in 0..8 {
        world.turn_to(world.now().plus(Duration::from_secs(1))).await;
    }
    for event in &others {
        world.becomes(event, DeliveryStatus::Scheduled, 0).await;
    }
    assert_eq!(target.count(), 1);
    assert_eq!(world.delivery(&first).await.0.status, DeliveryStatus::Pending);
}
