//! `/event-type/`

use serde_json::json;

use crate::harness::App;

#[tokio::test]
async fn a_type_is_registered_read_replaced_and_deleted() {
    let app = App::builder().start().await;
    let provider = app.provider();
    let body = json!({
        "name": "contact.create", "description": "A contact.", "schema": {"type": "object", "required": ["id"]},
        "sample": {"id": 1}, "resource_url": "https://api.example.com/contacts/{id}"
    });
    let made = provider.post("/api/v1/event-type/", body.clone()).await.expect(201);
    assert_eq!(made.header("location"), Some("/api/v1/event-type/contact.create/"));
    let again = provider.post("/api/v1/event-type/", body).await.expect(409);
    assert_eq!(again.code(), "already_exists");
    let consumer = app.consumer("acme").await;
    let mut read = consumer.get("/api/v1/event-type/contact.create/").await.expect(200).json();
    assert_eq!(read, made.json());
    assert_eq!(consumer.get("/api/v1/event-type/").await.expect(200).data(), [read.clone()]);
    // What was read can be sent back with a change.
    read["archived"] = json!(true);
    let put = provider.put("/api/v1/event-type/contact.create/", read.clone()).await.expect(200).json();
    assert_eq!(put["archived"], true);
    read["created_at"] = json!("2020-01-01T00:00:00Z");
    let refused = provider.put("/api/v1/event-type/contact.create/", read).await.expect(422);
    assert_eq!(refused.fields(), ["created_at"]);
    provider.put("/api/v1/event-type/deal.close/", json!({})).await.expect(201);
    provider.delete("/api/v1/event-type/deal.close/").await.expect(204);
    provider.delete("/api/v1/event-type/deal.close/").await.expect(404);
    provider.get("/api/v1/event-type/deal.close/").await.expect(404);
}

#[tokio::test]
async fn bad_types_are_refused_by_field() {
    let app = App::builder().start().await;
    let provider = app.provider();
    let bad = json!({"name": "contact", "schema": 5, "archived": "no"});
    let mut fields = provider.post("/api/v1/event-type/", bad).await.expect(422).fields();
    fields.sort();
    assert_eq!(fields, ["archived", "name"]);
    let bad = json!({"name": "a.b", "schema": {"type": "nonsense"}});
    assert_eq!(provider.post("/api/v1/event-type/", bad).await.expect(422).fields(), ["schema"]);
    let bad = json!({"name": "a.b", "schema": {"type": "object"}, "sample": 5});
    assert_eq!(provider.post("/api/v1/event-type/", bad).await.expect(422).fields(), ["sample"]);
    assert_eq!(provider.put("/api/v1/event-type/a..b/", json!({})).await.expect(422).fields(), ["name"]);
    let long = format!("a.{}", "b".repeat(127));
    assert_eq!(
        provider.put(&format!("/api/v1/event-type/{long}/"), json!({})).await.expect(422).fields(),
        ["name"]
    );
    assert_eq!(
        provider.post("/api/v1/event-type/", json!({"name": long})).await.expect(422).fields(),
        ["name"]
    );
    let twice = r#"{"name": "a.b", "schema": {"type": "object", "type": "array"}}"#;
    let refused =
        provider.send(http::Method::POST, "/api/v1/event-type/", Some("application/json"), twice).await;
    assert_eq!(refused.expect(422).fields(), ["schema"]);
}

#[tokio::test]
async fn events_are_held_to_the_catalogue() {
    let app = App::builder().start().await;
    let provider = app.provider();
    let event = json!({"event": "a.b", "account": "acme", "data": {"id": "x"}});
    let unknown = provider.post("/api/v1/event/", event.clone()).await.expect(422);
    assert_eq!(unknown.code(), "unknown_event_type");
    assert_eq!(unknown.fields(), ["event"]);
    let schema = json!({"properties": {"id": {"type": "integer"}}});
    provider.put("/api/v1/event-type/a.b/", json!({"schema": schema})).await.expect(201);
    let invalid = provider.post("/api/v1/event/", event).await.expect(422);
    assert!(invalid.fields().iter().all(|field| field.starts_with("data")), "{}", invalid.text());
    provider.emit("acme", "a.b", json!({"id": 1})).await;
    provider.put("/api/v1/event-type/a.b/", json!({"archived": true})).await.expect(200);
    let event = json!({"event": "a.b", "account": "acme", "data": {"id": 1}});
    assert_eq!(provider.post("/api/v1/event/", event).await.expect(422).code(), "unknown_event_type");
}

#[tokio::test]
async fn samples_are_in_the_shape_of_deliveries() {
    let app = App::builder().start().await;
    let provider = app.provider();
    provider.put("/api/v1/event-type/a.b/", json!({"sample": {"n": 1}})).await.expect(201);
    let consumer = app.consumer("acme").await;
    let made = consumer.get("/api/v1/event-type/a.b/sample/").await.expect(200).json();
    assert_eq!(made[0]["data"], json!({"n": 1}));
    assert_eq!(made[0]["type"], "a.b");
    provider.emit("acme", "a.b", json!({"n": 2})).await;
    provider.emit("other", "a.b", json!({"n": 3})).await;
    let real = consumer.get("/api/v1/event-type/a.b/sample/").await.expect(200).json();
    assert_eq!(real.as_array().unwrap().len(), 1);
    assert_eq!(real[0]["data"], json!({"n": 2}));
    consumer.get("/api/v1/event-type/a.c/sample/").await.expect(404);
    consumer.get("/api/v1/event-type/a.b/sample/?account=other").await.expect(404);
}
