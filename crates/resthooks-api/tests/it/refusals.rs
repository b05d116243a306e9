//! Must hold: every route refuses what is malformed, unknown, of the wrong type, too long or too large, as a problem
//! that names the field. Walks the document, so that a new route is held to the same.

use http::Method;
use serde_json::{Map, Value, json};

use crate::harness::{App, Client};
use crate::routes::operations;

const JSON: Option<&str> = Some("application/json");

/// Everything that a route with a body and its ids needs to get as far as its body.
struct Case {
    method: Method,
    path: String,
    operation: Value,
}

async fn cases(app: &App) -> Vec<Case> {
    let provider = app.provider();
    let subscription = provider.subscribe("acme", "a.b", "http://127.0.0.1:9/").await;
    let event = provider.emit("acme", "a.b", json!(1)).await;
    let delivery = provider.get(&format!("/api/v1/event/{}/delivery/", event["id"].as_str().unwrap())).await;
    let delivery = delivery.data().remove(0);
    let key = provider.post("/api/v1/api-key/", json!({"account": "acme"})).await.expect(201).json();
    let document = provider.get("/openapi.json").await.json();
    let resolved = |operation: Value| -> Value { resolve(&document, operation) };
    operations(&document)
        .into_iter()
        .filter(|(_, _, operation)| !operation["security"].as_array().unwrap().is_empty())
        .map(|(method, path, operation)| {
            let id = match &path {
                path if path.contains("/subscription/") => &subscription["id"],
                path if path.contains("/event/") => &event["id"],
                path if path.contains("/delivery/") => &delivery["id"],
                path if path.contains("/api-key/") => &key["id"],
                _ => &json!("acme"),
            };
            let path = path.replace("{id}", id.as_str().unwrap()).replace("{name}", "a.b");
            Case { method, path, operation: resolved(operation) }
        })
        .collect()
}

/// Puts schemas in the place of references to them.
fn resolve(document: &Value, value: Value) -> Value {
    match value {
        Value::Object(map) => {
            if let Some(reference) = map.get("$ref").and_then(Value::as_str) {
                let found = document.pointer(reference.trim_start_matches('#')).unwrap().clone();
                return resolve(document, found);
            }
            Value::Object(map.into_iter().map(|(k, v)| (k, resolve(document, v))).collect())
        }
        Value::Array(list) => Value::Array(list.into_iter().map(|v| resolve(document, v)).collect()),
        other => other,
    }
}

impl Case {
    fn what(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// The members of the body, if it is an object; those of its items, if it is a list.
    fn members(&self) -> Option<(Map<String, Value>, bool)> {
        let schema = &self.operation["requestBody"]["content"]["application/json"]["schema"];
        if schema.is_null() {
            return None;
        }
        let one_of =
            schema["oneOf"].as_array().and_then(|all| all.iter().find(|s| s["properties"].is_object()));
        let schema = one_of.unwrap_or(schema);
        match schema["properties"].as_object() {
            Some(members) => Some((members.clone(), false)),
            None => Some((schema["items"]["properties"].as_object().unwrap().clone(), true)),
        }
    }

    async fn send(&self, caller: &Client, body: impl Into<axum::body::Body>) -> crate::harness::Answer {
        caller.send(self.method.clone(), &self.path, JSON, body).await
    }
}

#[tokio::test]
async fn unknown_and_repeated_query_parameters() {
    let app = App::start().await;
    let provider = app.provider();
    for case in cases(&app).await {
        let path = format!("{}?nonsense=1", case.path);
        let refused = provider.send(case.method.clone(), &path, JSON, "{}").await.expect(422);
        assert_eq!(refused.fields(), ["nonsense"], "{}", case.what());
        for parameter in case.operation["parameters"].as_array().cloned().unwrap_or_default() {
            if parameter["in"] != "query" {
                continue;
            }
            let name = parameter["name"].as_str().unwrap();
            let path = format!("{}?{name}=%00%FF", case.path);
            let refused = provider.send(case.method.clone(), &path, JSON, "{}").await.expect(422);
            assert_eq!(refused.fields(), [name], "{} ?{name}", case.what());
            let path = format!("{}?{name}=1&{name}=1", case.path);
            let refused = provider.send(case.method.clone(), &path, JSON, "{}").await.expect(422);
            assert!(refused.fields().iter().all(|field| field == name), "{} ?{name}", case.what());
        }
    }
}

#[tokio::test]
async fn malformed_bodies() {
    let app = App::start().await;
    let provider = app.provider();
    let mut walked = 0;
    for case in cases(&app).await {
        // Routes that need no body look at one all the same; those that read or delete have none.
        if matches!(case.method, Method::GET | Method::DELETE) {
            continue;
        }
        walked += 1;
        for body in
            ["{", "{\"a\":}", "nul", "{}}", "{\"a\":1,}", "{\"a\":\"\u{1}\"}", "\u{feff}{}", "{'a':1}"]
        {
            let refused = case.send(&provider, body).await.expect(400);
            assert_eq!(refused.code(), "malformed_json", "{} {body}", case.what());
            assert!(refused.text().contains("column"), "{}", refused.text());
        }
        for body in [&b"{\"\xff\":1}"[..], b"{\"name\":\"\xc3\x28\"}", b"\xff\xfe{\0}\0"] {
            let refused = case.send(&provider, body).await.expect(400);
            assert_eq!(refused.code(), "malformed_json", "{}", case.what());
        }
        for kind in
            [None, Some("text/plain"), Some("application/x-www-form-urlencoded"), Some("multipart/form-data")]
        {
            let refused = provider.send(case.method.clone(), &case.path, kind, "{}").await.expect(415);
            assert_eq!(refused.code(), "unsupported_media_type", "{}", case.what());
        }
        let is_list = case.members().is_some_and(|(_, is_list)| is_list);
        for body in ["5", "\"x\"", "null", "true", if is_list { "{}" } else { "[]" }] {
            let refused = case.send(&provider, body).await.expect(422);
            assert_eq!(refused.fields(), ["body"], "{} {body}", case.what());
        }
        let large = format!("{{\"data\":\"{}\"}}", "x".repeat(1024 * 1024 - 1));
        let large = if is_list { format!("[{large}]") } else { large };
        let refused = case.send(&provider, large).await;
        if case.path.ends_with("/verify/") {
            // It takes the largest body that is ever sent, in base64.
            refused.expect(422);
            let hook = json!({"subscription": "sub_x", "headers": {}, "body": "x".repeat(4 * 1024 * 1024)});
            assert_eq!(case.send(&provider, hook.to_string()).await.expect(413).code(), "too_large");
        } else if case.path.ends_with("/event/") || is_list {
            // The data is a byte too large here, but the event wants for more than that.
            refused.expect(422);
            let event = json!({"event": "a.b", "account": "acme", "data": "x".repeat(1024 * 1024 - 1)});
            let body = if is_list { json!([event]) } else { event };
            assert_eq!(case.send(&provider, body.to_string()).await.expect(413).code(), "too_large");
        } else {
            assert_eq!(refused.expect(413).code(), "too_large", "{}", case.what());
        }
    }
    assert_eq!(walked, 17);
}

#[tokio::test]
async fn unknown_members_and_wrong_types() {
    let app = App::start().await;
    let provider = app.provider();
    let mut walked = 0;
    for case in cases(&app).await {
        let Some((members, is_list)) = case.members() else { continue };
        let place = |name: &str| if is_list { format!("[0].{name}") } else { name.to_owned() };
        let wrap = |body: Value| if is_list { json!([body]) } else { body };
        let unknown = wrap(json!({"nonsense": 1}));
        let refused = case.send(&provider, unknown.to_string()).await.expect(422);
        assert!(refused.fields().contains(&place("nonsense")), "{}: {}", case.what(), refused.text());
        for (name, schema) in &members {
            // Any value will do for these two.
            if name == "data" || name == "sample" {
                continue;
            }
            let takes_objects = schema["type"].to_string().contains("object");
            let wrong = if takes_objects || name == "schema" { json!(5) } else { json!({"wrong": true}) };
            let refused = case.send(&provider, wrap(json!({name: wrong})).to_string()).await.expect(422);
            let fields = refused.fields();
            let named =
                fields.iter().any(|field| *field == place(name) || (name == "schema" && field == "name"));
            assert!(named, "{} {name}: {}", case.what(), refused.text());
            let text = if is_list {
                format!("[{{\"{name}\":1,\"{name}\":1}}]")
            } else {
                format!("{{\"{name}\":1,\"{name}\":1}}")
            };
            let refused = case.send(&provider, text).await.expect(422);
            assert!(refused.text().contains("occurs twice"), "{} {name}: {}", case.what(), refused.text());
            walked += 1;
        }
    }
    assert!(walked > 100, "{walked}");
}

/// An answer repeats of a request no more than it needs to.
#[tokio::test]
async fn refusals_stay_small() {
    let app = App::start().await;
    let long = "x".repeat(500_000);
    for body in [
        json!({long.clone(): 1}),
        json!({"account": long}),
        json!({"active": long}),
        json!({"events": [long]}),
    ] {
        let refused = app.provider().post("/api/v1/subscription/", body).await.expect(422);
        assert!(refused.body.len() < 2000, "{}", refused.body.len());
    }
    let path = format!("/api/v1/subscription/?{}=1", "x".repeat(10_000));
    let refused = app.provider().get(&path).await.expect(422);
    assert!(refused.body.len() < 2000, "{}", refused.body.len());
}

/// Compressed bodies are not taken for JSON.
#[tokio::test]
async fn compressed_bodies_are_refused() {
    let app = App::start().await;
    let request = axum::extract::Request::builder()
        .method(Method::POST)
        .uri("/api/v1/event/")
        .header("content-type", "application/json")
        .header("content-encoding", "gzip")
        .body(axum::body::Body::from("{}"))
        .unwrap();
    app.provider().request(request).await.expect(415);
}
