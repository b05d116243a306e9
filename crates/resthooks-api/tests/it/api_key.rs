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

#[tokio::test]
async fn scopes_are_what_a_key_is_made_for() {
    let app = App::start().await;
    let provider = app.provider();
    for (body, scopes, role) in [
        (json!({"scopes": ["provider"]}), json!(["provider"]), json!("provider")),
        (json!({"scopes": ["consumer"], "account": "acme"}), json!(["consumer"]), json!("consumer")),
        (json!({"account": "acme"}), json!(["consumer"]), json!("consumer")),
        (json!({"role": "provider"}), json!(["provider"]), json!("provider")),
        (json!({"scopes": ["read", "emit"]}), json!(["emit", "read"]), json!(null)),
        (json!({"scopes": ["read"], "account": "acme"}), json!(["read"]), json!(null)),
    ] {
        let made = provider.post("/api/v1/api-key/", body.clone()).await.expect(201).json();
        assert_eq!((&made["scopes"], &made["role"]), (&scopes, &role), "{body}");
        assert_eq!(made["account"], body["account"]);
        assert_eq!((&made["expires_at"], &made["last_used_at"]), (&json!(null), &json!(null)));
        let listed = provider.get("/api/v1/api-key/").await.expect(200).data();
        let listed = listed.iter().find(|key| key["id"] == made["id"]).unwrap();
        assert_eq!(listed["scopes"], scopes);
    }
    for (body, field) in [
        (json!({"scopes": []}), "scopes"),
        (json!({"scopes": ["admin"]}), "scopes[0]"),
        (json!({"scopes": "emit"}), "scopes"),
        (json!({"scopes": ["provider", "read"]}), "scopes"),
        (json!({"scopes": ["consumer"]}), "account"),
        (json!({"scopes": ["provider"], "account": "acme"}), "account"),
        (json!({"scopes": ["emit"], "role": "provider"}), "role"),
        (json!({"role": "emit", "account": "acme"}), "role"),
        (json!({"scopes": ["emit"], "expires_at": "2020-01-01T00:00:00Z"}), "expires_at"),
        (json!({"scopes": ["emit"], "expires_at": "soon"}), "expires_at"),
    ] {
        let refused = provider.post("/api/v1/api-key/", body.clone()).await.expect(422);
        assert_eq!(refused.fields(), [field], "{body}");
    }
}

#[tokio::test]
async fn a_key_that_has_expired_says_so() {
    let app = App::start().await;
    let body = json!({"scopes": ["read"], "expires_at": "2026-01-02T03:05:05Z"});
    let made = app.provider().post("/api/v1/api-key/", body).await.expect(201).json();
    assert_eq!(made["expires_at"], "2026-01-02T03:05:05.000Z");
    let caller = app.with_key(made["key"].as_str().unwrap());
    caller.get("/api/v1/event/").await.expect(200);
    app.clock.advance(std::time::Duration::from_secs(60));
    let refused = caller.get("/api/v1/event/").await.expect(401);
    assert_eq!(refused.code(), "key_expired");
    assert!(refused.header("www-authenticate").unwrap().contains("error=\"invalid_token\""));
    let listed = app.provider().get("/api/v1/api-key/").await.expect(200).data();
    let listed = listed.iter().find(|key| key["id"] == made["id"]).unwrap();
    assert_eq!(listed["last_used_at"], "2026-01-02T03:04:05.000Z", "a refused use is none");
}
