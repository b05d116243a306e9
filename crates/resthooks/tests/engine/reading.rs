//! What is read of a delivery while it is being tried fits together.

use std::time::Duration;

use resthooks::RetryPolicy;
use resthooks::model::DeliveryStatus;

use crate::target::Reply;
use crate::world::World;

#[tokio::test]
async fn a_delivery_and_its_attempts_are_of_one_moment() {
    let schedule = vec![Duration::from_secs(1); 60];
    let world = World::with(|options| options.retry = RetryPolicy { schedule, jitter: 0.0 }).await;
    let target = world.target([Reply::Status(500)]).await;
    world.subscribe("a.b", &target.url()).await;
    let event = world.emit("a.b").await;
    let mut seen = 0;
    while seen < 61 {
        let (delivery, attempts) = world.delivery(&event).await;
        assert_eq!(delivery.attempts as usize, attempts.len(), "{delivery:?} {attempts:#?}");
        if delivery.status == DeliveryStatus::Scheduled {
            let last = attempts.last().unwrap().started_at;
            assert_eq!(delivery.next_attempt_at, Some(last.plus(Duration::from_secs(1))), "{delivery:?}");
        }
        if attempts.len() > seen && world.hooks.stats().in_flight == 0 {
            seen = attempts.len();
            world.clock.advance(Duration::from_secs(1));
        }
        tokio::task::yield_now().await;
    }
}
