//! What a subscription asks for of its delivery: written, read, changed and refused through the API.

use serde_json::{Value, json};

use crate::harness::{App, Client};

const LIST: &str = "/api/v1/subscription/";

fn with(term: &str, value: Value) -> Value {
    let mut body = json!({"url": "https://example.com/h", "event": "a.b"});
    body[term] = value;
    body
}

async fn made(consumer: &Client, term: &str, value: Value) -> Value {
    consumer.post(LIST, with(term, value)).await.expect(201).json()
}

#[tokio::test]
async fn terms_are_read_as_they_were_written() {
    let app = App::start().await;
    let consumer = app.consumer("acme").await;
    for (term, value) in [
        ("retry", json!({"schedule": ["5s", "1m", "1d"]})),
        ("retry", json!({"schedule": [], "max_age": "2d"})),
        ("retry", json!({"schedule": ["5s"], "statuses": ["429", "5xx"]})),
        ("retry", json!({"base": "5s", "factor": 1.5, "max_interval": "1h", "max_attempts": 7})),
        ("timeout", json!("30s")),
        ("rate_limit", json!({"limit": 100, "per": "minute", "burst": 10})),
        ("rate_limit", json!({"limit": 5, "per": "second"})),
        ("max_in_flight", json!(3)),
        ("expires_at", json!("2030-01-01T00:00:00.000Z")),
        ("order", json!("strict")),
        ("order", json!({"by": "order_key"})),
        ("debounce", json!({"window": "10s", "key": "/customer/id", "max_wait": "1m"})),
        ("debounce", json!({"window": "250ms", "key": "order_key"})),
        ("batch", json!({"max_events": 100, "max_bytes": 65536, "max_wait": "5s"})),
    ] {
        let made = made(&consumer, term, value.clone()).await;
        assert_eq!(made[term], value);
        let path = format!("{LIST}{}/", made["id"].as_str().unwrap());
        assert_eq!(consumer.get(&path).await.expect(200).json()[term], value);
        // Left alone by other changes, cleared by null, and by what is left out of a whole.
        let other = consumer.patch(&path, json!({"description": "d"})).await.expect(200).json();
        assert_eq!(other[term], value);
        let mut cleared = json!({});
        cleared[term] = Value::Null;
        assert_eq!(consumer.patch(&path, cleared).await.expect(200).json()[term], json!(null));
        let mut again = json!({});
        again[term] = value.clone();
        assert_eq!(consumer.patch(&path, again).await.expect(200).json()[term], value);
        let whole = with("description", json!("d"));
        assert_eq!(consumer.put(&path, whole).await.expect(200).json()[term], json!(null));
    }
    // What is left out of a term is what holds.
    let grown = made(&consumer, "retry", json!({"base": "1h"})).await;
    let whole = json!({"base": "1h", "factor": 2.0, "max_interval": "1d", "max_attempts": 11});
    assert_eq!(grown["retry"], whole);
    assert_eq!(made(&consumer, "rate_limit", json!({"limit": 9})).await["rate_limit"]["per"], "minute");
    assert_eq!(made(&consumer, "debounce", json!({"window": "1s"})).await["debounce"]["key"], "debounce_key");
    let batch = made(&consumer, "batch", json!({"max_events": 9, "max_wait": "1s"})).await;
    assert_eq!(batch["batch"]["max_bytes"], 1024 * 1024);
    let mut ordered = with("order", json!("strict"));
    ordered["on_blocked"] = json!({"skip_after": 3});
    let ordered = consumer.post(LIST, ordered).await.expect(201).json();
    assert_eq!((&ordered["order"], &ordered["on_blocked"]), (&json!("strict"), &json!({"skip_after": 3})));
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_by_name_and_changes_nothing() {
    let app = App::start().await;
    let consumer = app.consumer("acme").await;
    let whole = made(&consumer, "timeout", json!("5s")).await;
    let path = format!("{LIST}{}/", whole["id"].as_str().unwrap());
    let before = consumer.get(&path).await.json();
    for (term, value, why) in [
        ("retry", json!({}), "a schedule, or a base"),
        ("retry", json!([]), ""),
        ("retry", json!({"schedule": ["5s", "0s"]}), "schedule[1]"),
        ("retry", json!({"schedule": ["5s"], "base": "5s"}), "either"),
        ("retry", json!({"schedule": ["5s"], "statuses": [410]}), "410 ends"),
        ("retry", json!({"schedule": vec!["5s"; 51]}), "at most 50"),
        ("retry", json!({"base": "5s", "factor": 11}), "factor"),
        ("timeout", json!("500ms"), "1s to 1m"),
        ("timeout", json!("61s"), "1s to 1m"),
        ("timeout", json!(5), ""),
        ("rate_limit", json!({"limit": 0}), "1 to 600000"),
        ("rate_limit", json!({"limit": 5, "burst": 6}), "1 to the limit"),
        ("rate_limit", json!({"limit": 5, "per": "hour"}), ""),
        ("rate_limit", json!(5), ""),
        ("max_in_flight", json!(0), "1 to 256"),
        ("order", json!("loose"), "strict"),
        ("order", json!({"by": "debounce_key"}), "order_key"),
        ("on_blocked", json!({"skip_after": 3}), "there is no"),
        ("on_blocked", json!("skip"), ""),
        ("debounce", json!({"window": "2h"}), "100ms to 1h"),
        ("debounce", json!({"window": "1s", "key": "id"}), "JSON Pointer"),
        ("debounce", json!({"window": "10s", "max_wait": "5s"}), "10s to 1d"),
        ("debounce", json!({"window": "10s", "size": 5}), ""),
        ("batch", json!({"max_events": 1001, "max_wait": "1s"}), "1 to 1000"),
        ("batch", json!({"max_events": 10, "max_wait": "1h"}), "10ms to 10m"),
        ("batch", json!({"max_events": 10, "max_bytes": 10, "max_wait": "1s"}), "1024 to"),
        ("batch", json!({"max_wait": "1s"}), "max_events"),
        ("expires_at", json!("2020-01-01T00:00:00Z"), "future"),
        ("expires_at", json!("never"), ""),
    ] {
        let mut change = json!({});
        change[term] = value.clone();
        for answer in
            [consumer.post(LIST, with(term, value.clone())).await, consumer.patch(&path, change).await]
        {
            let answer = answer.expect(422);
            assert!(answer.fields()[0].starts_with(term), "{value}: {}", answer.text());
            assert!(answer.text().contains(why), "{value}: {}", answer.text());
        }
    }
    assert_eq!(consumer.get(&path).await.json(), before);
}
