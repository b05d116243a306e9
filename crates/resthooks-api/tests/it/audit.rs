//! `/audit/`

use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};

use crate::harness::{App, Target, eventually};

async fn trail(app: &App, query: &str) -> Vec<Value> {
    app.provider().get(&format!("/api/v1/audit/{query}")).await.expect(200).data()
}

type Told = (String, String, Value);

fn told(entry: &Value) -> Told {
    let text = |name: &str| entry[name].as_str().unwrap().to_owned();
    (text("action"), text("actor"), entry["changed"].clone())
}

/// What the trail says, the oldest first.
async fn story(app: &App, query: &str) -> Vec<Told> {
    trail(app, query).await.iter().rev().map(told).collect()
}

/// Lets time pass: entries of one moment have no order.
fn tick(app: &App) {
    app.clock.advance(Duration::from_millis(10));
}

/// Every change through the API stands in the trail as its caller's, and what changed nothing does not.
#[tokio::test]
async fn changes_are_told_with_who_made_them() {
    let app = App::start().await;
    let made = app.provider().post("/api/v1/api-key/", json!({"account": "acme"})).await.expect(201).json();
    let key = made["id"].as_str().unwrap().to_owned();
    let consumer = app.with_key(made["key"].as_str().unwrap());
    let subscription = consumer.subscribe("acme", "a.b", "https://example.com/hooks").await;
    let id = subscription["id"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/subscription/{id}/");
    let other = "https://example.com/other";
    let change = json!({"description": "x", "target_url": other, "headers": {"x-a": "b"}});
    for body in [change.clone(), change, json!({"active": false})] {
        tick(&app);
        consumer.patch(&path, body).await.expect(200);
    }
    tick(&app);
    consumer.post(&format!("{path}rotate-secret/"), json!({"grace_seconds": 60})).await.expect(200);
    consumer.get(&path).await.expect(200);
    for _ in 0..2 {
        tick(&app);
        consumer.delete(&path).await.expect(204);
    }
    let told = |action: &str, changed: Value| (action.to_owned(), format!("key:{key}"), changed);
    assert_eq!(
        story(&app, &format!("?object={id}")).await,
        [
            told("subscription.created", json!([])),
            told("subscription.updated", json!(["target_url", "description", "headers"])),
            told("subscription.updated", json!(["active"])),
            told("subscription.secret_rotated", json!(["secret"])),
            told("subscription.deleted", json!([])),
        ]
    );
    let all = Value::from(trail(&app, "").await).to_string();
    assert!(!all.contains("whsec_") && !all.contains("rhk_") && !all.contains(other), "{all}");
}

#[tokio::test]
async fn the_providers_changes_are_told_too() {
    let app = App::start().await;
    let provider = app.provider();
    let admin = trail(&app, "?action=api_key.created").await.remove(0);
    assert_eq!((&admin["actor"], &admin["account"]), (&json!("application"), &json!(null)));
    let actor = format!("key:{}", admin["object"].as_str().unwrap());
    let told = |action: &str, changed: Value| (action.to_owned(), actor.clone(), changed);

    let path = "/api/v1/event-type/x.y/";
    for (body, status) in
        [(json!({}), 201), (json!({}), 200), (json!({"description": "d", "archived": true}), 200)]
    {
        provider.put(path, body).await.expect(status);
        tick(&app);
    }
    provider.delete(path).await.expect(204);
    provider.delete(path).await.expect(404);
    assert_eq!(
        story(&app, "?object=x.y").await,
        [
            told("event_type.created", json!([])),
            told("event_type.updated", json!(["description", "archived"])),
            told("event_type.deleted", json!([])),
        ]
    );

    let made = provider.post("/api/v1/api-key/", json!({"account": "acme"})).await.expect(201).json();
    tick(&app);
    provider.delete(&format!("/api/v1/api-key/{}/", made["id"].as_str().unwrap())).await.expect(204);
    let keys = [told("api_key.created", json!([])), told("api_key.revoked", json!([]))];
    assert_eq!(story(&app, "?account=acme").await, keys);

    provider.emit("acme", "first.seen", json!(1)).await;
    let first = trail(&app, "?object=first.seen").await.remove(0);
    assert_eq!(
        (&first["actor"], &first["reason"]),
        (&json!(actor), &json!("registered with its first event"))
    );

    tick(&app);
    provider.delete("/api/v1/account/acme/").await.expect(204);
    provider.delete("/api/v1/account/acme/").await.expect(404);
    let [one, other] = keys;
    let all = [one, other, told("account.deleted", json!([]))];
    assert_eq!(story(&app, "?account=acme").await, all, "what was told of an account stays");
}

/// A 410 is nobody's doing but the engine's.
#[tokio::test]
async fn what_the_engine_does_is_the_systems() {
    let app = App::start().await;
    let target = Target::start().await;
    *target.status.lock().unwrap() = StatusCode::GONE;
    app.provider().subscribe("acme", "a.b", &target.url).await;
    app.provider().emit("acme", "a.b", json!(1)).await;
    let gone = eventually(async || trail(&app, "?actor=system").await.pop()).await;
    assert_eq!((&gone["action"], &gone["account"]), (&json!("subscription.gone"), &json!("acme")));
    assert_eq!(gone["reason"], "the target answered 410");
}

#[tokio::test]
async fn the_trail_is_read_in_pages_and_by_filters() {
    let app = App::start().await;
    for n in 0..5 {
        app.clock.advance(Duration::from_secs(1));
        app.provider().put(&format!("/api/v1/event-type/a.t{n}/"), json!({})).await.expect(201);
    }
    let names = |entries: &[Value]| -> Vec<String> {
        entries.iter().map(|entry| entry["object"].as_str().unwrap().to_owned()).collect()
    };
    let page = app.provider().get("/api/v1/audit/?limit=2&action=event_type.created").await.expect(200);
    assert_eq!(names(&page.data()), ["a.t4", "a.t3"]);
    let cursor = page.json()["next_cursor"].as_str().unwrap().to_owned();
    let rest = trail(&app, &format!("?action=event_type.created&cursor={cursor}")).await;
    assert_eq!(names(&rest), ["a.t2", "a.t1", "a.t0"]);
    let (since, until) = (rest[1]["at"].as_str().unwrap(), rest[0]["at"].as_str().unwrap());
    assert_eq!(names(&trail(&app, &format!("?since={since}&until={until}")).await), ["a.t1"]);
    assert_eq!(trail(&app, &format!("?until={since}")).await.len(), 2, "the first type and the admin key");
    for (query, field) in [
        ("action=subscription.eaten", "action"),
        ("since=yesterday", "since"),
        ("object=a&object=b", "object"),
        ("who=me", "who"),
        ("cursor=key_01k6x8t1m2n3p4q5r6s7t8v9wa", "cursor"),
    ] {
        let refused = app.provider().get(&format!("/api/v1/audit/?{query}")).await.expect(422);
        assert_eq!(refused.fields(), [field]);
    }
    app.consumer("acme").await.get("/api/v1/audit/").await.expect(403);
}
