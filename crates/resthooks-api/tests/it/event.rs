//! `/event/` and `/event/:id/…`

use axum::body::Body;
use axum::extract::Request;
use http::Method;
use serde_json::{Value, json};

use crate::harness::{Answer, App, Client};

const LIST: &str = "/api/v1/event/";
const MIB: usize = 1024 * 1024;

async fn post_text(caller: &Client, body: impl Into<Body>) -> Answer {
    caller.send(Method::POST, LIST, Some("application/json"), body).await
}

#[tokio::test]
async fn an_event_is_accepted_and_read_back_byte_for_byte() {
    let app = App::start().await;
    let provider = app.provider();
    provider.subscribe("acme", "contact.*", "http://127.0.0.1:9/").await;
    let data = "{ \"b\": 1.50,\"a\" :[ ],\"é\":\"\\u00e9\", \"n\":1e400 }";
    let body = format!("{{\"event\": \"contact.create\", \"account\": \"acme\", \"data\":  {data} }}");
    let receipt = post_text(&provider, body).await.expect(202);
    assert_eq!(receipt.header("content-type"), Some("application/json"));
    let receipt = receipt.json();
    assert_eq!(receipt.as_object().unwrap().len(), 5);
    assert_eq!((&receipt["event"], &receipt["account"]), (&json!("contact.create"), &json!("acme")));
    assert_eq!(receipt["matched"], 1);
    assert_eq!(receipt["created_at"], "2026-01-02T03:04:05.000Z");
    let id = receipt["id"].as_str().unwrap();
    assert!(id.starts_with("evt_"));
    let consumer = app.consumer("acme").await;
    let read = consumer.get(&format!("{LIST}{id}/")).await.expect(200);
    assert!(read.text().contains(&format!("\"data\":{data}")), "{}", read.text());
    assert!(consumer.get(LIST).await.expect(200).text().contains(data));
}

#[tokio::test]
async fn an_id_makes_the_call_repeatable() {
    let app = App::start().await;
    let provider = app.provider();
    let body = json!({"event": "a.b", "account": "acme", "data": {"n": 1}, "id": "order-1"});
    let first = provider.post(LIST, body.clone()).await.expect(202);
    app.clock.advance(std::time::Duration::from_secs(60));
    let again = provider.post(LIST, body).await.expect(202);
    assert_eq!(first.body, again.body);
    let other = json!({"event": "a.b", "account": "acme", "data": {"n": 2}, "id": "order-1"});
    assert_eq!(provider.post(LIST, other).await.expect(409).code(), "idempotency_conflict");
    let elsewhere = json!({"event": "a.b", "account": "other", "data": {"n": 2}, "id": "order-1"});
    provider.post(LIST, elsewhere).await.expect(202);
    assert_eq!(provider.get(&format!("{LIST}order-1/")).await.expect(409).code(), "ambiguous_id");
    provider.get(&format!("{LIST}order-1/?account=other")).await.expect(200);
    assert_eq!(app.consumer("acme").await.get(LIST).await.data().len(), 1);
}

#[tokio::test]
async fn the_header_means_the_same_as_the_id() {
    let app = App::start().await;
    let send = async |key: &str, body: Value| {
        let request = Request::builder().method(Method::POST).uri(LIST);
        let request = request.header("content-type", "application/json").header("idempotency-key", key);
        app.provider().request(request.body(Body::from(body.to_string())).unwrap()).await
    };
    let bare = json!({"event": "a.b", "account": "acme", "data": 1});
    assert_eq!(send("\"k-1\"", bare.clone()).await.expect(202).json()["id"], "k-1");
    assert_eq!(send("k-1", bare.clone()).await.expect(202).json()["id"], "k-1");
    let with = json!({"event": "a.b", "account": "acme", "data": 1, "id": "k-1"});
    send("k-1", with.clone()).await.expect(202);
    assert_eq!(send("k-2", with).await.expect(422).fields(), ["id"]);
    assert_eq!(send("not a key", bare).await.expect(422).fields(), ["Idempotency-Key"]);
    assert_eq!(app.provider().get(LIST).await.data().len(), 1);
}

/// Must hold: 1 MiB of data exactly is taken, one byte more is 413, with and without an announced length.
#[tokio::test]
async fn data_has_a_limit() {
    let app = App::start().await;
    let provider = app.provider();
    for (bytes, status) in [(MIB, 202), (MIB + 1, 413), (2 * MIB, 413)] {
        let body =
            format!("{{\"event\":\"a.b\",\"account\":\"acme\",\"data\":\"{}\"}}", "x".repeat(bytes - 2));
        let announced = post_text(&provider, body.clone()).await.expect(status);
        let chunks: Vec<Result<_, std::io::Error>> =
            body.as_bytes().chunks(10_000).map(|chunk| Ok(chunk.to_vec())).collect();
        let chunked = Body::from_stream(Chunks(chunks.into_iter()));
        let unannounced = post_text(&provider, chunked).await.expect(status);
        if status == 413 {
            assert_eq!((announced.code(), unannounced.code()), ("too_large".into(), "too_large".into()));
        }
        if bytes == MIB + 1 {
            assert_eq!(announced.fields(), ["data"]);
        }
    }
}

/// A stream over pieces that are there already.
struct Chunks<I>(I);

impl<I: Iterator + Unpin> futures_core::Stream for Chunks<I> {
    type Item = I::Item;
    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        std::task::Poll::Ready(self.0.next())
    }
}

#[tokio::test]
async fn what_is_wrong_is_named() {
    let app = App::start().await;
    let provider = app.provider();
    assert_eq!(provider.post(LIST, json!({})).await.expect(422).fields(), ["event", "account", "data"]);
    let bad = json!({"event": "a", "account": "a b", "data": 1, "id": "", "created_at": 5, "order_key": {}, "x": 1});
    let mut fields = provider.post(LIST, bad).await.expect(422).fields();
    fields.sort();
    assert_eq!(fields, ["account", "created_at", "event", "id", "order_key", "x"]);
    for name in ["batch", "stream", ".", ".."] {
        let body = json!({"event": "a.b", "account": "acme", "data": 1, "id": name});
        assert_eq!(provider.post(LIST, body).await.expect(422).fields(), ["id"], "{name}");
    }
    let long = json!({"event": "a.b", "account": "acme", "data": 1, "order_key": "k".repeat(257)});
    assert_eq!(provider.post(LIST, long).await.expect(422).fields(), ["order_key"]);
    let deep = format!("{}{}", "[".repeat(129), "]".repeat(129));
    let body = format!("{{\"event\":\"a.b\",\"account\":\"acme\",\"data\":{deep}}}");
    assert_eq!(post_text(&provider, body).await.expect(422).fields(), ["data"]);
    let null = json!({"event": "a.b", "account": "acme", "data": null});
    provider.post(LIST, null).await.expect(202);
    let query =
        provider.post(&format!("{LIST}?account=acme"), json!({"event": "a.b", "data": 1})).await.expect(202);
    assert_eq!(query.json()["account"], "acme");
}

#[tokio::test]
async fn lists_are_filtered_and_paged() {
    let app = App::start().await;
    let provider = app.provider();
    for (account, event, at) in [
        ("acme", "a.b", "2026-01-01T00:00:00Z"),
        ("acme", "c.d", "2026-01-02T00:00:00Z"),
        ("other", "a.b", "2026-01-03T00:00:00+00:00"),
        ("acme", "a.b", "2026-01-04T00:00:00Z"),
    ] {
        let body = json!({"account": account, "event": event, "data": at, "created_at": at});
        provider.post(LIST, body).await.expect(202);
    }
    let days = async |query: &str| -> Vec<String> {
        let items = provider.get(&format!("{LIST}{query}")).await.expect(200).data();
        items.iter().map(|item| item["created_at"].as_str().unwrap()[8..10].to_owned()).collect()
    };
    assert_eq!(days("").await, ["04", "03", "02", "01"]);
    assert_eq!(days("?account=acme").await, ["04", "02", "01"]);
    assert_eq!(days("?event=a.b").await, ["04", "03", "01"]);
    assert_eq!(days("?account=acme&event=a.b&limit=1").await, ["04"]);
    assert_eq!(days("?since=2026-01-02T00:00:00Z&until=2026-01-04T00:00:00Z").await, ["03", "02"]);
    let first = provider.get(&format!("{LIST}?account=acme&limit=2")).await.expect(200).json();
    let rest = format!("?account=acme&limit=2&cursor={}", first["next_cursor"].as_str().unwrap());
    assert_eq!(days(&rest).await, ["01"]);
    for (query, field) in [
        ("?since=yesterday", "since"),
        ("?until=2026-01-01", "until"),
        ("?event=a", "event"),
        ("?cursor=order-1", "cursor"),
        ("?after=evt_x", "after"),
    ] {
        assert_eq!(provider.get(&format!("{LIST}{query}")).await.expect(422).fields(), [field]);
    }
}

/// A page ends early rather than growing with what was emitted.
#[tokio::test]
async fn a_page_is_bounded_in_bytes() {
    let app = App::start().await;
    let provider = app.provider();
    for _ in 0..10 {
        let body = format!("{{\"event\":\"a.b\",\"account\":\"acme\",\"data\":\"{}\"}}", "x".repeat(MIB - 2));
        post_text(&provider, body).await.expect(202);
    }
    let mut path = LIST.to_owned();
    let mut counts = Vec::new();
    loop {
        let answer = provider.get(&path).await.expect(200);
        counts.push(answer.data().len());
        let Some(cursor) = answer.json()["next_cursor"].as_str().map(str::to_owned) else { break };
        path = format!("{LIST}?cursor={cursor}");
    }
    assert_eq!(counts, [8, 2]);
}

/// Pages are read in steps: none is skipped or shown twice where one ends.
#[tokio::test]
async fn a_long_list_is_whole() {
    let app = App::start().await;
    let provider = app.provider();
    let events: Vec<Value> =
        (0..300).map(|n| json!({"event": "a.b", "account": "acme", "data": n})).collect();
    provider.post("/api/v1/event/batch/", json!(events)).await.expect(202);
    let mut path = format!("{LIST}?limit=120");
    let mut found = Vec::new();
    let mut counts = Vec::new();
    loop {
        let answer = provider.get(&path).await.expect(200);
        counts.push(answer.data().len());
        found.extend(answer.data().iter().map(|item| item["data"].as_u64().unwrap()));
        let Some(cursor) = answer.json()["next_cursor"].as_str().map(str::to_owned) else { break };
        path = format!("{LIST}?limit=120&cursor={cursor}");
    }
    assert_eq!(counts, [120, 120, 60]);
    assert_eq!(found, (0..300).rev().collect::<Vec<u64>>());
}

#[tokio::test]
async fn what_became_of_an_event_is_read_through_it() {
    let app = App::start().await;
    let provider = app.provider();
    let mut subscriptions = Vec::new();
    for n in 0..3 {
        let made = provider.subscribe("acme", "a.b", &format!("http://127.0.0.1:9/{n}")).await;
        subscriptions.push(made["id"].as_str().unwrap().to_owned());
    }
    let receipt = provider.emit("acme", "a.b", json!(1)).await;
    assert_eq!(receipt["matched"], 3);
    let path = format!("{LIST}{}/delivery/", receipt["id"].as_str().unwrap());
    let consumer = app.consumer("acme").await;
    let first = consumer.get(&format!("{path}?limit=2")).await.expect(200);
    let cursor = first.json()["next_cursor"].as_str().unwrap().to_owned();
    let rest = consumer.get(&format!("{path}?limit=2&cursor={cursor}")).await.expect(200);
    let mut found: Vec<_> = [first.data(), rest.data()].concat();
    found.sort_by_key(|delivery| delivery["subscription"].as_str().unwrap().to_owned());
    subscriptions.sort();
    for (delivery, subscription) in found.iter().zip(&subscriptions) {
        assert_eq!(delivery["subscription"], **subscription);
        assert_eq!((&delivery["event"], &delivery["event_type"]), (&receipt["id"], &json!("a.b")));
        assert!(delivery["id"].as_str().unwrap().starts_with("dlv_"));
    }
    assert_eq!(found.len(), 3);
}
