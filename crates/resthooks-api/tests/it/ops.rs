//! `/healthz`, `/readyz`, `/metrics`, `/openapi.json`, `/docs`.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::App;
use crate::routes::operations;

#[tokio::test]
async fn health_and_readiness() {
    let app = App::start().await;
    let anonymous = app.anonymous();
    assert_eq!(anonymous.get("/healthz").await.expect(200).json(), json!({"status": "ok"}));
    assert_eq!(anonymous.get("/readyz").await.expect(200).json(), json!({"status": "ready"}));
    app.hooks.shutdown(Duration::from_secs(1)).await;
    assert_eq!(anonymous.get("/healthz").await.expect(200).json(), json!({"status": "ok"}));
    let refused = anonymous.get("/readyz").await.expect(503);
    assert_eq!(refused.code(), "not_ready");
    assert_eq!(refused.header("retry-after"), Some("1"));
}

#[tokio::test]
async fn after_the_stop_events_are_refused_with_503() {
    let app = App::start().await;
    app.hooks.shutdown(Duration::from_secs(1)).await;
    let body = json!({"account": "a", "event": "a.b", "data": 1});
    let refused = app.provider().post("/api/v1/event/", body).await.expect(503);
    assert_eq!(refused.code(), "unavailable");
    assert!(refused.header("retry-after").is_some());
}

/// Every sample belongs to a described metric, and nothing tells of an account.
#[tokio::test]
async fn metrics_are_described_and_anonymous() {
    let app = App::start().await;
    app.provider().subscribe("needle", "a.b", "http://example.com:9/needle").await;
    app.provider().emit("needle", "c.d", json!("needle")).await;
    let answer = app.anonymous().get("/metrics").await.expect(200);
    assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let text = answer.text();
    assert!(!text.contains("needle"));
    assert!(text.contains("\nresthooks_events_accepted_total 1\n"), "{text}");
    assert!(text.contains("\nresthooks_subscriptions 1\n"), "{text}");
    let described = |kind: &str| -> BTreeSet<String> {
        let prefix = format!("# {kind} ");
        let lines = text.lines().filter_map(|line| line.strip_prefix(&prefix));
        lines.map(|line| line.split(' ').next().unwrap().to_owned()).collect()
    };
    assert_eq!(described("HELP"), described("TYPE"));
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (name, value) = line.split_once(' ').unwrap();
        value.parse::<f64>().unwrap();
        let name = name.split('{').next().unwrap();
        let family =
            ["_bucket", "_sum", "_count"].iter().fold(name, |n, end| n.strip_suffix(end).unwrap_or(n));
        assert!(described("TYPE").contains(family), "{line}");
    }
}

/// Every reference leads somewhere, every operation can be called by name, and every refusal is a problem.
#[tokio::test]
async fn the_document_is_whole() {
    let app = App::builder().api({
        let mut options = resthooks_api::Options::default();
        options.public_url = Some("https://hooks.example.com/".to_owned());
        options
    });
    let app = app.start().await;
    let document = app.anonymous().get("/openapi.json").await.expect(200).json();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    assert_eq!(document["servers"][0]["url"], "https://hooks.example.com");
    let mut references = Vec::new();
    collect(&document, &mut references);
    for reference in references {
        let found = document.pointer(reference.trim_start_matches('#'));
        assert!(found.is_some(), "{reference}");
    }
    let mut ids = BTreeSet::new();
    for (method, path, operation) in operations(&document) {
        assert!(ids.insert(operation["operationId"].as_str().unwrap().to_owned()));
        for part in ["summary", "tags"] {
            assert!(!operation[part].is_null(), "{part} of {method} {path}");
        }
        let responses = operation["responses"].as_object().unwrap();
        assert!(responses.keys().any(|status| status.starts_with('2')), "{method} {path}");
        for (status, response) in responses.iter().filter(|(status, _)| status.as_str() >= "4") {
            let schema = &response["content"]["application/problem+json"]["schema"]["$ref"];
            assert_eq!(schema, "#/components/schemas/Problem", "{method} {path} {status}");
        }
        let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
        for segment in path.split('/').filter_map(|s| s.strip_prefix('{')?.strip_suffix('}')) {
            assert!(
                parameters.iter().any(|p| p["in"] == "path" && p["name"] == segment),
                "{segment} of {path}"
            );
        }
    }
}

fn collect(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            found.extend(map.get("$ref").and_then(Value::as_str).map(str::to_owned));
            map.values().for_each(|value| collect(value, found));
        }
        Value::Array(list) => list.iter().for_each(|value| collect(value, found)),
        _ => {}
    }
}

#[tokio::test]
async fn the_page_is_closed_to_all_else() {
    let app = App::start().await;
    let answer = app.anonymous().get("/docs").await.expect(200);
    assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"));
    assert!(answer.header("content-security-policy").unwrap().starts_with("default-src 'none'"));
    assert!(answer.text().contains("curl -X POST"));
}
