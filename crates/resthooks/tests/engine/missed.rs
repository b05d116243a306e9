//! The claim check: what was given up is fetched, acknowledged or sent again.

use std::time::Duration;

use resthooks::model::{DeliveryId, DeliveryStatus, SubscriptionId, Terms};
use resthooks::store::Page;
use resthooks::{MissedChoice, MissedPage, Scope, SubscriptionChange};

use crate::target::Reply;
use crate::world::{ACCOUNT, World, found, until};

/// More than are released in one step.
const MANY: usize = 450;

async fn subscribe(world: &World, url: &str, schedule: &str) -> SubscriptionId {
    let terms = Terms { retry: Some(serde_json::from_str(schedule).unwrap()), ..Terms::default() };
    world.subscribe_with(ACCOUNT, "a.b", url, terms).await.unwrap().subscription.id
}

async fn missed(world: &World, id: SubscriptionId) -> MissedPage {
    world.hooks.missed(&Scope::All, id, Page { after: None, limit: 250 }).await.unwrap()
}

/// Waits until so many are missed.
async fn are_missed(world: &World, id: SubscriptionId, count: usize) -> MissedPage {
    let page = found("so many are missed", async || {
        let page = missed(world, id).await;
        (page.count == count as u64).then_some(page)
    })
    .await;
    world.idle().await;
    page
}

async fn release(world: &World, id: SubscriptionId, choice: MissedChoice) -> usize {
    world.hooks.release_missed(&Scope::All, id, choice).await.unwrap()
}

async fn set_active(world: &World, id: SubscriptionId, active: bool) {
    let change = SubscriptionChange { active: Some(active), ..SubscriptionChange::default() };
    world.hooks.change_subscription(&Scope::All, id, change, None).await.unwrap();
}

/// Released ones go through their whole schedule again, and may be missed again.
#[tokio::test]
async fn a_released_delivery_starts_its_schedule_anew() {
    let world = World::with(|options| options.retry.jitter = 0.0).await;
    let target = world.target([Reply::Status(500)]).await;
    let id = subscribe(&world, &target.url(), r#"{"schedule": ["10s"]}"#).await;
    let event = world.emit("a.b").await;
    world.settled(&event, DeliveryStatus::Scheduled, 1).await;
    world.turn_to(world.now().plus(Duration::from_secs(10))).await;
    let (dead, _) = world.settled(&event, DeliveryStatus::Dead, 2).await;
    are_missed(&world, id, 1).await;
    assert_eq!(release(&world, id, MissedChoice::These(vec![dead.id])).await, 1);
    let (waits, _) = world.settled(&event, DeliveryStatus::Scheduled, 3).await;
    assert_eq!(waits.next_attempt_at, Some(world.now().plus(Duration::from_secs(10))));
    assert_eq!((waits.id, waits.sequence), (dead.id, dead.sequence));
    let world = world.crashed().await;
    world.turn_to(world.now().plus(Duration::from_secs(10))).await;
    let (dead, attempts) = world.settled(&event, DeliveryStatus::Dead, 4).await;
    assert_eq!(attempts.iter().map(|one| one.number).collect::<Vec<_>>(), [1, 2, 3, 4]);
    assert_eq!(dead.reason.as_deref(), Some("2 attempts failed, the last one with status 500"));
    assert_eq!(are_missed(&world, id, 1).await.items[0].delivery.id, dead.id);
}

/// In many steps, a crash right after the first ones: asked again, each is sent once, and nothing waits.
#[tokio::test]
async fn many_are_released_although_a_crash_cuts_it_short() {
    let world = World::start().await;
    let target = world.target([Reply::Status(500), Reply::Status(200)]).await;
    let id = subscribe(&world, &target.url(), r#"{"schedule": []}"#).await;
    world.emit_all(ACCOUNT, "a.b", MANY).await;
    let page = are_missed(&world, id, MANY).await;
    assert_eq!((page.items.len(), page.oldest), (250, Some(world.now())));
    let some: Vec<DeliveryId> = page.items.iter().map(|one| one.delivery.id).collect();
    set_active(&world, id, false).await;
    assert_eq!(release(&world, id, MissedChoice::These(some)).await, 250);
    let world = world.crashed().await;
    assert_eq!(missed(&world, id).await.count, (MANY - 250) as u64);
    assert_eq!(release(&world, id, MissedChoice::All).await, MANY - 250);
    world.idle().await;
    let view = world.hooks.subscription(&Scope::All, id).await.unwrap();
    assert_eq!((view.pending, target.received().len()), (MANY as u64, MANY), "paused: they are held");
    set_active(&world, id, true).await;
    until("all were sent again", || target.received().len() == 2 * MANY).await;
    world.idle().await;
    let view = world.hooks.subscription(&Scope::All, id).await.unwrap();
    assert_eq!((view.pending, missed(&world, id).await.count), (0, 0));
}

/// Those that were acknowledged stay so, and are not sent.
#[tokio::test]
async fn acknowledged_ones_are_done_with() {
    let world = World::start().await;
    let target = world.target([Reply::Status(404)]).await;
    let id = subscribe(&world, &target.url(), r#"{"schedule": []}"#).await;
    let events = world.emit_all(ACCOUNT, "a.b", 3).await;
    are_missed(&world, id, 3).await;
    let done = world.hooks.acknowledge_missed(&Scope::All, id, MissedChoice::All).await.unwrap();
    assert_eq!(done, 3);
    let world = world.crashed().await;
    assert_eq!(release(&world, id, MissedChoice::All).await, 0);
    for event in &events {
        let (delivery, _) = world.settled(event, DeliveryStatus::Delivered, 1).await;
        assert_eq!(delivery.reason.as_deref(), Some("acknowledged through the claim check"));
    }
    assert_eq!(target.received().len(), 3);
}
