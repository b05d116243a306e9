//! `intent` of a subscription and of an account, `activate/` and `handshake/`.

use std::time::Duration;

use http::Method;
use resthooks::model::{AccountSettings, Intent};
use serde_json::{Value, json};

use crate::harness::{App, Client, eventually};

const LIST: &str = "/api/v1/subscription/";
/// Nobody listens there.
const DEAD: &str = "http://example.com:9/";

async fn app(account: &str, intent: Intent) -> App {
    let app = App::start().await;
    let settings = AccountSettings { intent: Some(intent) };
    app.hooks.put_account(&account.parse().unwrap(), settings).await.unwrap();
    app
}

fn path(subscription: &Value) -> String {
    format!("{LIST}{}/", subscription["id"].as_str().unwrap())
}

/// A subscription whose target was asked once, in vain.
async fn asked(client: &Client, intent: &str) -> Value {
    let body = json!({"target_url": DEAD, "event": "a.b", "intent": intent});
    let made = client.post(LIST, body).await.expect(201).json();
    let handshake = format!("{}handshake/", path(&made));
    eventually(|| async {
        let shown = client.get(&handshake).await.expect(200).json();
        (shown["attempt_count"] == 1).then_some(())
    })
    .await;
    client.get(&path(&made)).await.expect(200).json()
}

#[tokio::test]
async fn a_handshake_is_read_and_asked_for_anew() {
    let app = app("acme", Intent::None).await;
    let consumer = app.consumer("acme").await;
    for intent in ["echo", "challenge", "options"] {
        let pending = asked(&consumer, intent).await;
        assert_eq!((&pending["status"], &pending["intent"]), (&json!("pending"), &json!(intent)));
        let shown = consumer.get(&format!("{}handshake/", path(&pending))).await.expect(200).json();
        let attempt = &shown["attempts"][0];
        assert_eq!((&attempt["number"], &attempt["error"]), (&json!(1), &json!("refused")));
        for name in ["begun_at", "expires_at", "next_attempt_at"] {
            assert!(shown[name].is_string(), "{name} in {shown}");
        }
        assert_eq!((&shown["confirmed_at"], &shown["grant"]), (&Value::Null, &Value::Null));
        assert_eq!(shown["status_reason"], pending["status_reason"]);
        assert!(!shown.to_string().contains("secret\":\""), "{shown}");
        let anew =
            consumer.call(Method::POST, &format!("{}activate/", path(&pending)), None).await.expect(200);
        assert_eq!(anew.json()["status"], "pending");
        let soon =
            consumer.call(Method::POST, &format!("{}activate/", path(&pending)), None).await.expect(429);
        assert_eq!((soon.code(), soon.header("retry-after")), ("asked_too_soon".to_owned(), Some("5")));
        consumer.post(&format!("{}activate/", path(&pending)), json!({"x": 1})).await.expect(422);
    }
    let free = consumer.post(LIST, json!({"target_url": DEAD, "event": "a.b"})).await.expect(201).json();
    let shown = consumer.get(&format!("{}handshake/", path(&free))).await.expect(200).json();
    assert_eq!((&shown["intent"], &shown["attempts"]), (&json!("none"), &json!([])));
}

#[tokio::test]
async fn what_was_read_of_a_pending_one_can_be_put_back() {
    let app = app("acme", Intent::Echo).await;
    let consumer = app.consumer("acme").await;
    let pending = asked(&consumer, "echo").await;
    let put = consumer.put(&path(&pending), pending.clone()).await.expect(200).json();
    // `active` is false, and read literally: it is to be paused.
    assert_eq!(put["status"], "pending");
    assert!(put["status_reason"].as_str().unwrap().contains("paused once it is confirmed"), "{put}");
    let active = consumer.patch(&path(&pending), json!({"active": true})).await.expect(200).json();
    assert_eq!(active["status_reason"], pending["status_reason"]);
    for (body, field) in [
        (json!({"intent": null}), "intent"),
        (json!({"intent": "ECHO"}), "intent"),
        (json!({"intent": 1}), "intent"),
        (json!({"intent": "none"}), "intent"),
        (json!({"intent_confirmed_at": "2026-01-01T00:00:00Z"}), "intent_confirmed_at"),
    ] {
        let refused = consumer.patch(&path(&pending), body.clone()).await.expect(422);
        assert_eq!(refused.fields(), [field], "{body}");
    }
    let given = json!({"target_url": DEAD, "event": "a.b", "intent_confirmed_at": "2026-01-01T00:00:00Z"});
    assert_eq!(consumer.post(LIST, given).await.expect(422).fields(), ["intent_confirmed_at"]);
}

#[tokio::test]
async fn everything_wrong_is_named_with_the_intent() {
    let app = app("acme", Intent::Echo).await;
    let consumer = app.consumer("acme").await;
    let body = json!({"target_url": DEAD, "event": "a.b", "intent": "none", "max_in_flight": 0});
    let mut fields = consumer.post(LIST, body).await.expect(422).fields();
    fields.sort();
    assert_eq!(fields, ["intent", "max_in_flight"]);
}

#[tokio::test]
async fn a_limited_key_may_neither_look_nor_confirm() {
    let app = app("acme", Intent::Echo).await;
    let pending = asked(&app.consumer("acme").await, "echo").await;
    let made = app.provider().post("/api/v1/api-key/", json!({"account": "acme", "scopes": ["read"]})).await;
    let reader = app.with_key(made.expect(201).json()["key"].as_str().unwrap());
    reader.get(&format!("{}handshake/", path(&pending))).await.expect(403);
    reader.call(Method::POST, &format!("{}activate/", path(&pending)), None).await.expect(403);
    let stranger = app.consumer("stranger").await;
    stranger.get(&format!("{}handshake/", path(&pending))).await.expect(404);
    stranger.call(Method::POST, &format!("{}activate/", path(&pending)), None).await.expect(404);
}

#[tokio::test]
async fn an_account_is_set_before_and_while_it_holds_anything() {
    let app = App::start().await;
    let provider = app.provider();
    let set = provider.put("/api/v1/account/new/", json!({"intent": "options"})).await.expect(200).json();
    assert_eq!(
        (&set["id"], &set["intent"], &set["subscriptions"]),
        (&json!("new"), &json!("options"), &json!(0))
    );
    assert_eq!(provider.get("/api/v1/account/new/").await.expect(200).json(), set);
    assert_eq!(provider.get("/api/v1/account/").await.expect(200).data(), [set]);
    assert_eq!(
        provider.put("/api/v1/account/new/", json!({})).await.expect(200).json()["intent"],
        Value::Null
    );
    for (body, field) in [(json!({"intent": "maybe"}), "intent"), (json!({"intents": "none"}), "intents")] {
        assert_eq!(provider.put("/api/v1/account/new/", body).await.expect(422).fields(), [field]);
    }
    provider.put("/api/v1/account/new/", json!({"intent": "echo"})).await.expect(200);
    provider.delete("/api/v1/account/new/").await.expect(204);
    let made = app.consumer("new").await.post(LIST, json!({"target_url": DEAD, "event": "a.b"})).await;
    assert_eq!(made.expect(201).json()["status"], "active", "what was set went with the account");
}

#[tokio::test]
async fn metrics_tell_how_many_wait_and_what_came_of_asking() {
    let app = app("acme", Intent::Echo).await;
    let consumer = app.consumer("acme").await;
    let sample = async |name: &str| -> u64 {
        let page = app.anonymous().get("/metrics").await.expect(200).text();
        let of = |line: &str| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok();
        page.lines().find_map(of).unwrap_or_else(|| panic!("no {name} in {page}"))
    };
    let mut made = Vec::new();
    for _ in 0..3 {
        made.push(asked(&consumer, "echo").await);
        app.clock.advance(Duration::from_secs(1));
    }
    app.provider()
        .post(LIST, json!({"account": "free", "target_url": DEAD, "event": "a.b"}))
        .await
        .expect(201);
    assert_eq!(sample("resthooks_subscriptions").await, 4);
    assert_eq!(sample("resthooks_subscriptions_pending").await, 3);
    assert_eq!(sample("resthooks_handshakes_total{outcome=\"failed\"}").await, 3);
    assert_eq!(sample("resthooks_handshakes_total{outcome=\"confirmed\"}").await, 0);
    eventually(|| async { (sample("resthooks_handshakes_in_flight").await == 0).then_some(()) }).await;
    consumer.delete(&path(&made[0])).await.expect(204);
    assert_eq!(sample("resthooks_subscriptions_pending").await, 2);
    app.provider().patch(&path(&made[1]), json!({"intent": "none"})).await.expect(200);
    assert_eq!(sample("resthooks_subscriptions_pending").await, 1);
    app.clock.advance(Duration::from_secs(86_400));
    eventually(|| async { (sample("resthooks_subscriptions_unconfirmed_total").await == 1).then_some(()) })
        .await;
    assert_eq!(sample("resthooks_subscriptions_pending").await, 0);
    assert_eq!(sample("resthooks_subscriptions").await, 2);
}
