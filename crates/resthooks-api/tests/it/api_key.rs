//! `/api-key/`

use serde_json::json;

use crate::harness::App;

#[tokio::test]
async fn a_key_is_shown_once() {
    let app = App::start().await;
    let provider = app.provider();
    let made =
        provider.post("/api/v1/api-key/", json!({"account": "acme", "name": "theirs"})).await.expect(201);
    assert_eq!(made.header("cache-control"), Some("no-store"));
    let body = made.json();
    let id = body["id"].as_str().unwrap();
    let key = body["key"].as_str().unwrap();
    assert_eq!(made.header("location"), Some(format!("/api/v1/api-key/{id}/").as_str()));
    assert_eq!(
        (&body["account"], &body["name"], &body["role"]),
        (&json!("acme"), &json!("theirs"), &json!("consumer"))
    );
    let listed = provider.get("/api/v1/api-key/?account=acme").await.expect(200);
    assert_eq!(listed.data().len(), 1);
    assert!(!listed.text().contains(key));
    provider.delete(&format!("/api/v1/api-key/{id}/")).await.expect(204);
    provider.delete(&format!("/api/v1/api-key/{id}/")).await.expect(404);
}

#[tokio::test]
async fn a_providers_key_is_made_only_when_asked_for() {
    let app = App::start().await;
    let provider = app.provider();
    let missing = provider.post("/api/v1/api-key/", json!({"name": "x"})).await.expect(422);
    assert_eq!(missing.fields(), ["account"]);
    let both =
        provider.post("/api/v1/api-key/", json!({"role": "provider", "account": "acme"})).await.expect(422);
    assert_eq!(both.fields(), ["account"]);
    let made = provider.post("/api/v1/api-key/", json!({"role": "provider"})).await.expect(201).json();
    assert_eq!(made["account"], json!(null));
    app.with_key(made["key"].as_str().unwrap()).get("/api/v1/account/").await.expect(200);
}

#[tokio::test]
async fn names_are_bounded() {
    let app = App::start().await;
    let body = json!({"account": "acme", "name": "x".repeat(1000)});
    assert_eq!(app.provider().post("/api/v1/api-key/", body).await.expect(422).fields(), ["name"]);
    let body = json!({"account": "x".repeat(129)});
    assert_eq!(app.provider().post("/api/v1/api-key/", body).await.expect(422).fields(), ["account"]);
}
