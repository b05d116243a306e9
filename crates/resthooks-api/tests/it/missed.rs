//! `/subscription/:id/missed/…`

use http::StatusCode;
use serde_json::{Value, json};

use crate::harness::{App, Client, Target, eventually};

const LIST: &str = "/api/v1/subscription/";

/// A subscription that gives up at once, and its path.
async fn hasty(provider: &Client, target: &Target) -> (Value, String) {
    let body = json!({"account": "acme", "url": target.url, "event": "a.b", "retry": {"schedule": []}});
    let made = provider.post(LIST, body).await.expect(201).json();
    let path = format!("{LIST}{}/missed/", made["id"].as_str().unwrap());
    (made, path)
}

/// The missed ones, once there are so many.
async fn missed(caller: &Client, path: &str, count: usize) -> Value {
    eventually(async || {
        let found = caller.get(path).await.expect(200).json();
        (found["count"] == json!(count)).then_some(found)
    })
    .await
}

async fn given_up(app: &App, target: &Target, count: usize) -> (Value, String, Vec<Value>) {
    *target.status.lock().unwrap() = StatusCode::INTERNAL_SERVER_ERROR;
    let (made, path) = hasty(&app.provider(), target).await;
    let mut events = Vec::new();
    for n in 0..count {
        events.push(app.provider().emit("acme", "a.b", json!({"n": n})).await["id"].clone());
        missed(&app.provider(), &path, n + 1).await;
    }
    (made, path, events)
}

#[tokio::test]
async fn what_was_missed_is_listed_with_its_payload() {
    let app = App::start().await;
    let target = Target::start().await;
    let (_, path, events) = given_up(&app, &target, 3).await;
    let consumer = app.consumer("acme").await;
    let found = missed(&consumer, &path, 3).await;
    assert_eq!(found["next_cursor"], json!(null));
    let first = app.provider().get(&format!("/api/v1/event/{}/", events[0].as_str().unwrap())).await.json();
    assert_eq!(found["oldest"], first["created_at"]);
    let of = |found: &Value| {
        found["data"].as_array().unwrap().iter().map(|one| one["event"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(of(&found), [events[2].clone(), events[1].clone(), events[0].clone()]);
    // Byte for byte what the target was sent.
    let text = consumer.get(&path).await.expect(200).text();
    for (_, body) in target.received.lock().unwrap().iter() {
        let sent = String::from_utf8(body.to_vec()).unwrap();
        assert!(text.contains(&format!("\"payload\":{sent}")), "{sent} in {text}");
    }
    let page = consumer.get(&format!("{path}?limit=2")).await.expect(200);
    assert!(page.header("link").unwrap().contains("/missed/?limit=2&cursor="));
    let page = page.json();
    assert_eq!((page["count"].clone(), of(&page)), (json!(3), events[1..].iter().rev().cloned().collect()));
    let rest = format!("{path}?cursor={}", page["next_cursor"].as_str().unwrap());
    assert_eq!(of(&consumer.get(&rest).await.expect(200).json()), [events[0].clone()]);
    let other = app.consumer("other").await;
    for path in [path.clone(), format!("{path}?account=acme")] {
        other.get(&path).await.expect(404);
    }
}

#[tokio::test]
async fn they_are_acknowledged_and_released() {
    let app = App::start().await;
    let target = Target::start().await;
    let (_, path, events) = given_up(&app, &target, 4).await;
    let consumer = app.consumer("acme").await;
    let found = missed(&consumer, &path, 4).await;
    let ids: Vec<Value> = found["data"].as_array().unwrap().iter().map(|one| one["id"].clone()).collect();
    let acknowledge = format!("{path}acknowledge/");
    let some = json!({"ids": [ids[0], ids[0]]});
    assert_eq!(
        consumer.post(&acknowledge, some.clone()).await.expect(200).json(),
        json!({"acknowledged": 1})
    );
    assert_eq!(consumer.post(&acknowledge, some).await.expect(200).json(), json!({"acknowledged": 0}));
    let done = consumer.get(&format!("/api/v1/delivery/{}/", ids[0].as_str().unwrap())).await.json();
    assert_eq!(
        (&done["status"], &done["reason"], &done["attempt_count"]),
        (&json!("delivered"), &json!("acknowledged through the claim check"), &json!(1))
    );

    *target.status.lock().unwrap() = StatusCode::OK;
    target.received.lock().unwrap().clear();
    let release = format!("{path}release/");
    let answer = consumer.post(&release, json!({"ids": [ids[1]]})).await.expect(200).json();
    assert_eq!(answer, json!({"released": 1}));
    missed(&consumer, &path, 2).await;
    assert_eq!(
        consumer.post(&release, json!({"all": true})).await.expect(200).json(),
        json!({"released": 2})
    );
    for event in &events {
        let path = format!("/api/v1/event/{}/delivery/", event.as_str().unwrap());
        eventually(async || {
            (consumer.get(&path).await.expect(200).data()[0]["status"] == "delivered").then_some(())
        })
        .await;
    }
    let sent = target.received.lock().unwrap().clone();
    let mut again: Vec<String> =
        sent.iter().map(|(headers, _)| headers["webhook-id"].to_str().unwrap().to_owned()).collect();
    again.sort_unstable();
    let mut first: Vec<&str> = ids[1..].iter().map(|id| id.as_str().unwrap()).collect();
    first.sort_unstable();
    assert_eq!(again, first, "each once, under its first id");
    let left = consumer.get(&path).await.expect(200).json();
    assert_eq!(left, json!({"data": [], "next_cursor": null, "count": 0, "oldest": null}));
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_by_name() {
    let app = App::start().await;
    let target = Target::start().await;
    let (_, path, _) = given_up(&app, &target, 1).await;
    let consumer = app.consumer("acme").await;
    let (_, others) = hasty(&app.provider(), &target).await;
    let own = missed(&consumer, &path, 1).await["data"][0]["id"].clone();
    for end in ["acknowledge", "release"] {
        let path = format!("{path}{end}/");
        for (body, field) in [
            (json!({}), "ids"),
            (json!({"all": false}), "ids"),
            (json!({"all": true, "ids": []}), "all"),
            (json!({"ids": ["x"]}), "ids[0]"),
            (json!({"ids": vec![own.clone(); 251]}), "ids"),
            (json!({"ids": "all"}), "ids"),
            (json!({"every": true}), "every"),
        ] {
            assert_eq!(consumer.post(&path, body.clone()).await.expect(422).fields(), [field], "{body}");
        }
        let foreign = consumer.post(&format!("{others}{end}/"), json!({"ids": [own]})).await.expect(422);
        assert_eq!(foreign.fields(), ["ids[0]"]);
        let other = app.consumer("other").await;
        other.post(&path, json!({"all": true})).await.expect(404);
    }
    assert_eq!(consumer.get(&format!("{path}?cursor=x")).await.expect(422).fields(), ["cursor"]);
    missed(&consumer, &path, 1).await;
}
