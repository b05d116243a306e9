//! `POST /event/batch/`

use axum::body::Body;
use axum::extract::Request;
use http::Method;
use serde_json::{Value, json};

use crate::harness::App;

const BATCH: &str = "/api/v1/event/batch/";

fn event(n: usize) -> Value {
    json!({"event": "a.b", "account": "acme", "data": {"n": n}})
}

#[tokio::test]
async fn a_batch_is_an_array_or_lines() {
    let app = App::start().await;
    let provider = app.provider();
    let answer = provider.post(BATCH, json!([event(1), event(2)])).await.expect(202).json();
    assert_eq!(answer["data"].as_array().unwrap().len(), 2);
    assert_eq!(answer["data"][0]["matched"], 0);
    let lines = format!("{}\n\n{}\r\n", event(3), event(4));
    for kind in ["application/x-ndjson", "application/x-ndjson; charset=utf-8"] {
        let answer = provider.send(Method::POST, BATCH, Some(kind), lines.clone()).await.expect(202);
        assert_eq!(answer.data().len(), 2);
    }
    let listed = provider.get("/api/v1/event/").await.expect(200).data();
    assert_eq!(listed.len(), 6);
    assert_eq!(listed[0]["data"], json!({"n": 4}));
}

#[tokio::test]
async fn all_or_none() {
    let app = App::start().await;
    let provider = app.provider();
    let batch = json!([event(1), {"event": "a.b", "account": "acme"}, 5, {"event": "a", "data": 1, "x": 2}]);
    let refused = provider.post(BATCH, batch).await.expect(422);
    assert_eq!(refused.fields(), ["[1].data", "[2]", "[3].event", "[3].x"]);
    let large = json!([event(1), {"event": "a.b", "account": "acme", "data": "x".repeat(1024 * 1024)}]);
    let refused = provider.post(BATCH, large).await.expect(413);
    assert_eq!(refused.fields(), ["[1].data"]);
    let conflict = json!([event(1), {"event": "a.b", "account": "acme", "data": 1, "id": "k"}]);
    provider.post(BATCH, conflict).await.expect(202);
    let conflict = json!([event(1), {"event": "a.b", "account": "acme", "data": 2, "id": "k"}]);
    assert_eq!(provider.post(BATCH, conflict).await.expect(409).code(), "idempotency_conflict");
    assert_eq!(provider.get("/api/v1/event/").await.data().len(), 2);
}

#[tokio::test]
async fn a_batch_is_bounded() {
    let app = App::start().await;
    let provider = app.provider();
    let most: Vec<Value> = (0..1000).map(event).collect();
    assert_eq!(provider.post(BATCH, json!(most)).await.expect(202).data().len(), 1000);
    let more: Vec<Value> = (0..1001).map(event).collect();
    assert_eq!(provider.post(BATCH, json!(more)).await.expect(422).fields(), ["body"]);
    let lines: String = (0..1001).map(|n| format!("{}\n", event(n))).collect();
    let refused = provider.send(Method::POST, BATCH, Some("application/x-ndjson"), lines).await.expect(422);
    assert_eq!(refused.fields(), ["body"]);
    let large = format!("[{}]", " ".repeat(16 * 1024 * 1024));
    let refused = provider.send(Method::POST, BATCH, Some("application/json"), large).await.expect(413);
    assert_eq!(refused.code(), "too_large");
    for empty in ["[]", " [ ] "] {
        let refused = provider.send(Method::POST, BATCH, Some("application/json"), empty).await.expect(422);
        assert_eq!(refused.fields(), ["body"]);
    }
    let refused = provider.send(Method::POST, BATCH, Some("application/x-ndjson"), "\n\n").await.expect(422);
    assert_eq!(refused.fields(), ["body"]);
}

#[tokio::test]
async fn malformed_batches_are_400() {
    let app = App::start().await;
    let provider = app.provider();
    for (kind, body) in [
        ("application/json", "[{},"),
        ("application/json", ""),
        ("application/x-ndjson", "{\"event\":\"a.b\"\n{}"),
    ] {
        let refused = provider.send(Method::POST, BATCH, Some(kind), body).await.expect(400);
        assert_eq!(refused.code(), "malformed_json", "{body}");
    }
    let refused = provider.send(Method::POST, BATCH, Some("application/json"), "{}").await.expect(422);
    assert_eq!(refused.fields(), ["body"]);
    let single = provider.send(Method::POST, "/api/v1/event/", Some("application/x-ndjson"), "{}").await;
    single.expect(415);
    let request = Request::builder().method(Method::POST).uri(BATCH);
    let request = request.header("content-type", "application/json").header("idempotency-key", "k");
    let answer = provider.request(request.body(Body::from("[]")).unwrap()).await.expect(422);
    assert_eq!(answer.fields(), ["Idempotency-Key"]);
}
