//! `/subscription/` and `/subscription/:id/…`

use serde_json::{Value, json};

use crate::harness::{App, Target};

const LIST: &str = "/api/v1/subscription/";

fn path(subscription: &Value) -> String {
    format!("{LIST}{}/", subscription["id"].as_str().unwrap())
}

#[tokio::test]
async fn subscribing_answers_the_whole_resource() {
    let app = App::start().await;
    let consumer = app.consumer("acme").await;
    let body = json!({"target_url": "https://EXAMPLE.com/hooks", "event": "contact.create"});
    let made = consumer.post(LIST, body).await.expect(201);
    let resource = made.json();
    assert_eq!(made.header("location"), Some(path(&resource).as_str()));
    assert!(resource["secret"].as_str().unwrap().starts_with("whsec_"));
    let mut wanted = json!({
        "id": resource["id"], "account": "acme", "event": "contact.create", "events": ["contact.create"],
        "target_url": "https://example.com/hooks", "active": true, "status": "active", "status_reason": null,
        "secret": resource["secret"], "signature": "v1", "public_key": null, "created_at": resource["created_at"], "updated_at": resource["updated_at"],
        "description": null, "metadata": null, "payload": "full", "headers": {}, "intent": "none",
        "intent_confirmed_at": null, "filter": null, "retry": null, "timeout": null, "rate_limit": null, "max_in_flight": null, "order": null, "on_blocked": null, "batch": null,
        "debounce": null, "expires_at": null, "last_success_at": null, "last_failure_at": null,
        "failing_since": null, "consecutive_failures": 0, "pending": 0, "circuit": "closed"
    });
    assert_eq!(resource, wanted);
    wanted.as_object_mut().unwrap().remove("secret");
    assert_eq!(consumer.get(&path(&resource)).await.expect(200).json(), wanted);
    assert_eq!(consumer.get(LIST).await.expect(200).data(), [wanted]);
}

#[tokio::test]
async fn the_target_has_other_names() {
    let app = App::start().await;
    let consumer = app.consumer("acme").await;
    for name in ["target_url", "target", "url", "hookUrl"] {
        let made =
            consumer.post(LIST, json!({name: "https://example.com/h", "event": "*"})).await.expect(201);
        assert_eq!(made.json()["target_url"], "https://example.com/h");
    }
    let same = json!({"url": "https://example.com/h", "target": "https://example.com/h", "events": "a.*"});
    assert_eq!(consumer.post(LIST, same).await.expect(201).json()["event"], "a.*");
    let two = json!({"url": "https://example.com/h", "target": "https://example.com/i", "event": "*"});
    assert_eq!(consumer.post(LIST, two).await.expect(422).fields(), ["url"]);
}

#[tokio::test]
async fn events_are_one_or_several() {
    let app = App::start().await;
    let consumer = app.consumer("acme").await;
    let with = |extra: Value| {
        let mut body = json!({"url": "https://example.com/h"});
        body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        body
    };
    let made =
        consumer.post(LIST, with(json!({"events": ["a.b", "c.*"], "event": "a.b"}))).await.expect(201).json();
    assert_eq!((&made["event"], &made["events"]), (&json!("a.b"), &json!(["a.b", "c.*"])));
    for (extra, field) in [
        (json!({}), "event"),
        (json!({"event": ["a.b"]}), "event"),
        (json!({"event": "a"}), "event"),
        (json!({"event": "a.b", "events": ["c.d"]}), "event"),
        (json!({"events": ["a.b", "c"]}), "events[1]"),
        (json!({"events": []}), "events"),
        (json!({"events": ["a.b", "a.b"]}), "events"),
        (json!({"events": vec!["a.b"; 101]}), "events"),
        (json!({"event": "a".repeat(127) + ".b"}), "event"),
    ] {
        let refused = consumer.post(LIST, with(extra.clone())).await.expect(422);
        assert!(refused.fields()[0].starts_with(field), "{extra}: {}", refused.text());
    }
}

#[tokio::test]
async fn bad_targets_are_refused() {
    let app = App::start().await;
    let consumer = app.consumer("acme").await;
    let long = format!("https://example.com/{}", "a".repeat(2048));
    for target in [
        "",
        "example.com",
        "/hooks",
        "ftp://example.com/",
        "https://",
        "https://user@example.com/",
        "https://user:pass@example.com/",
        "https://example.com/#x",
        "https://exa mple.com/",
        "mailto:a@b.c",
        "https://example.com:99999/",
        "https://[::1/",
        "https://xn--a/",
        long.as_str(),
    ] {
        let refused = consumer.post(LIST, json!({"target_url": target, "event": "*"})).await.expect(422);
        assert_eq!(refused.fields(), ["target_url"], "{target}");
    }
    let idna = json!({"target_url": "https://bücher.example/", "event": "*"});
    assert_eq!(
        consumer.post(LIST, idna).await.expect(201).json()["target_url"],
        "https://xn--bcher-kva.example/"
    );
}

#[tokio::test]
async fn everything_wrong_is_named_at_once() {
    let app = App::start().await;
    let body = json!({
        "target_url": "ftp://x/", "event": "a", "active": "yes", "description": 5, "metadata": [], "payload": "xml",
        "headers": {"x-a": 1}, "secret": "short", "intent": "loud", "max_in_flight": -1, "filter": {}, "retry": {},
        "rate_limit": 1, "order": "loose", "batch": {}, "debounce": "5s", "expires_at": "soon", "timeout": 5,
        "nonsense": 1
    });
    let refused = app.consumer("acme").await.post(LIST, body).await.expect(422);
    let mut fields = refused.fields();
    fields.sort();
    let mut wanted = [
        "target_url",
        "event",
        "active",
        "description",
        "metadata",
        "payload",
        "headers.x-a",
        "secret",
        "intent",
        "max_in_flight",
        "filter",
        "retry",
        "rate_limit",
        "order",
        "batch",
        "debounce",
        "expires_at",
        "timeout",
        "nonsense",
    ];
    wanted.sort_unstable();
    assert_eq!(fields, wanted);
    assert!(refused.text().contains("is not supported yet"));
    let payload = json!({"url": "https://example.com/", "event": "*", "payload": {"template": "x"}});
    assert_eq!(app.consumer("acme").await.post(LIST, payload).await.expect(422).fields(), ["payload"]);
}

#[tokio::test]
async fn the_provider_names_the_account() {
    let app = App::start().await;
    let provider = app.provider();
    let body = json!({"url": "https://example.com/h", "event": "*"});
    assert_eq!(provider.post(LIST, body.clone()).await.expect(422).fields(), ["account"]);
    let made = provider.post(&format!("{LIST}?account=acme"), body).await.expect(201).json();
    assert_eq!(made["account"], "acme");
    let both = json!({"url": "https://example.com/h", "event": "*", "account": "acme"});
    provider.post(&format!("{LIST}?account=acme"), both.clone()).await.expect(201);
    assert_eq!(provider.post(&format!("{LIST}?account=b"), both).await.expect(422).fields(), ["account"]);
    provider.get(&format!("{}?account=other", path(&made))).await.expect(404);
    provider.get(&format!("{}?account=acme", path(&made))).await.expect(200);
}

#[tokio::test]
async fn what_was_read_can_be_put_back() {
    let app = App::start().await;
    let consumer = app.consumer("acme").await;
    let body = json!({
        "url": "https://example.com/h", "event": "a.b", "description": "d", "metadata": {"k": [1, null]},
        "payload": "skinny", "headers": {"Authorization": "Bearer t", "x-team": "red"}, "max_in_flight": 3,
        "retry": {"schedule": ["5s", "1m"], "statuses": ["429", "5xx"]}, "timeout": "30s",
        "rate_limit": {"limit": 5, "per": "second"}, "expires_at": "2030-01-01T00:00:00Z"
    });
    let made = consumer.post(LIST, body).await.expect(201).json();
    assert_eq!(made["headers"], json!({"authorization": "***", "x-team": "red"}));
    let path = path(&made);
    let read = consumer.get(&path).await.expect(200).json();
    let mut changed = read.clone();
    changed["active"] = json!(false);
    let put = consumer.put(&path, changed).await.expect(200).json();
    assert_eq!((&put["status"], &put["active"]), (&json!("paused"), &json!(false)));
    for name in [
        "description",
        "metadata",
        "payload",
        "headers",
        "max_in_flight",
        "events",
        "retry",
        "timeout",
        "rate_limit",
        "expires_at",
    ] {
        assert_eq!(put[name], read[name], "{name}");
    }
    // Stale or foreign read-only values are not dropped silently.
    for (name, value) in [("id", json!("sub_x")), ("status", json!("gone")), ("created_at", json!(null))] {
        let mut wrong = consumer.get(&path).await.json();
        wrong[name] = value;
        assert_eq!(consumer.put(&path, wrong).await.expect(422).fields(), [name]);
    }
    let mut counted = consumer.get(&path).await.json();
    counted["pending"] = json!(99);
    consumer.put(&path, counted).await.expect(200);
    assert_eq!(consumer.patch(&path, json!({"pending": 99})).await.expect(422).fields(), ["pending"]);
    assert_eq!(consumer.post(LIST, read).await.expect(422).fields()[0], "id");
    // What is left out is set to its default.
    let put =
        consumer.put(&path, json!({"url": "https://example.com/h", "event": "a.b"})).await.expect(200).json();
    assert_eq!(
        (&put["status"], &put["description"], &put["headers"]),
        (&json!("active"), &json!(null), &json!({}))
    );
}

#[tokio::test]
async fn a_patch_changes_what_it_names() {
    let app = App::start().await;
    let consumer = app.consumer("acme").await;
    let made = consumer
        .post(LIST, json!({"url": "https://example.com/h", "event": "a.b", "headers": {"x-key": "k"}}))
        .await
        .expect(201)
        .json();
    let path = path(&made);
    let read = consumer.get(&path).await.json();
    assert_eq!(consumer.patch(&path, json!({})).await.expect(200).json()["events"], read["events"]);
    let change =
        json!({"description": "new", "headers": {"X-Key": "***", "x-more": "m"}, "events": ["a.b", "c.d"]});
    let changed = consumer.patch(&path, change).await.expect(200).json();
    assert_eq!(changed["description"], "new");
    assert_eq!(changed["headers"], json!({"x-key": "***", "x-more": "m"}));
    assert_eq!(changed["target_url"], read["target_url"]);
    let cleared =
        consumer.patch(&path, json!({"description": null, "headers": null})).await.expect(200).json();
    assert_eq!((&cleared["description"], &cleared["headers"]), (&json!(null), &json!({})));
    let masked = consumer.patch(&path, json!({"headers": {"x-key": "***"}})).await.expect(422);
    assert_eq!(masked.fields(), ["headers.x-key"]);
    let nulls = json!({
        "target_url": null, "event": null, "active": null, "secret": null, "signature": null, "account": null
    });
    let mut fields = consumer.patch(&path, nulls).await.expect(422).fields();
    fields.sort();
    assert_eq!(fields, ["account", "active", "event", "secret", "signature", "target_url"]);
}

#[tokio::test]
async fn ending_can_be_repeated() {
    let app = App::start().await;
    let consumer = app.consumer("acme").await;
    let made =
        consumer.post(LIST, json!({"url": "https://example.com/h", "event": "a.b"})).await.expect(201).json();
    let path = path(&made);
    consumer.delete(&path).await.expect(204);
    consumer.delete(&path).await.expect(204);
    consumer.get(&path).await.expect(404);
    consumer.patch(&path, json!({"active": true})).await.expect(404);
    consumer.delete("/api/v1/subscription/sub_01k6x8t1m2n3p4q5r6s7t8v9wa/").await.expect(404);
    consumer.delete("/api/v1/subscription/nonsense/").await.expect(404);
    assert!(consumer.get(LIST).await.data().is_empty());
}

#[tokio::test]
async fn ending_by_target() {
    let app = App::start().await;
    let consumer = app.consumer("acme").await;
    let target = "https://example.com/h?x=1&y=2";
    for event in ["a.b", "a.b", "c.d"] {
        consumer.post(LIST, json!({"url": target, "event": event})).await.expect(201);
    }
    app.provider().subscribe("other", "a.b", target).await;
    assert_eq!(consumer.delete(LIST).await.expect(422).fields(), ["target_url"]);
    let query = "?target_url=https%3A%2F%2Fexample.com%2Fh%3Fx%3D1%26y%3D2";
    assert_eq!(app.provider().delete(&format!("{LIST}{query}")).await.expect(422).fields(), ["account"]);
    consumer.delete(&format!("{LIST}{query}&event=a.b")).await.expect(204);
    assert_eq!(consumer.get(LIST).await.data().len(), 1);
    consumer.delete(&format!("{LIST}{query}")).await.expect(204);
    consumer.delete(&format!("{LIST}{query}")).await.expect(204);
    assert!(consumer.get(LIST).await.data().is_empty());
    assert_eq!(app.provider().get(LIST).await.data().len(), 1);
}

#[tokio::test]
async fn secrets_are_read_rotated_and_given() {
    let app = App::start().await;
    let consumer = app.consumer("acme").await;
    let own = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
    let made = consumer
        .post(LIST, json!({"url": "https://example.com/h", "event": "a.b", "secret": own}))
        .await
        .expect(201)
        .json();
    let path = path(&made);
    let read = consumer.get(&format!("{path}secret/")).await.expect(200);
    assert_eq!(read.json(), json!({"secret": own, "public_key": null, "previous": null}));
    assert_eq!(read.header("cache-control"), Some("no-store"));
    let rotate = format!("{path}rotate-secret/");
    let rotated = consumer.post(&rotate, json!({"grace_seconds": 60})).await.expect(200).json();
    assert_ne!(rotated["secret"], own);
    let again = consumer.call(http::Method::POST, &rotate, None).await.expect(200).json();
    assert_ne!(again["secret"], rotated["secret"]);
    assert_eq!(consumer.get(&format!("{path}secret/")).await.json()["secret"], again["secret"]);
    for bad in [json!(-1), json!(1.5), json!("60s"), json!(2_592_001)] {
        let refused = consumer.post(&rotate, json!({"grace_seconds": bad})).await.expect(422);
        assert_eq!(refused.fields(), ["grace_seconds"]);
    }
}

#[tokio::test]
async fn a_ping_answers_what_came_of_it() {
    let app = App::start().await;
    let target = Target::start().await;
    let made = app.provider().subscribe("acme", "a.b", &target.url).await;
    let consumer = app.consumer("acme").await;
    let ping = format!("{}ping/", path(&made));
    let outcome = consumer.call(http::Method::POST, &ping, None).await.expect(200).json();
    assert_eq!((&outcome["status"], &outcome["status_code"]), (&json!("delivered"), &json!(200)));
    assert_eq!((&outcome["response_body"], &outcome["error"]), (&json!("thanks"), &json!(null)));
    assert_eq!(outcome["response_headers"]["x-seen"], json!(["yes"]));
    assert!(outcome["duration_ms"].is_number());
    assert_eq!(target.received.lock().unwrap().len(), 1);
    *target.status.lock().unwrap() = http::StatusCode::INTERNAL_SERVER_ERROR;
    let outcome = consumer.post(&ping, json!({})).await.expect(200).json();
    assert_eq!((&outcome["status"], &outcome["status_code"]), (&json!("failed"), &json!(500)));
    assert_eq!(consumer.post(&ping, json!({"x": 1})).await.expect(422).fields(), ["x"]);
}
