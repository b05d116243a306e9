//! Order, debouncing and batches: what is planned arrives as it was asked for, whatever fails or crashes meanwhile.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use resthooks::model::{DeliveryStatus, EventId, SubscriptionId, Terms};
use resthooks::{NewEvent, Scope, SubscriptionChange};
use serde_json::Value;

use crate::receiver::{Asked, Receiver, answer};
use crate::world::{ACCOUNT, World, until};

const SECOND: Duration = Duration::from_secs(1);

fn terms(json: &str) -> Terms {
    serde_json::from_str(json).unwrap()
}

async fn subscribe(world: &World, url: &str, json: &str) -> SubscriptionId {
    world.subscribe_with(ACCOUNT, "a.b", url, terms(json)).await.unwrap().subscription.id
}

fn event(key: &str, number: usize) -> NewEvent {
    let data = serde_json::json!({"key": key, "n": number}).to_string();
    let mut event = NewEvent::new(ACCOUNT.parse().unwrap(), "a.b".parse().unwrap(), data.into());
    event.order_key = Some(key.to_owned());
    event.debounce_key = Some(key.to_owned());
    event
}

async fn emit(world: &World, key: &str, number: usize) -> EventId {
    world.hooks.emit_batch(vec![event(key, number)]).await.unwrap().remove(0).id
}

/// The key and number of an event, as its body says.
fn data(body: &Value) -> (String, u64) {
    (body["data"]["key"].as_str().unwrap().to_owned(), body["data"]["n"].as_u64().unwrap())
}

fn json(asked: &Asked) -> Value {
    serde_json::from_slice(&asked.body).unwrap()
}

/// Numbers of those that were acknowledged, per key, in their order.
type Acknowledged = Arc<Mutex<HashMap<String, Vec<u64>>>>;

/// A receiver that refuses those of which `refuses` says so, and notes the others.
async fn noting(
    world: &World,
    refuses: impl Fn(&str, u64, usize) -> bool + Send + Sync + 'static,
) -> (Receiver, Acknowledged) {
    let noted = Acknowledged::default();
    let tries: Mutex<HashMap<(String, u64), usize>> = Mutex::default();
    let notes = Arc::clone(&noted);
    let receiver = Receiver::start(&world.clock, move |asked| {
        let (key, number) = data(&json(asked));
        let mut tries = tries.lock().unwrap();
        let attempt = tries.entry((key.clone(), number)).or_insert(0);
        *attempt += 1;
        if refuses(&key, number, *attempt) {
            return answer(500, "");
        }
        notes.lock().unwrap().entry(key).or_default().push(number);
        answer(200, "")
    })
    .await;
    (receiver, noted)
}

fn of(noted: &Acknowledged, key: &str) -> Vec<u64> {
    noted.lock().unwrap().get(key).cloned().unwrap_or_default()
}

#[tokio::test]
async fn a_strict_order_is_kept_while_some_fail() {
    let world = World::with(|options| options.retry.jitter = 0.0).await;
    let (receiver, noted) = noting(&world, |_, number, attempt| number % 3 == 0 && attempt < 3).await;
    subscribe(&world, &receiver.url(), r#"{"order": "strict", "retry": {"schedule": ["2s", "2s", "2s"]}}"#)
        .await;
    let events: Vec<NewEvent> = (0..30).map(|number| event(&format!("k{number}"), number)).collect();
    for part in events.chunks(7) {
        world.hooks.emit_batch(part.to_vec()).await.unwrap();
    }
    world.pass(60 * SECOND, SECOND).await;
    let order: Vec<u64> = receiver
        .delivered()
        .iter()
        .map(|one| one.header("x-hook-sequence").unwrap().parse().unwrap())
        .collect();
    assert!(order.is_sorted(), "{order:?}");
    assert_eq!(noted.lock().unwrap().len(), 30);
    assert_eq!(order.len(), 30 + 2 * 10);
}

#[tokio::test]
async fn a_head_that_fails_holds_up_its_own_key_alone() {
    let world = World::with(|options| options.retry.jitter = 0.0).await;
    let (receiver, noted) =
        noting(&world, |key, number, attempt| key == "a" && number == 0 && attempt < 2).await;
    let order = r#"{"order": {"by": "order_key"}, "retry": {"schedule": ["1h", "1h"]}}"#;
    subscribe(&world, &receiver.url(), order).await;
    for number in 0..20 {
        emit(&world, "a", number).await;
        emit(&world, "b", number).await;
    }
    until("all of the other key", || of(&noted, "b").len() == 20).await;
    world.idle().await;
    assert!(of(&noted, "b").is_sorted() && of(&noted, "a").is_empty());
    let world = world.crashed().await;
    emit(&world, "a", 20).await;
    world.idle().await;
    assert!(of(&noted, "a").is_empty(), "nothing overtakes, also after a crash");
    world.pass(Duration::from_secs(3600), Duration::from_secs(1800)).await;
    until("all of the key", || of(&noted, "a").len() == 21).await;
    assert_eq!(of(&noted, "a"), (0..21).collect::<Vec<_>>());
}

/// 10,000 events over 100 keys with a fifth of all requests failing.
#[tokio::test]
async fn ten_thousand_events_keep_the_order_of_a_hundred_keys() {
    let world = World::with(|options| options.retry.jitter = 0.0).await;
    let fails = |key: &str, number: u64, attempt: usize| {
        let mixed = (number * 31 + attempt as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ key.len() as u64;
        (mixed >> 32).is_multiple_of(5)
    };
    let (receiver, noted) = noting(&world, fails).await;
    let waits = vec!["1s"; 40];
    let order = serde_json::json!({"order": {"by": "order_key"}, "retry": {"schedule": waits}}).to_string();
    subscribe(&world, &receiver.url(), &order).await;
    for part in 0..20 {
        let events = (0..500).map(|n| event(&format!("k{}", n % 100), part * 5 + n / 100));
        world.hooks.emit_batch(events.collect()).await.unwrap();
    }
    let count = || noted.lock().unwrap().values().map(Vec::len).sum::<usize>();
    for _ in 0..400 {
        world.pass(SECOND, SECOND).await;
        if count() == 10_000 {
            break;
        }
    }
    let noted = noted.lock().unwrap();
    assert_eq!(noted.len(), 100);
    let whole: Vec<u64> = (0..100).collect();
    assert!(noted.values().all(|numbers| *numbers == whole), "each key whole, in its order");
    assert!(receiver.delivered().len() > 12_000, "some failed");
}

/// What an order costs while all is well.
#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "speed is measured")]
async fn an_order_by_key_is_at_least_half_as_fast_as_none() {
    const EVENTS: usize = 2_000;
    let mut ratios = Vec::new();
    for _ in 0..3 {
        let mut took = Vec::new();
        for terms in ["{}", r#"{"order": {"by": "order_key"}}"#] {
            let world = World::start().await;
            let receiver = Receiver::start(&world.clock, |_| answer(200, "")).await;
            subscribe(&world, &receiver.url(), terms).await;
            let begun = std::time::Instant::now();
            for part in 0..EVENTS / 100 {
                let events = (0..100).map(|n| event(&format!("k{n}"), part));
                world.hooks.emit_batch(events.collect()).await.unwrap();
            }
            until("all", || receiver.delivered().len() == EVENTS).await;
            took.push(begun.elapsed().as_secs_f64());
        }
        ratios.push(took[0] / took[1]);
    }
    ratios.sort_by(f64::total_cmp);
    println!("speed of an order by key, none being 1: {ratios:.2?}");
    assert!(ratios[1] >= 0.5, "{ratios:?}");
}

/// More than memory keeps of a key, behind a head that blocks them.
#[tokio::test]
async fn what_is_left_in_the_store_comes_in_its_order() {
    let world = World::with(|options| options.retry.jitter = 0.0).await;
    let (receiver, noted) =
        noting(&world, |key, number, attempt| key == "a" && number == 0 && attempt < 2).await;
    let order = r#"{"order": {"by": "order_key"}, "retry": {"schedule": ["1m", "1m"]}}"#;
    subscribe(&world, &receiver.url(), order).await;
    for part in 0..7 {
        let events = (0..300).flat_map(|n| {
            let number = part * 300 + n;
            [event("a", number), event(if number % 2 == 0 { "b" } else { "c" }, number)]
        });
        world.hooks.emit_batch(events.collect()).await.unwrap();
    }
    until("all of the others", || of(&noted, "b").len() + of(&noted, "c").len() == 2100).await;
    assert!(of(&noted, "b").is_sorted() && of(&noted, "c").is_sorted() && of(&noted, "a").is_empty());
    world.pass(Duration::from_secs(60), Duration::from_secs(60)).await;
    until("all of the key", || of(&noted, "a").len() == 2100).await;
    assert!(of(&noted, "a").is_sorted());
    world.idle().await;
    assert_eq!(world.hooks.stats().waiting, 0);
}

#[tokio::test]
async fn one_that_blocks_is_given_up_after_so_many_attempts() {
    let world = World::with(|options| options.retry.jitter = 0.0).await;
    let (receiver, noted) = noting(&world, |_, number, _| number == 0).await;
    let order =
        r#"{"order": "strict", "on_blocked": {"skip_after": 2}, "retry": {"schedule": ["5s", "5s", "5s"]}}"#;
    subscribe(&world, &receiver.url(), order).await;
    let first = emit(&world, "a", 0).await;
    emit(&world, "a", 1).await;
    world.settled(&first, DeliveryStatus::Scheduled, 1).await;
    world.pass(5 * SECOND, SECOND).await;
    let (dead, _) = world.settled(&first, DeliveryStatus::Dead, 2).await;
    assert!(dead.reason.unwrap().starts_with("skipped after 2 attempts"));
    until("the next one", || of(&noted, "a") == [1]).await;
}

#[tokio::test]
async fn a_pause_keeps_the_order() {
    let world = World::start().await;
    let (receiver, noted) = noting(&world, |_, _, _| false).await;
    let id = subscribe(&world, &receiver.url(), r#"{"order": "strict"}"#).await;
    let active = |active| SubscriptionChange { active: Some(active), ..SubscriptionChange::default() };
    emit(&world, "a", 0).await;
    until("the first", || of(&noted, "a") == [0]).await;
    world.hooks.change_subscription(&Scope::All, id, active(false), None).await.unwrap();
    let held = emit(&world, "a", 1).await;
    for number in 2..40 {
        emit(&world, "a", number).await;
    }
    world.settled(&held, DeliveryStatus::Held, 0).await;
    world.hooks.change_subscription(&Scope::All, id, active(true), None).await.unwrap();
    for number in 40..80 {
        emit(&world, "a", number).await;
    }
    until("all", || of(&noted, "a").len() == 80).await;
    assert!(of(&noted, "a").is_sorted());
    world.idle().await;
    assert_eq!(world.hooks.stats().waiting, 0);
}

/// What is sent by hand, or cancelled, while it is at the head.
#[tokio::test]
async fn a_head_may_be_cancelled_or_sent_by_hand() {
    let world = World::with(|options| options.retry.jitter = 0.0).await;
    let (receiver, noted) = noting(&world, |_, number, attempt| number < 2 && attempt < 2).await;
    subscribe(&world, &receiver.url(), r#"{"order": "strict", "retry": {"schedule": ["1h"]}}"#).await;
    let (first, second) = (emit(&world, "a", 0).await, emit(&world, "a", 1).await);
    for number in 2..5 {
        emit(&world, "a", number).await;
    }
    world.settled(&first, DeliveryStatus::Scheduled, 1).await;
    let id = world.delivery(&first).await.0.id;
    world.hooks.cancel_delivery(&Scope::All, id).await.unwrap();
    world.settled(&second, DeliveryStatus::Scheduled, 1).await;
    assert!(of(&noted, "a").is_empty());
    let id = world.delivery(&second).await.0.id;
    world.hooks.retry_delivery(&Scope::All, id).await.unwrap();
    until("the rest", || of(&noted, "a").len() == 4).await;
    assert_eq!(of(&noted, "a"), [1, 2, 3, 4]);
}

#[tokio::test]
async fn only_the_newest_of_a_quiet_key_is_sent() {
    let world = World::with(|options| options.retry.jitter = 0.0).await;
    let (receiver, noted) = noting(&world, |_, _, _| false).await;
    let id =
        subscribe(&world, &receiver.url(), r#"{"debounce": {"window": "10s", "max_wait": "25s"}}"#).await;
    let first = emit(&world, "a", 0).await;
    let other = emit(&world, "b", 7).await;
    world.pass(9 * SECOND, 3 * SECOND).await;
    emit(&world, "a", 1).await;
    world.pass(SECOND, SECOND).await;
    assert_eq!((of(&noted, "a"), of(&noted, "b")), (vec![], vec![7]), "quiet for 10 s is one of them");
    let world = world.crashed().await;
    world.pass(7 * SECOND, SECOND).await;
    let last = emit(&world, "a", 2).await;
    world.pass(7 * SECOND, SECOND).await;
    assert_eq!(of(&noted, "a"), Vec::<u64>::new());
    world.pass(SECOND, SECOND).await;
    assert_eq!(of(&noted, "a"), [2], "25 s after the first");
    let (gone, attempts) = world.settled(&first, DeliveryStatus::Cancelled, 0).await;
    let by = world.delivery(&last).await.0.id;
    assert_eq!((gone.reason, attempts.len()), (Some(format!("replaced by {by}")), 0));
    world.settled(&last, DeliveryStatus::Delivered, 1).await;
    world.settled(&other, DeliveryStatus::Delivered, 1).await;
    let mut bare = event("a", 9);
    bare.debounce_key = None;
    world.hooks.emit_batch(vec![bare]).await.unwrap();
    until("one without a key", || of(&noted, "a") == [2, 9]).await;
    world.idle().await;
    assert_eq!(world.hooks.stats().waiting, 0);
    assert_eq!(world.hooks.subscription(&Scope::All, id).await.unwrap().pending, 0);
}

/// One that failed is old once a newer one is there.
#[tokio::test]
async fn a_newer_one_takes_the_place_of_one_that_failed() {
    let world = World::with(|options| options.retry.jitter = 0.0).await;
    let (receiver, noted) =
        noting(&world, |_, number, attempt| number == 0 || number == 5 && attempt < 2).await;
    let debounce = r#"{"debounce": {"window": "1s", "key": "/key"}, "retry": {"schedule": ["1h", "1h"]}}"#;
    subscribe(&world, &receiver.url(), debounce).await;
    let failing = emit(&world, "a", 0).await;
    let later = emit(&world, "b", 5).await;
    world.pass(SECOND, SECOND).await;
    world.settled(&failing, DeliveryStatus::Scheduled, 1).await;
    world.settled(&later, DeliveryStatus::Scheduled, 1).await;
    emit(&world, "a", 1).await;
    world.pass(SECOND, SECOND).await;
    until("the newer one", || of(&noted, "a") == [1]).await;
    world.settled(&failing, DeliveryStatus::Cancelled, 1).await;
    world.pass(Duration::from_secs(3600), Duration::from_secs(1800)).await;
    until("the other one, at its time", || of(&noted, "b") == [5]).await;
}

/// The numbers in each batch that came, and its id.
fn batches(receiver: &Receiver) -> Vec<(String, Vec<u64>)> {
    let one = |asked: &Asked| {
        let body = json(asked);
        let members = body.as_array().unwrap();
        assert_eq!(asked.header("x-hook-batch").unwrap(), members.len().to_string());
        (asked.header("webhook-id").unwrap().to_owned(), members.iter().map(|one| data(one).1).collect())
    };
    receiver.delivered().iter().map(one).collect()
}

#[tokio::test]
async fn a_batch_is_full_or_its_first_has_waited() {
    let world = World::start().await;
    let receiver = Receiver::start(&world.clock, |_| answer(200, "")).await;
    subscribe(&world, &receiver.url(), r#"{"batch": {"max_events": 4, "max_wait": "5s"}}"#).await;
    let first = emit(&world, "a", 0).await;
    for number in 1..10 {
        emit(&world, "a", number).await;
    }
    until("two full ones", || receiver.delivered().len() == 2).await;
    world.pass(4 * SECOND, SECOND).await;
    assert_eq!(receiver.delivered().len(), 2);
    world.pass(SECOND, SECOND).await;
    let mut came = batches(&receiver);
    assert_eq!(came.pop().unwrap().1, [8, 9]);
    came.sort_by_key(|(_, members)| members[0]);
    assert_eq!([&came[0].1[..], &came[1].1[..]], [&[0, 1, 2, 3][..], &[4, 5, 6, 7]]);
    let (delivered, attempts) = world.settled(&first, DeliveryStatus::Delivered, 1).await;
    assert_eq!((delivered.sequence, attempts.len()), (1, 1));
    world.idle().await;
    assert_eq!(world.hooks.stats().waiting, 0);
}

#[tokio::test]
async fn a_batch_that_failed_is_sent_again_as_it_was() {
    let world = World::with(|options| options.retry.jitter = 0.0).await;
    let receiver = Receiver::start(&world.clock, |_| answer(503, "")).await;
    let batch =
        r#"{"batch": {"max_events": 3, "max_wait": "5s"}, "retry": {"schedule": ["1m", "1m", "1m"]}}"#;
    subscribe(&world, &receiver.url(), batch).await;
    let mut events = Vec::new();
    for number in 0..6 {
        events.push(emit(&world, "a", number).await);
    }
    until("two", || receiver.delivered().len() == 2).await;
    for event in &events {
        world.settled(event, DeliveryStatus::Scheduled, 1).await;
    }
    world.pass(30 * SECOND, 10 * SECOND).await;
    let world = world.crashed().await;
    world.idle().await;
    receiver.answers(|_| answer(200, ""));
    events.push(emit(&world, "a", 6).await);
    world.pass(5 * SECOND, SECOND).await;
    assert_eq!(batches(&receiver).last().unwrap().1, [6], "new ones wait for nobody");
    world.pass(Duration::from_secs(60), 10 * SECOND).await;
    for event in &events {
        world.becomes(event, DeliveryStatus::Delivered, if *event == events[6] { 1 } else { 2 }).await;
    }
    let came = batches(&receiver);
    assert_eq!(came.len(), 5);
    let again: HashMap<_, _> = came[3..].iter().cloned().collect();
    let before: HashMap<_, _> = came[..2].iter().cloned().collect();
    assert_eq!(again, before, "the same ids with the same events");
}

/// From one way to another: nothing is lost on the way.
#[tokio::test]
async fn what_waits_outlives_a_change_of_the_terms() {
    let world = World::with(|options| options.retry.jitter = 0.0).await;
    let receiver = Receiver::start(&world.clock, |_| answer(500, "")).await;
    let order = r#"{"order": "strict", "retry": {"schedule": ["1m", "1m", "1m", "1m", "1m"]}}"#;
    let id = subscribe(&world, &receiver.url(), order).await;
    let mut events = vec![emit(&world, "a", 0).await, emit(&world, "a", 1).await];
    world.settled(&events[0], DeliveryStatus::Scheduled, 1).await;
    for json in [
        r#"{"debounce": {"window": "10s"}}"#,
        r#"{"batch": {"max_events": 10, "max_wait": "10s"}}"#,
        r#"{"order": {"by": "order_key"}}"#,
        "{}",
    ] {
        let retry = terms(order).retry;
        let change = SubscriptionChange {
            terms: Terms { retry, ..terms(json) }.into(),
            ..SubscriptionChange::default()
        };
        world.hooks.change_subscription(&Scope::All, id, change, None).await.unwrap();
        events.push(emit(&world, "a", events.len()).await);
        world.idle().await;
    }
    receiver.answers(|_| answer(200, ""));
    world.pass(Duration::from_secs(180), 10 * SECOND).await;
    for event in &events {
        assert_eq!(world.delivery(event).await.0.status, DeliveryStatus::Delivered);
    }
    assert_eq!(world.hooks.stats().waiting, 0);
}
