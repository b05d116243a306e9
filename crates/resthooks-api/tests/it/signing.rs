//! What a subscription signs with: `secret` and `signature` in its body, `rotate-secret/` and `secret/`.

use serde_json::{Value, json};

use crate::harness::{App, Client};

const LIST: &str = "/api/v1/subscription/";
/// RFC 8032, §7.1, test 1: the seed, the public key, and both in one.
const SEED: &str = "whsk_nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=";
const PUBLIC: &str = "whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
const BOTH: &str =
    "whsk_nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2DXWpgBgrEKt9VL/tPJZAc6DuFy89qmIyWvAhpo9wdRGg==";
const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

fn path(subscription: &Value) -> String {
    format!("{LIST}{}/", subscription["id"].as_str().unwrap())
}

fn with(extra: Value) -> Value {
    let mut body = json!({"url": "https://example.com/h", "event": "a.b"});
    body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    body
}

async fn created(consumer: &Client, extra: Value) -> Value {
    consumer.post(LIST, with(extra)).await.expect(201).json()
}

/// Its public key as `GET …/` and `GET …/secret/` show it, which is the same.
async fn public_key(consumer: &Client, path: &str) -> Value {
    let read = consumer.get(path).await.expect(200);
    let secret = consumer.get(&format!("{path}secret/")).await.expect(200);
    for answer in [&read, &secret] {
        assert!(!answer.text().contains("whsk_"), "a private key is shown: {}", answer.text());
    }
    let (read, secret) = (read.json(), secret.json());
    assert_eq!(read["signature"], if read["public_key"].is_null() { "v1" } else { "v1a" });
    assert_eq!(read["public_key"], secret["public_key"]);
    read["public_key"].clone()
}

#[tokio::test]
async fn a_subscription_chooses_by_the_scheme_or_by_its_key() {
    let app = App::start().await;
    let consumer = app.consumer("acme").await;
    let plain = created(&consumer, json!({"signature": "v1"})).await;
    assert_eq!((&plain["signature"], &plain["public_key"]), (&json!("v1"), &json!(null)));
    let made = created(&consumer, json!({"signature": "v1a", "secret": SECRET})).await;
    assert_eq!((&made["signature"], &made["secret"]), (&json!("v1a"), &json!(SECRET)));
    assert!(made["public_key"].as_str().unwrap().starts_with("whpk_"));
    assert_eq!(public_key(&consumer, &path(&made)).await, made["public_key"]);
    let other = created(&consumer, json!({"signature": "v1a"})).await;
    assert_ne!(other["public_key"], made["public_key"]);
    for given in [SEED, BOTH] {
        for extra in [json!({"secret": given}), json!({"secret": given, "signature": "v1a"})] {
            let answer = consumer.post(LIST, with(extra)).await.expect(201);
            assert!(!answer.text().contains("whsk_"));
            let own = answer.json();
            assert_eq!((&own["signature"], &own["public_key"]), (&json!("v1a"), &json!(PUBLIC)));
            assert!(own["secret"].as_str().unwrap().starts_with("whsec_"), "HMAC has a secret of its own");
        }
    }
}

#[tokio::test]
async fn changes_keep_drop_and_make_keys() {
    let app = App::start().await;
    let consumer = app.consumer("acme").await;
    let made = created(&consumer, json!({"secret": SEED})).await;
    let path = path(&made);
    // PUT keeps it as it keeps the secret, also when all that was read comes back.
    let read = consumer.get(&path).await.json();
    for body in [read, with(json!({})), with(json!({"signature": "v1a"}))] {
        consumer.put(&path, body).await.expect(200);
        assert_eq!(public_key(&consumer, &path).await, PUBLIC);
    }
    consumer.patch(&path, json!({"secret": SECRET})).await.expect(200);
    assert_eq!(public_key(&consumer, &path).await, PUBLIC);
    assert_eq!(consumer.get(&format!("{path}secret/")).await.json()["secret"], SECRET);
    consumer.patch(&path, json!({"signature": "v1"})).await.expect(200);
    assert_eq!(public_key(&consumer, &path).await, json!(null));
    consumer.patch(&path, json!({"signature": "v1a"})).await.expect(200);
    let anew = public_key(&consumer, &path).await;
    assert!(anew.is_string() && anew != PUBLIC, "what was dropped does not come back");
    consumer.patch(&path, json!({"secret": BOTH})).await.expect(200);
    assert_eq!(public_key(&consumer, &path).await, PUBLIC);
    assert_eq!(consumer.get(&format!("{path}secret/")).await.json()["secret"], SECRET);
    consumer.put(&path, with(json!({"signature": "v1"}))).await.expect(200);
    assert_eq!(public_key(&consumer, &path).await, json!(null));
}

#[tokio::test]
async fn a_rotation_shows_what_goes_on_signing_until_its_grace_is_over() {
    let app = App::start().await;
    let consumer = app.consumer("acme").await;
    let made = created(&consumer, json!({"secret": SEED})).await;
    let path = path(&made);
    let rotate = format!("{path}rotate-secret/");
    let rotated = consumer.post(&rotate, json!({"grace_seconds": 60})).await.expect(200).json();
    assert!(rotated["secret"] != made["secret"] && rotated["public_key"] != PUBLIC);
    let read = consumer.get(&format!("{path}secret/")).await.expect(200).json();
    let until = resthooks::env::Clock::now(&app.clock).plus(std::time::Duration::from_secs(60));
    assert_eq!(
        read,
        json!({
            "secret": rotated["secret"], "public_key": rotated["public_key"],
            "previous": {"secret": made["secret"], "public_key": PUBLIC, "signs_until": until.to_string()}
        })
    );
    app.clock.advance(std::time::Duration::from_secs(60));
    let read = consumer.get(&format!("{path}secret/")).await.expect(200).json();
    assert_eq!(read["previous"], json!(null));
    consumer.post(&rotate, json!({"grace_seconds": 0})).await.expect(200);
    assert_eq!(consumer.get(&format!("{path}secret/")).await.json()["previous"], json!(null));
}

#[tokio::test]
async fn contradictions_and_malformed_keys_are_refused_by_name() {
    let app = App::start().await;
    let consumer = app.consumer("acme").await;
    let made = created(&consumer, json!({})).await;
    let short = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7o";
    let odd = SEED.replace("whsk_", "whpk_");
    for (body, field) in [
        (json!({"secret": SEED, "signature": "v1"}), "signature"),
        (json!({"signature": "v2"}), "signature"),
        (json!({"signature": 1}), "signature"),
        (json!({"secret": short}), "secret"),
        (json!({"secret": odd}), "secret"),
        (json!({"secret": BOTH.replace("RGg=", "RWg=")}), "secret"),
        (json!({"secret": BOTH.replace("DXWp", "DXWq")}), "secret"),
        (json!({"public_key": PUBLIC}), "public_key"),
    ] {
        for answer in
            [consumer.post(LIST, with(body.clone())).await, consumer.patch(&path(&made), body).await]
        {
            let answer = answer.expect(422);
            assert_eq!(answer.fields(), [field], "{}", answer.text());
            for part in ["nWGxne", "C2FVsB"] {
                assert!(!answer.text().contains(part), "what was given is repeated: {}", answer.text());
            }
        }
    }
}
