//! Who may ask at all: decided before anything else of a request is looked at.

use base64::Engine as _;
use serde_json::json;

use crate::harness::{ADMIN, App, Client};
use crate::routes::{filled, operations};

/// Every route but the open ones, without a key, with a wrong one and with a broken header: 401, whatever else is
/// wrong with the request.
#[tokio::test]
async fn every_route_wants_a_key() {
    let app = App::start().await;
    let document = app.anonymous().get("/openapi.json").await.json();
    let mut walked = 0;
    for (method, path, operation) in operations(&document) {
        let open = operation["security"].as_array().unwrap().is_empty();
        let path = filled(&path, "sub_x", "a.b");
        for authorization in [None, Some("Bearer wrong"), Some("Bearer"), Some("Token x"), Some("Basic !")] {
            let caller =
                Client { router: app.router.clone(), authorization: authorization.map(str::to_owned) };
            for (path, body) in [(path.clone(), "{}"), (format!("{path}?nonsense=1"), "{\"malformed")] {
                let answer = caller.send(method.clone(), &path, Some("application/json"), body).await;
                if open {
                    assert_ne!(answer.status, 401, "{method} {path}");
                    continue;
                }
                let answer = answer.expect(401);
                assert_eq!(answer.code(), "unauthorized");
                let challenge = answer.header("www-authenticate").unwrap();
                assert!(challenge.contains("Bearer ") && challenge.contains("Basic "), "{challenge}");
                walked += 1;
            }
        }
    }
    assert!(walked > 200, "{walked}");
}

#[tokio::test]
async fn a_key_comes_as_bearer_or_basic() {
    let app = App::start().await;
    let basic = |text: String| format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(text));
    for authorization in [
        format!("Bearer {ADMIN}"),
        format!("bearer {ADMIN}"),
        basic(format!("{ADMIN}:")),
        basic(format!("{ADMIN}:ignored")),
        basic(ADMIN.to_owned()),
    ] {
        let caller = Client { router: app.router.clone(), authorization: Some(authorization) };
        caller.get("/api/v1/account/").await.expect(200);
    }
    let caller = Client { router: app.router.clone(), authorization: Some(basic(format!(":{ADMIN}"))) };
    caller.get("/api/v1/account/").await.expect(401);
}

#[tokio::test]
async fn two_credentials_are_none() {
    let app = App::start().await;
    let request = axum::extract::Request::builder()
        .uri("/api/v1/account/")
        .header("authorization", format!("Bearer {ADMIN}"))
        .header("authorization", format!("Bearer {ADMIN}"))
        .body(axum::body::Body::empty())
        .unwrap();
    app.anonymous().request(request).await.expect(401);
}

/// A consumer on each of the provider's routes: 403, before the request is looked at.
#[tokio::test]
async fn the_providers_routes_are_closed_to_consumers() {
    let app = App::start().await;
    let consumer = app.consumer("acme").await;
    let document = consumer.get("/openapi.json").await.json();
    let mut walked = Vec::new();
    for (method, path, operation) in operations(&document) {
        let scopes = operation["x-scopes"].as_array();
        if scopes.is_none_or(|scopes| scopes.contains(&json!("consumer"))) {
            continue;
        }
        let answer = consumer.send(method.clone(), &filled(&path, "acme", "a.b"), None, "{\"malformed").await;
        assert_eq!(answer.expect(403).code(), "forbidden", "{method} {path}");
        walked.push(format!("{method} {path}"));
    }
    assert!(walked.len() >= 14, "{walked:?}");
}

#[tokio::test]
async fn a_deleted_key_admits_to_nothing() {
    let app = App::start().await;
    let made = app.provider().post("/api/v1/api-key/", json!({"account": "acme"})).await.expect(201).json();
    let caller = app.with_key(made["key"].as_str().unwrap());
    caller.get("/api/v1/subscription/").await.expect(200);
    app.provider().delete(&format!("/api/v1/api-key/{}/", made["id"].as_str().unwrap())).await.expect(204);
    caller.get("/api/v1/subscription/").await.expect(401);
}
