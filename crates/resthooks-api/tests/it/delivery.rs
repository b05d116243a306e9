//! `/delivery/` and `/delivery/:id/…`

use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::{App, Client, Target, eventually};

const LIST: &str = "/api/v1/delivery/";

/// The delivery of an event that matched one subscription, once it has this status.
async fn delivery_in(caller: &Client, event: &Value, status: &str) -> Value {
    let path = format!("/api/v1/event/{}/delivery/", event["id"].as_str().unwrap());
    eventually(async || {
        let found = caller.get(&path).await.expect(200).data().remove(0);
        (found["status"] == status).then_some(found)
    })
    .await
}

#[tokio::test]
async fn a_delivery_is_read_with_its_attempts() {
    let app = App::start().await;
    let target = Target::start().await;
    let provider = app.provider();
    let subscription = provider.subscribe("acme", "a.b", &target.url).await;
    let event = provider.emit("acme", "a.b", json!({"n": 1})).await;
    let consumer = app.consumer("acme").await;
    let listed = delivery_in(&consumer, &event, "delivered").await;
    let id = listed["id"].as_str().unwrap();
    let mut read = consumer.get(&format!("{LIST}{id}/")).await.expect(200).json();
    let attempts = read.as_object_mut().unwrap().remove("attempts").unwrap();
    assert_eq!(read, listed);
    let created_at = &event["created_at"];
    let wanted = json!({
        "id": id, "event": event["id"], "event_type": "a.b", "account": "acme", "subscription": subscription["id"],
        "status": "delivered", "reason": null, "attempt_count": 1, "next_attempt_at": null, "sequence": 1,
        "created_at": created_at, "updated_at": read["updated_at"]
    });
    assert_eq!(read, wanted);
    let attempt = &attempts[0];
    assert_eq!(
        (&attempt["number"], &attempt["status_code"], &attempt["manual"]),
        (&json!(1), &json!(200), &json!(false))
    );
    assert_eq!(
        (&attempt["response_body"], &attempt["response_truncated"]),
        (&json!("thanks"), &json!(false))
    );
    assert_eq!(attempt["response_headers"]["x-seen"], json!(["yes"]));
    assert!(target.url.contains(attempt["address"].as_str().unwrap()));
    let (headers, _) = target.received.lock().unwrap()[0].clone();
    assert_eq!(headers["webhook-id"], id);
}

#[tokio::test]
async fn deliveries_are_filtered() {
    let app = App::start().await;
    let target = Target::start().await;
    let provider = app.provider();
    let one = provider.subscribe("acme", "a.*", &target.url).await;
    provider.subscribe("other", "a.b", &target.url).await;
    let first = provider.emit("acme", "a.b", json!(1)).await;
    let second = provider.emit("acme", "a.c", json!(2)).await;
    let third = provider.emit("other", "a.b", json!(3)).await;
    for event in [&first, &second, &third] {
        delivery_in(&provider, event, "delivered").await;
    }
    let events = async |query: &str| -> Vec<Value> {
        let found = provider.get(&format!("{LIST}?{query}")).await.expect(200).data();
        found.into_iter().map(|delivery| delivery["event"].clone()).collect()
    };
    let (first, second, third) = (first["id"].clone(), second["id"].clone(), third["id"].clone());
    assert_eq!(events("").await, [third.clone(), second.clone(), first.clone()]);
    assert_eq!(events("account=acme").await, [second.clone(), first.clone()]);
    assert_eq!(
        events(&format!("subscription={}", one["id"].as_str().unwrap())).await,
        [second.clone(), first.clone()]
    );
    assert_eq!(events(&format!("event={}", first.as_str().unwrap())).await, std::slice::from_ref(&first));
    assert_eq!(events("event_type=a.c").await, std::slice::from_ref(&second));
    assert_eq!(events("status=delivered&limit=1").await, std::slice::from_ref(&third));
    assert!(events("status=dead").await.is_empty());
    assert!(events("subscription=sub_01k6x8t1m2n3p4q5r6s7t8v9wa").await.is_empty());
    assert!(events("until=2020-01-01T00:00:00Z").await.is_empty());
    assert_eq!(events("since=2020-01-01T00:00:00Z&event_type=a.c").await, [second]);
    let page = provider.get(&format!("{LIST}?limit=2")).await.json();
    let rest = events(&format!("cursor={}", page["next_cursor"].as_str().unwrap())).await;
    assert_eq!(rest, [first]);
    for (query, field) in [
        ("subscription=x", "subscription"),
        ("event=a/b", "event"),
        ("status=lost", "status"),
        ("cursor=x", "cursor"),
    ] {
        assert_eq!(provider.get(&format!("{LIST}?{query}")).await.expect(422).fields(), [field]);
    }
}

#[tokio::test]
async fn a_delivery_is_tried_again_and_cancelled_by_hand() {
    let app = App::start().await;
    let target = Target::start().await;
    *target.status.lock().unwrap() = StatusCode::INTERNAL_SERVER_ERROR;
    let provider = app.provider();
    provider.subscribe("acme", "a.b", &target.url).await;
    let consumer = app.consumer("acme").await;
    let event = provider.emit("acme", "a.b", json!(1)).await;
    let delivery = delivery_in(&consumer, &event, "scheduled").await;
    let path = format!("{LIST}{}/", delivery["id"].as_str().unwrap());
    let retried = consumer.call(Method::POST, &format!("{path}retry/"), None).await.expect(200).json();
    assert_eq!((&retried["status"], &retried["attempt_count"]), (&json!("scheduled"), &json!(2)));
    assert_eq!(retried["next_attempt_at"], delivery["next_attempt_at"]);
    assert_eq!(retried["attempts"][1]["manual"], true);
    let cancelled = consumer.call(Method::POST, &format!("{path}cancel/"), None).await.expect(200).json();
    assert_eq!(cancelled["status"], "cancelled");
    let again = consumer.call(Method::POST, &format!("{path}cancel/"), None).await.expect(409);
    assert_eq!(again.code(), "delivery_finished");
    *target.status.lock().unwrap() = StatusCode::NO_CONTENT;
    let retried = consumer.post(&format!("{path}retry/"), json!({})).await.expect(200).json();
    assert_eq!(retried["status"], "delivered");
    assert_eq!(
        consumer.post(&format!("{path}retry/"), json!({"now": true})).await.expect(422).fields(),
        ["now"]
    );
}
