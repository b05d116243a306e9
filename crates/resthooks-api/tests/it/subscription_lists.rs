//! `GET /subscription/`, also when there are many.

use std::time::Instant;

use resthooks::NewSubscription;
use resthooks::model::AccountId;
use serde_json::{Value, json};

use crate::harness::App;

const LIST: &str = "/api/v1/subscription/";

fn ids(items: &[Value]) -> Vec<String> {
    items.iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn parts_follow_each_other_while_rows_come_and_go() {
    let app = App::start().await;
    let provider = app.provider();
    let mut made = Vec::new();
    for n in 0..7 {
        app.clock.advance(std::time::Duration::from_millis(5));
        made.push(provider.subscribe("acme", "a.b", &format!("https://example.com/{n}")).await);
    }
    made.reverse();
    let made = ids(&made);
    let first = provider.get(&format!("{LIST}?limit=3&account=acme")).await.expect(200);
    assert_eq!(ids(&first.data()), made[..3]);
    let cursor = first.json()["next_cursor"].as_str().unwrap().to_owned();
    let link = first.header("link").unwrap();
    assert_eq!(link, format!("<{LIST}?limit=3&account=acme&cursor={cursor}>; rel=\"next\""));
    // One comes, and the one that the cursor stands for goes.
    provider.subscribe("acme", "a.b", "https://example.com/new").await;
    provider.delete(&format!("{LIST}{}/", made[2])).await.expect(204);
    let second = provider.get(&format!("{LIST}?limit=3&account=acme&cursor={cursor}")).await.expect(200);
    assert_eq!(ids(&second.data()), made[3..6]);
    let cursor = second.json()["next_cursor"].as_str().unwrap().to_owned();
    let last = provider.get(&format!("{LIST}?limit=3&account=acme&cursor={cursor}")).await.expect(200);
    assert_eq!(ids(&last.data()), made[6..]);
    assert_eq!(last.json()["next_cursor"], json!(null));
    assert!(last.header("link").is_none());
}

#[tokio::test]
async fn lists_are_filtered() {
    let app = App::start().await;
    let provider = app.provider();
    let one = provider.subscribe("acme", "a.b", "https://example.com/1").await;
    let two = provider.subscribe("acme", "a.*", "https://example.com/2").await;
    let three = provider.subscribe("other", "a.b", "https://example.com/1").await;
    provider
        .patch(&format!("{LIST}{}/", two["id"].as_str().unwrap()), json!({"active": false}))
        .await
        .expect(200);
    for (query, wanted) in [
        ("", vec![&three, &two, &one]),
        ("?account=acme", vec![&two, &one]),
        ("?status=paused", vec![&two]),
        ("?status=gone", vec![]),
        ("?event=a.b", vec![&three, &one]),
        ("?event=a.*", vec![&two]),
        ("?target_url=https://example.com/1", vec![&three, &one]),
        ("?target_url=https://example.com/1&account=acme", vec![&one]),
        ("?account=nobody", vec![]),
    ] {
        let mut found = ids(&provider.get(&format!("{LIST}{query}")).await.expect(200).data());
        let mut wanted: Vec<_> = wanted.into_iter().map(|s| s["id"].as_str().unwrap().to_owned()).collect();
        found.sort();
        wanted.sort();
        assert_eq!(found, wanted, "{query}");
    }
    for (query, field) in [
        ("?status=deleted", "status"),
        ("?limit=0", "limit"),
        ("?limit=251", "limit"),
        ("?limit=x", "limit"),
        ("?cursor=nonsense", "cursor"),
        ("?event=a", "event"),
        ("?target_url=x", "target_url"),
        ("?account=a/b", "account"),
        ("?other=1", "other"),
        ("?status=active&status=paused", "status"),
    ] {
        assert_eq!(provider.get(&format!("{LIST}{query}")).await.expect(422).fields(), [field], "{query}");
    }
}

/// Must hold: 10,000 subscriptions of one account are listed and matched quickly.
#[tokio::test]
async fn ten_thousand_subscriptions_of_one_account() {
    let app = App::start().await;
    let account: AccountId = "acme".parse().unwrap();
    for n in 0..10_000 {
        let event = if n == 5000 { "rare.event".to_owned() } else { format!("kind{}.create", n % 100) };
        let new = NewSubscription {
            events: vec![event.parse().unwrap()],
            target_url: format!("http://127.0.0.1:9/{n}").parse().unwrap(),
            active: false,
            description: None,
            metadata: None,
            payload: Default::default(),
            headers: Default::default(),
            terms: Default::default(),
            secret: None,
            signature: None,
            intent: None,
        };
        app.hooks.create_subscription(&account, new).await.unwrap();
    }
    let consumer = app.consumer("acme").await;
    let timer = Timer::start("first page of 250");
    assert_eq!(consumer.get(&format!("{LIST}?limit=250")).await.expect(200).data().len(), 250);
    timer.within(5000);

    let timer = Timer::start("all 40 pages");
    let mut path = format!("{LIST}?limit=250");
    let mut count = 0;
    loop {
        let answer = consumer.get(&path).await.expect(200);
        count += answer.data().len();
        let Some(cursor) = answer.json()["next_cursor"].as_str().map(str::to_owned) else { break };
        path = format!("{LIST}?limit=250&cursor={cursor}");
    }
    assert_eq!(count, 10_000);
    timer.within(30_000);

    let timer = Timer::start("by target");
    let found = consumer.get(&format!("{LIST}?target_url=http://127.0.0.1:9/77")).await.expect(200);
    assert_eq!(found.data().len(), 1);
    timer.within(5000);

    let timer = Timer::start("event that matches one");
    assert_eq!(app.provider().emit("acme", "rare.event", json!(1)).await["matched"], 1);
    timer.within(5000);

    let timer = Timer::start("event that matches a hundred");
    let receipt = app.provider().emit("acme", "kind7.create", json!(1)).await;
    assert_eq!(receipt["matched"], 100);
    timer.within(5000);

    let timer = Timer::start("what became of it");
    let id = receipt["id"].as_str().unwrap();
    let became = consumer.get(&format!("/api/v1/event/{id}/delivery/?limit=250")).await.expect(200);
    assert_eq!(became.data().len(), 100);
    timer.within(5000);
}

/// Generous bounds for a debug build on a busy machine: they tell a scan per row from an index, no more.
struct Timer {
    what: &'static str,
    start: Instant,
}

impl Timer {
    #[expect(clippy::disallowed_methods, reason = "what is measured is real time")]
    fn start(what: &'static str) -> Self {
        Self { what, start: Instant::now() }
    }

    fn within(self, millis: u128) {
        let took = self.start.elapsed();
        println!("{}: {took:?}", self.what);
        assert!(took.as_millis() <= millis, "{} took {took:?}", self.what);
    }
}
