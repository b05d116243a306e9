//! Tokens that admit.

use std::time::Duration;

use resthooks_api::credentials::StaticKeys;
use serde_json::{Value, json};

use super::signer::{By, NOW, SECRET, claims, header, options, signed, taking, token_with, with};
use crate::harness::{ADMIN, App};

#[tokio::test]
async fn a_token_of_each_kind_admits_to_its_account() {
    let app = App::start().await;
    let mut options = options(&app);
    options.keys.add_secret(SECRET).unwrap();
    let router = taking(&app, options);
    app.provider().emit("acme", "a.b", json!(1)).await;
    app.provider().emit("other", "a.b", json!(2)).await;
    for (algorithm, by) in [
        ("RS256", By::Rsa),
        ("PS256", By::RsaPss),
        ("ES256", By::P256),
        ("EdDSA", By::Ed25519),
        ("HS256", By::Hmac(SECRET)),
    ] {
        let caller = with(&router, &signed(&header(algorithm), &claims().to_string(), by));
        for _ in 0..2 {
            let events = caller.get("/api/v1/event/").await.expect(200).data();
            assert_eq!((events.len(), &events[0]["account"]), (1, &json!("acme")), "{algorithm}");
        }
        caller.get("/api/v1/event/?account=other").await.expect(404);
        caller.get("/api/v1/account/").await.expect(403);
        let made = caller.subscribe("acme", "a.b", "https://example.com/").await;
        assert_eq!(made["account"], "acme");
    }
    // Keys of ours go on admitting.
    with(&router, ADMIN).get("/api/v1/account/").await.expect(200);
    let trail = app.provider().get("/api/v1/audit/?action=subscription.created").await.data();
    assert!(trail.iter().all(|entry| entry["actor"] == "jwt:acme"), "{trail:?}");
}

/// Signed and put together by an implementation that is not ours (PyJWT), in every algorithm that there is.
#[tokio::test]
async fn tokens_made_elsewhere_admit() {
    let app = App::start().await;
    let made: Value = serde_json::from_str(include_str!("keys/made_elsewhere.json")).unwrap();
    let secret = made["secret"].as_str().unwrap();
    let mut by_file = StaticKeys::default();
    for pem in [
        include_str!("keys/rsa.pub.pem"),
        include_str!("keys/p256.pub.pem"),
        include_str!("keys/p384.pub.pem"),
        include_str!("keys/ed25519.pub.pem"),
    ] {
        by_file.add_pem(pem).unwrap();
    }
    let mut by_set = StaticKeys::default();
    by_set.add_jwks(include_str!("keys/jwks.json")).unwrap();
    for mut keys in [by_file, by_set] {
        keys.add_secret(secret.as_bytes()).unwrap();
        let mut options = options(&app);
        options.keys = keys;
        let router = taking(&app, options);
        let tokens = made["tokens"].as_array().unwrap();
        assert_eq!(tokens.len(), 12);
        for token in tokens {
            let caller = with(&router, token["token"].as_str().unwrap());
            let answer = caller.get("/api/v1/subscription/?account=tenant-7").await;
            assert_eq!(answer.status, 200, "{}: {}", token["alg"], answer.text());
        }
    }
}

#[tokio::test]
async fn a_claim_may_make_a_provider() {
    let app = App::start().await;
    let router = taking(&app, options(&app));
    let caller = with(&router, &token_with("scope", json!("openid hooks:admin")));
    caller.get("/api/v1/account/").await.expect(200);
    let event = json!({"account": "any", "event": "a.b", "data": 1});
    caller.post("/api/v1/event/", event.clone()).await.expect(202);
    let caller = with(&router, &token_with("scope", json!("openid hooks:adminx")));
    caller.get("/api/v1/account/").await.expect(403);
    caller.post("/api/v1/event/", event).await.expect(403);
}

#[tokio::test]
async fn a_nested_claim_may_name_the_account() {
    let app = App::start().await;
    let mut options = options(&app);
    options.account_claim = "tenant.id".parse().unwrap();
    let router = taking(&app, options);
    let caller = with(&router, &token_with("tenant", json!({"id": 42})));
    let made = caller.subscribe("42", "a.b", "https://example.com/").await;
    assert_eq!(made["account"], "42");
    with(&router, &token_with("tenant", json!("42"))).get("/api/v1/event/").await.expect(401);
}

/// Also one that was verified before, and is remembered.
#[tokio::test]
async fn a_token_that_has_expired_says_so() {
    let app = App::start().await;
    let router = taking(&app, options(&app));
    let caller = with(&router, &token_with("exp", json!(NOW + 10)));
    caller.get("/api/v1/event/").await.expect(200);
    app.clock.advance(Duration::from_secs(69));
    caller.get("/api/v1/event/").await.expect(200);
    app.clock.advance(Duration::from_secs(1));
    let fresh = with(&router, &token_with("exp", json!(NOW + 9)));
    for caller in [&caller, &fresh] {
        let refused = caller.get("/api/v1/event/").await.expect(401);
        assert_eq!(refused.code(), "token_expired");
        assert!(refused.header("www-authenticate").unwrap().contains("error=\"invalid_token\""));
    }
}

/// Unless it is configured, a token is nothing; and it is nothing in Basic.
#[tokio::test]
async fn tokens_are_taken_where_they_belong() {
    let app = App::start().await;
    let token = token_with("scope", json!("hooks:admin"));
    assert_eq!(app.with_key(&token).get("/api/v1/event/").await.expect(401).code(), "unauthorized");
    let router = taking(&app, options(&app));
    with(&router, &token).get("/api/v1/event/").await.expect(200);
    let basic = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, format!("{token}:"));
    let mut caller = with(&router, &token);
    caller.authorization = Some(format!("Basic {basic}"));
    caller.get("/api/v1/event/").await.expect(401);
    caller.authorization = None;
    let refused = caller.get(&format!("/api/v1/event/?access_token={token}")).await.expect(401);
    assert!(!refused.text().contains(&token));
}
