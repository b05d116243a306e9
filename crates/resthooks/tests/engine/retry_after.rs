//! `Retry-After`: obeyed to the second, within the bounds of the schedule.

use std::time::Duration;

use resthooks::RetryPolicy;
use resthooks::model::{DeliveryStatus, Timestamp};

use crate::target::Reply;
use crate::world::{World, until};

/// Without jitter, so that the moment can be told to the millisecond.
async fn steady() -> World {
    World::with(|options| options.retry = RetryPolicy { jitter: 0.0, ..RetryPolicy::default() }).await
}

/// When the next attempt is due after this answer, from the moment of the answer on.
async fn wait_after(world: &World, status: u16, retry_after: &str) -> Duration {
    let target = world
        .target([Reply::Header(status, "retry-after", retry_after.to_owned()), Reply::Status(200)])
        .await;
    let subscribed = world.subscribe("a.b", &target.url()).await;
    let event = world.emit("a.b").await;
    let (delivery, _) = world.settled(&event, DeliveryStatus::Scheduled, 1).await;
    let due = delivery.next_attempt_at.unwrap();
    let wait = due.since(world.now());
    world.turn_to(due.minus(Duration::from_millis(1))).await;
    assert_eq!(target.count(), 1, "{status} with Retry-After: {retry_after} was undercut");
    world.turn_to(due).await;
    until("it is sent again", || target.count() == 2).await;
    world.settled(&event, DeliveryStatus::Delivered, 2).await;
    world.hooks.delete_subscription(&resthooks::Scope::All, subscribed.subscription.id).await.unwrap();
    wait
}

#[tokio::test]
async fn in_seconds() {
    let world = steady().await;
    for status in [429, 503] {
        for seconds in [6, 60, 3600] {
            let wait = wait_after(&world, status, &seconds.to_string()).await;
            assert_eq!(wait, Duration::from_secs(seconds), "{status}");
        }
    }
}

#[tokio::test]
async fn as_a_date() {
    let world = steady().await;
    for seconds in [7, 90, 7200] {
        // The clock shows milliseconds, a date only whole seconds.
        let date = Timestamp::from_millis(world.now().plus(Duration::from_secs(seconds)).as_secs() * 1000);
        let system = std::time::UNIX_EPOCH + Duration::from_secs(date.as_secs().unsigned_abs());
        let wait = wait_after(&world, 429, &httpdate::fmt_http_date(system)).await;
        let wanted = Duration::from_secs(seconds);
        assert!(wait >= date.since(world.now().minus(wait)), "{wait:?} ends before the date");
        assert!(wait <= wanted + Duration::from_secs(1), "{wait:?} is far more than {wanted:?}");
    }
}

#[tokio::test]
async fn within_the_bounds_of_the_schedule() {
    let world = steady().await;
    for (asked, seconds) in [("0", 5), ("1", 5), ("31536000", 86_400), ("99999999999999999999", 86_400)] {
        assert_eq!(
            wait_after(&world, 429, asked).await,
            Duration::from_secs(seconds),
            "Retry-After: {asked}"
        );
    }
    let past = wait_after(&world, 429, "Sun, 06 Nov 1994 08:49:37 GMT").await;
    assert_eq!(past, Duration::from_secs(5));
}

#[tokio::test]
async fn nonsense_is_left_aside() {
    let world = steady().await;
    for asked in ["", "soon", "-1", "1.5", "Xyz, 99 Foo 2026 00:00:00 GMT"] {
        assert_eq!(wait_after(&world, 503, asked).await, Duration::from_secs(5), "Retry-After: {asked:?}");
    }
}

#[tokio::test]
async fn jitter_only_lengthens() {
    let world = World::start().await;
    for _ in 0..20 {
        let wait = wait_after(&world, 429, "60").await;
        assert!(wait >= Duration::from_secs(60) && wait <= Duration::from_secs(72), "{wait:?}");
    }
}

#[tokio::test]
async fn the_end_of_the_schedule_is_the_end() {
    let world = steady().await;
    let target = world.target([Reply::Header(429, "retry-after", "60".to_owned())]).await;
    world.subscribe("a.b", &target.url()).await;
    let event = world.emit("a.b").await;
    for attempts in 1..=10 {
        let (delivery, _) = world.settled(&event, DeliveryStatus::Scheduled, attempts).await;
        assert_eq!(delivery.next_attempt_at, Some(world.now().plus(Duration::from_secs(60))));
        world.turn_to(delivery.next_attempt_at.unwrap()).await;
    }
    world.settled(&event, DeliveryStatus::Dead, 11).await;
}
