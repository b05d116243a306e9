//! The retry schedule, to the second, over days.

use std::time::Duration;

use resthooks::model::{DeliveryStatus, Timestamp};

use crate::target::Reply;
use crate::world::{ACCOUNT, World, until};

const DEFAULT: [u64; 10] = [5, 30, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400];

/// The schedule's step with its jitter of up to a fifth.
#[track_caller]
fn assert_step(from: Timestamp, to: Timestamp, seconds: u64) {
    let (wait, step) = (to.since(from), Duration::from_secs(seconds));
    assert!(wait >= step && wait <= step.mul_f64(1.2), "{wait:?} is not {step:?} and up to a fifth more");
}

#[tokio::test]
async fn each_attempt_comes_when_it_is_due_and_not_before() {
    let mut world = World::start().await;
    let target = world.target([Reply::Status(500)]).await;
    world.subscribe("a.b", &target.url()).await;
    let event = world.emit("a.b").await;
    let id = world.delivery(&event).await.0.id.to_string();
    let mut jitter = Vec::new();
    for (place, step) in DEFAULT.into_iter().enumerate() {
        let (delivery, attempts) = world.settled(&event, DeliveryStatus::Scheduled, place + 1).await;
        let due = delivery.next_attempt_at.unwrap();
        assert_step(attempts[place].started_at, due, step);
        jitter.push(
            due.since(attempts[place].started_at).as_secs_f64() / Duration::from_secs(step).as_secs_f64(),
        );
        // An engine that is stopped and started in between keeps to the schedule of the one before.
        if place % 3 == 2 {
            world = world.restarted().await;
        }
        world.turn_to(due.minus(Duration::from_millis(1))).await;
        assert_eq!(target.count(), place + 1, "sent before it was due");
        world.turn_to(due).await;
        until("the due delivery is sent", || target.count() == place + 2).await;
    }
    let (dead, attempts) = world.settled(&event, DeliveryStatus::Dead, 11).await;
    assert_eq!(dead.reason.as_deref(), Some("11 attempts failed, the last one with status 500"));
    assert_eq!((dead.next_attempt_at, dead.attempts), (None, 11));
    let received = target.received();
    for (place, (received, attempt)) in received.iter().zip(&attempts).enumerate() {
        assert_eq!(received.header("webhook-id"), id);
        assert_eq!(received.header("x-hook-attempt"), (place + 1).to_string());
        assert_eq!(received.header("webhook-timestamp"), received.at.as_secs().to_string());
        assert_eq!((attempt.number as usize, attempt.started_at), (place + 1, received.at));
    }
    assert!(jitter.iter().any(|factor| *factor > 1.01), "there is no jitter: {jitter:?}");
    world.turn_to(world.now().plus(Duration::from_secs(30 * 86_400))).await;
    assert_eq!(target.count(), 11, "a dead delivery was sent");
}

#[tokio::test]
async fn what_is_due_while_nobody_runs_is_sent_at_the_next_start() {
    let world = World::start().await;
    let target = world.target([Reply::Status(500), Reply::Status(200)]).await;
    world.subscribe("a.b", &target.url()).await;
    let event = world.emit("a.b").await;
    world.settled(&event, DeliveryStatus::Scheduled, 1).await;
    let clock = world.clock.clone();
    let stopped = world.stopped().await;
    clock.advance(Duration::from_secs(3600));
    let world = stopped.started().await;
    let (_, attempts) = world.settled(&event, DeliveryStatus::Delivered, 2).await;
    assert_eq!(attempts[1].started_at, world.now(), "it was overdue");
}

#[tokio::test]
async fn a_success_on_the_way_ends_it() {
    let world = World::start().await;
    let target = world.target([Reply::Status(503), Reply::Status(404), Reply::Status(204)]).await;
    world.subscribe("a.b", &target.url()).await;
    let event = world.emit("a.b").await;
    for attempts in 1..3 {
        let (delivery, _) = world.settled(&event, DeliveryStatus::Scheduled, attempts).await;
        world.turn_to(delivery.next_attempt_at.unwrap()).await;
    }
    let (_, attempts) = world.settled(&event, DeliveryStatus::Delivered, 3).await;
    let codes: Vec<_> = attempts.iter().map(|attempt| attempt.status_code).collect();
    assert_eq!(codes, [Some(503), Some(404), Some(204)]);
    world.turn_to(world.now().plus(Duration::from_secs(10 * 86_400))).await;
    assert_eq!(target.count(), 3);
}

#[tokio::test]
async fn a_crowd_keeps_its_schedule() {
    let world = World::start().await;
    let target = world.target([Reply::Status(500), Reply::Status(500), Reply::Status(200)]).await;
    world.subscribe("a.b", &target.url()).await;
    let events = world.emit_all(ACCOUNT, "a.b", 500).await;
    until("all were sent once", || target.count() == 500).await;
    for event in &events {
        world.settled(event, DeliveryStatus::Scheduled, 1).await;
    }
    // Past all of the first step, with its jitter, but not of the second.
    world.turn_to(world.now().plus(Duration::from_millis(6_001))).await;
    until("all were sent twice", || target.count() == 1000).await;
    for event in &events {
        world.settled(event, DeliveryStatus::Scheduled, 2).await;
    }
    world.turn_to(world.now().plus(Duration::from_millis(36_001))).await;
    for event in &events {
        let (delivery, attempts) = world.settled(event, DeliveryStatus::Delivered, 3).await;
        assert_eq!((delivery.attempts, attempts.len()), (3, 3));
    }
    assert_eq!(target.count(), 1500);
}
