//! `POST /verify/`: what is told of hooks that were really sent, to whom, and of what was not understood.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use http::{HeaderMap, Method};
use resthooks_api::{Caller, consumer_router};
use serde_json::{Value, json};

use crate::harness::{App, Client, Target, eventually};

const PATH: &str = "/api/v1/verify/";

/// A hook as a target got it.
struct Hook {
    subscription: String,
    headers: Value,
    body: Vec<u8>,
}

impl Hook {
    fn asked(&self) -> Value {
        json!({"subscription": self.subscription, "headers": self.headers, "body": STANDARD.encode(&self.body)})
    }

    fn asked_with(&self, change: impl FnOnce(&mut Value)) -> Value {
        let mut asked = self.asked();
        change(&mut asked);
        asked
    }

    fn asked_with_body(&self, body: &[u8]) -> Value {
        self.asked_with(|asked| asked["body"] = json!(STANDARD.encode(body)))
    }
}

fn as_json(headers: &HeaderMap) -> Value {
    let named = headers.keys().map(|name| {
        let values: Vec<_> = headers.get_all(name).iter().map(|value| value.to_str().unwrap()).collect();
        (name.to_string(), if values.len() == 1 { json!(values[0]) } else { json!(values) })
    });
    Value::Object(named.collect())
}

/// One that `acme` was sent.
async fn hook(app: &App, target: &Target, extra: Value) -> Hook {
    let mut body = json!({"account": "acme", "event": "a.b", "target_url": target.url});
    body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    let subscription = app.provider().post("/api/v1/subscription/", body).await.expect(201).json();
    sent(app, target, subscription["id"].as_str().unwrap()).await
}

/// The next one.
async fn sent(app: &App, target: &Target, subscription: &str) -> Hook {
    let before = target.received.lock().unwrap().len();
    app.provider().emit("acme", "a.b", json!({"id": 1, "name": "Ana é", "price": 10.50})).await;
    let (headers, body) = eventually(async || target.received.lock().unwrap().get(before).cloned()).await;
    Hook { subscription: subscription.to_owned(), headers: as_json(&headers), body: body.to_vec() }
}

async fn found(client: &Client, asked: Value) -> Value {
    let answer = client.post(PATH, asked).await.expect(200);
    for word in ["whsec_", "whsk_"] {
        assert!(!answer.text().contains(word), "{}", answer.text());
    }
    answer.json()
}

async fn code(client: &Client, asked: Value) -> String {
    let found = found(client, asked).await;
    assert_eq!(found["valid"], found["code"] == "good", "{found}");
    assert!(found["detail"].as_str().is_some_and(|detail| detail.len() > 20), "{found}");
    found["code"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn each_thing_that_goes_wrong_has_its_code() {
    let (app, target) = (App::start().await, Target::start().await);
    let hook = hook(&app, &target, json!({})).await;
    let acme = app.consumer("acme").await;

    let good = found(&acme, hook.asked()).await;
    assert_eq!(
        (&good["valid"], &good["code"], &good["matched"]),
        (&json!(true), &json!("good"), &json!({"scheme": "v1", "secret": "current"}))
    );
    let again = serde_json::to_vec_pretty(&serde_json::from_slice::<Value>(&hook.body).unwrap()).unwrap();
    let reserialized = found(&acme, hook.asked_with_body(&again)).await;
    assert_eq!(reserialized["code"], "body_reserialized");
    assert_eq!(reserialized["matched"], json!({"scheme": "v1", "secret": "current"}));
    assert_eq!(code(&acme, hook.asked_with_body(b"{}")).await, "body_changed");

    let other = format!("v1,{}", STANDARD.encode([7; 32]));
    let forged = hook.asked_with(|asked| asked["headers"]["webhook-signature"] = json!(other));
    let found = found(&acme, forged).await;
    assert_eq!((&found["code"], &found["matched"]), (&json!("wrong_secret"), &json!(null)));
    let both = hook.asked_with(|asked| {
        asked["headers"]["webhook-signature"] = json!(other);
        asked["body"] = json!("");
    });
    assert_eq!(code(&acme, both).await, "no_match");

    let without = hook.asked_with(|asked| {
        asked["headers"].as_object_mut().unwrap().remove("webhook-timestamp");
    });
    assert_eq!(code(&acme, without).await, "missing_header");
    let malformed = hook.asked_with(|asked| asked["headers"]["webhook-signature"] = json!("sha256=ab"));
    assert_eq!(code(&acme, malformed).await, "malformed_header");
    let unknown = hook.asked_with(|asked| {
        asked["headers"]["webhook-id"] = json!("msg_27UH4WbU6Z5A5EzD8u03UvzRbpk");
    });
    assert_eq!(code(&acme, unknown).await, "unknown_delivery");

    let path = format!("/api/v1/subscription/{}/rotate-secret/", hook.subscription);
    acme.post(&path, json!({"grace_seconds": 60})).await.expect(200);
    let previous = self::found(&acme, hook.asked()).await;
    assert_eq!((&previous["code"], &previous["matched"]["secret"]), (&json!("good"), &json!("previous")));
    app.clock.advance(std::time::Duration::from_secs(60));
    assert_eq!(code(&acme, hook.asked()).await, "secret_expired");
}

#[tokio::test]
async fn the_tolerance_is_five_minutes_unless_another_is_asked_for() {
    let (app, target) = (App::start().await, Target::start().await);
    let hook = hook(&app, &target, json!({"signature": "v1a"})).await;
    let acme = app.consumer("acme").await;
    app.clock.advance(std::time::Duration::from_secs(300));
    assert_eq!(code(&acme, hook.asked()).await, "good");
    app.clock.advance(std::time::Duration::from_secs(1));
    assert_eq!(code(&acme, hook.asked()).await, "timestamp_too_old");
    let patient = |text: &str| hook.asked_with(|asked| asked["tolerance"] = json!(text));
    assert_eq!(code(&acme, patient("10m")).await, "good");
    assert_eq!(code(&acme, patient("0s")).await, "timestamp_too_old");
}

#[tokio::test]
async fn requests_may_be_written_as_frameworks_have_them() {
    let (app, target) = (App::start().await, Target::start().await);
    let hook = hook(&app, &target, json!({"signature": "v1a"})).await;
    let acme = app.consumer("acme").await;
    let path = format!("/api/v1/subscription/{}/rotate-secret/", hook.subscription);
    acme.post(&path, json!({})).await.expect(200);
    let hook = sent(&app, &target, &hook.subscription).await;
    assert!(hook.headers["x-hook-signature"].is_array(), "two while both sign: {}", hook.headers);

    let names = |write: fn(&str) -> String, form: fn(&Value) -> Value| {
        let headers = hook.headers.as_object().unwrap().iter();
        let headers: Value = Value::Object(headers.map(|(name, value)| (write(name), form(value))).collect());
        hook.asked_with(|asked| asked["headers"] = headers)
    };
    let arrays = |value: &Value| if value.is_array() { value.clone() } else { json!([value]) };
    assert_eq!(code(&acme, names(str::to_uppercase, Value::clone)).await, "good");
    assert_eq!(code(&acme, names(str::to_owned, arrays)).await, "good");
    let variable = |name: &str| format!("HTTP_{}", name.to_uppercase().replace('-', "_"));
    assert_eq!(code(&acme, names(variable, Value::clone)).await, "good");
    let number = hook.asked_with(|asked| {
        let seconds = asked["headers"]["webhook-timestamp"].as_str().unwrap().parse::<u64>().unwrap();
        asked["headers"]["webhook-timestamp"] = json!(seconds);
    });
    assert_eq!(code(&acme, number).await, "good");
    let alone = hook.asked_with(|asked| {
        let kept = &asked["headers"]["x-hook-signature"];
        asked["headers"] = json!({"X-Hook-Signature": kept});
    });
    let alone = found(&acme, alone).await;
    assert_eq!(alone["matched"], json!({"scheme": "hook_signature", "secret": "current"}));
    let asymmetric = hook.asked_with(|asked| {
        let all = asked["headers"]["webhook-signature"].as_str().unwrap().to_owned();
        let last = all.split(' ').next_back().unwrap();
        asked["headers"]["webhook-signature"] = json!(last);
    });
    assert_eq!(found(&acme, asymmetric).await["matched"], json!({"scheme": "v1a", "secret": "previous"}));

    let encoded = STANDARD.encode(&hook.body);
    let lines: Vec<_> =
        encoded.as_bytes().chunks(76).map(|line| std::str::from_utf8(line).unwrap()).collect();
    for text in [STANDARD_NO_PAD.encode(&hook.body), format!("{}\n", lines.join("\r\n"))] {
        assert_eq!(code(&acme, hook.asked_with(|asked| asked["body"] = json!(text))).await, "good");
    }
}

#[tokio::test]
async fn an_event_of_the_largest_size_can_be_verified() {
    let (app, target) = (App::start().await, Target::start().await);
    let provider = app.provider();
    let subscription = provider.subscribe("acme", "a.b", &target.url).await;
    provider.emit("acme", "a.b", json!("é".repeat(500_000))).await;
    let (headers, body) = eventually(async || target.received.lock().unwrap().first().cloned()).await;
    let hook = Hook {
        subscription: subscription["id"].as_str().unwrap().to_owned(),
        headers: as_json(&headers),
        body: body.to_vec(),
    };
    assert!(body.len() > 1_000_000);
    assert_eq!(code(&provider, hook.asked()).await, "good");
    // Written again with escapes it is three times as large: more than is taken.
    let escaped = String::from_utf8(hook.body.clone()).unwrap().replace('é', "\\u00e9");
    let refused = provider.post(PATH, hook.asked_with_body(escaped.as_bytes())).await.expect(413);
    assert_eq!(refused.code(), "too_large");
}

#[tokio::test]
async fn only_ones_own_hooks_are_judged() {
    let (app, target) = (App::start().await, Target::start().await);
    let hook = hook(&app, &target, json!({})).await;
    let stranger = app.consumer("stranger").await;
    let nobodys = hook.asked_with(|asked| asked["subscription"] = json!("sub_01k6x8t1m2n3p4q5r6s7t8v9wa"));
    let absent = stranger.post(PATH, nobodys).await.expect(404);
    assert_eq!(stranger.post(PATH, hook.asked()).await.expect(404).body, absent.body);
    let narrowed = format!("{PATH}?account=stranger");
    assert_eq!(app.provider().post(&narrowed, hook.asked()).await.expect(404).body, absent.body);
    app.provider().post(&format!("{PATH}?account=acme"), hook.asked()).await.expect(200);
    stranger.post(&format!("{PATH}?account=acme"), hook.asked()).await.expect(404);
    app.anonymous().post(PATH, hook.asked()).await.expect(401);

    // With a subscription of their own they learn of others' deliveries what they learn of none.
    let own = stranger.subscribe("stranger", "a.b", &target.url).await;
    let own = hook.asked_with(|asked| asked["subscription"] = own["id"].clone());
    assert_eq!(code(&stranger, own).await, "unknown_delivery");
}

#[tokio::test]
async fn an_application_offers_it_to_its_users() {
    let (app, target) = (App::start().await, Target::start().await);
    let hook = hook(&app, &target, json!({})).await;
    let router = consumer_router(app.hooks.clone());
    for (account, status) in [("acme", 200), ("stranger", 404)] {
        let caller = axum::Extension(Caller::Consumer(account.parse().unwrap()));
        let client = Client { router: router.clone().layer(caller), authorization: None };
        client.post("/verify/", hook.asked()).await.expect(status);
    }
}

#[tokio::test]
async fn what_is_not_understood_is_named() {
    let (app, target) = (App::start().await, Target::start().await);
    let hook = hook(&app, &target, json!({})).await;
    let acme = app.consumer("acme").await;
    let missing = acme.post(PATH, json!({})).await.expect(422);
    assert_eq!(missing.fields(), ["subscription", "headers", "body"]);
    let many: Vec<_> = (0..201).map(|_| "x").collect();
    for (field, value) in [
        ("subscription", json!("evt_01k6x8t1m2n3p4q5r6s7t8v9wa")),
        ("subscription", json!(null)),
        ("headers", json!([])),
        ("headers", json!({"a": {}})),
        ("headers", json!({"a": null})),
        ("headers", json!({"a": [1]})),
        ("headers", json!({"a": many})),
        ("headers", json!({"cookie": "geheim".repeat(20_000)})),
        ("body", json!("%%%%")),
        ("body", json!({"id": 1})),
        ("tolerance", json!("5")),
        ("tolerance", json!(5)),
        ("secret", json!("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD")),
    ] {
        let refused =
            acme.post(PATH, hook.asked_with(|asked| asked[field] = value.clone())).await.expect(422);
        let at = refused.fields().remove(0);
        assert!(at == field || at.starts_with(&format!("{field}.")), "{}", refused.text());
        for word in ["geheim", "C2FVsB"] {
            assert!(!refused.text().contains(word), "{}", refused.text());
        }
    }
    let twice = format!(
        r#"{{"subscription":"{}","headers":{{"webhook-id":"a","webhook-id":"b"}},"body":""}}"#,
        hook.subscription
    );
    let answer = acme.send(Method::POST, PATH, Some("application/json"), twice).await.expect(422);
    assert!(answer.fields()[0].starts_with("headers"), "{}", answer.text());
    acme.get(PATH).await.expect(405);
    let large = hook.asked_with(|asked| asked["body"] = json!("A".repeat(4 * 1024 * 1024)));
    assert_eq!(acme.post(PATH, large).await.expect(413).code(), "too_large");
}
