//! A proxy's header, through the router: from the proxy it says who asks, from anybody else it says nothing. And whoever
//! has proved itself, in whichever way, is counted as who it is.

use std::num::NonZeroU32;
use std::sync::Arc;

use axum::body::Body;
use axum::{Extension, Router};
use http::{HeaderName, Request};
use resthooks_api::credentials::{Jwt, TrustedProxy};
use resthooks_api::{Options, PeerAddress, RateLimit};
use serde_json::json;

use crate::harness::{ADMIN, Answer, App, Client};
use crate::jwt::signer::{options as jwt_options, token_with};

const EVENTS: &str = "/api/v1/event/";

fn trusting(from: &[&str]) -> Options {
    let from = from.iter().map(|text| text.parse().unwrap()).collect();
    let mut options = Options::default();
    options.credentials.proxy = Some(TrustedProxy::new(HeaderName::from_static("x-account"), from).unwrap());
    options
}

/// A request over a connection from this address, with these headers.
async fn ask(router: &Router, peer: Option<&str>, headers: &[(&str, &str)]) -> Answer {
    let router = match peer {
        Some(peer) => router.clone().layer(Extension(PeerAddress::new(peer.parse().unwrap()))),
        None => router.clone(),
    };
    let request =
        headers.iter().fold(Request::get(EVENTS), |request, (name, value)| request.header(*name, *value));
    Client { router, authorization: None }.request(request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn the_proxy_says_whose_a_request_is() {
    let app = App::start().await;
    for account in ["acme", "other"] {
        app.provider().emit(account, "a.b", json!(1)).await;
    }
    let router =
        resthooks_api::router(app.hooks.clone(), trusting(&["10.0.0.0/8", "192.0.2.7/32", "2001:db8::/64"]));
    for peer in
        ["10.0.0.1", "10.255.255.255", "::ffff:10.0.0.1", "192.0.2.7", "::ffff:192.0.2.7", "2001:db8::9"]
    {
        let events = ask(&router, Some(peer), &[("x-account", "acme")]).await.expect(200).data();
        assert_eq!((events.len(), &events[0]["account"]), (1, &json!("acme")), "{peer}");
    }
    let caller = Client {
        router: router.clone().layer(Extension(PeerAddress::new("10.0.0.1".parse().unwrap()))),
        authorization: None,
    };
    let body = json!({"event": "a.b", "target_url": "https://example.com/"}).to_string();
    let request = Request::post("/api/v1/subscription/").header("x-account", "acme");
    let request = request.header("content-type", "application/json").body(Body::from(body)).unwrap();
    assert_eq!(caller.request(request).await.expect(201).json()["account"], "acme");
    let trail = app.provider().get("/api/v1/audit/?action=subscription.created").await.data();
    assert_eq!(trail[0]["actor"], "proxy:acme");
}

#[tokio::test]
async fn from_elsewhere_it_says_nothing() {
    let app = App::start().await;
    let router = resthooks_api::router(app.hooks.clone(), trusting(&["10.0.0.0/8", "2001:db8::/64"]));
    for peer in [
        "9.255.255.255",
        "11.0.0.0",
        "127.0.0.1",
        "::1",
        "::ffff:11.0.0.1",
        "::10.0.0.1",
        "64:ff9b::10.0.0.1",
        "2001:db8:0:1::1",
        "fe80::1",
    ] {
        for values in [&[("x-account", "acme")][..], &[("x-account", "acme"), ("x-account", "acme")]] {
            let refused = ask(&router, Some(peer), values).await.expect(401);
            assert_eq!(refused.code(), "unauthorized", "{peer}");
        }
        // What else is shown counts there as ever.
        let admin = format!("Bearer {ADMIN}");
        ask(&router, Some(peer), &[("x-account", "acme"), ("authorization", &admin)]).await.expect(200);
    }
    // Nor where nobody knows where a request comes from, whatever it says of that itself.
    for said in [
        &[("x-account", "acme")][..],
        &[("x-account", "acme"), ("x-forwarded-for", "10.0.0.1")],
        &[("x-account", "acme"), ("forwarded", "for=10.0.0.1")],
        &[("x-account", "acme"), ("x-real-ip", "10.0.0.1")],
    ] {
        ask(&router, None, said).await.expect(401);
        ask(&router, Some("11.0.0.1"), said).await.expect(401);
    }
}

#[tokio::test]
async fn what_the_proxy_can_not_mean_is_refused() {
    let app = App::start().await;
    let mut options = trusting(&["10.0.0.1/32"]);
    options.credentials.jwt = Some(Arc::new(Jwt::new(jwt_options(&app))));
    let router = resthooks_api::router(app.hooks.clone(), options);
    let token = format!("Bearer {}", token_with("sub", json!("other")));
    let long = "x".repeat(129);
    for values in
        [&["acme", "acme"][..], &["acme", "other"], &[""], &["a b"], &["acme,other"], &["é"], &[&long]]
    {
        let mut headers: Vec<_> = values.iter().map(|value| ("x-account", *value)).collect();
        ask(&router, Some("10.0.0.1"), &headers).await.expect(401);
        // And no other way is taken then: what the proxy lets through is not who it meant.
        headers.push(("authorization", &token));
        ask(&router, Some("10.0.0.1"), &headers).await.expect(401);
    }
    ask(&router, Some("10.0.0.1"), &[("authorization", &token)]).await.expect(200);
    ask(&router, Some("10.0.0.1"), &[]).await.expect(401);
}

/// A key of ours goes first, also through the proxy; then the proxy's word; then the rest.
#[tokio::test]
async fn there_is_one_order_of_ways() {
    let app = App::start().await;
    app.provider().emit("acme", "a.b", json!(1)).await;
    let mut options = trusting(&["10.0.0.1/32"]);
    options.credentials.jwt = Some(Arc::new(Jwt::new(jwt_options(&app))));
    let router = resthooks_api::router(app.hooks.clone(), options);
    let events = async |authorization: &str| {
        let headers = [("x-account", "other"), ("authorization", authorization)];
        ask(&router, Some("10.0.0.1"), &headers).await
    };
    let token = format!("Bearer {}", token_with("sub", json!("acme")));
    for (authorization, seen) in [(format!("Bearer {ADMIN}"), 1), (token, 0), ("Bearer a.b.c".to_owned(), 0)]
    {
        assert_eq!(events(&authorization).await.expect(200).data().len(), seen, "{authorization:.20}");
    }
    events("Bearer rhk_withdrawn").await.expect(401);
}

#[tokio::test]
async fn callers_are_counted_as_who_they_are() {
    let app = App::start().await;
    let [per_second, burst] = [1, 3].map(|n| NonZeroU32::new(n).unwrap());
    let mut options = trusting(&["10.0.0.1/32"]);
    options.rate_limit = Some(RateLimit { per_second, burst });
    options.clock = Arc::new(app.clock.clone());
    options.credentials.jwt = Some(Arc::new(Jwt::new(jwt_options(&app))));
    let router = resthooks_api::router(app.hooks.clone(), options);
    let by_token = async |claim: &str, value: serde_json::Value| {
        let token = format!("Bearer {}", token_with(claim, value));
        ask(&router, None, &[("authorization", &token)]).await.status.as_u16()
    };
    let by_proxy =
        async |account| ask(&router, Some("10.0.0.1"), &[("x-account", account)]).await.status.as_u16();
    // One account, however it comes: two tokens and the proxy.
    let id = async |id: &str| by_token("jti", json!(id)).await;
    assert_eq!((id("1").await, id("2").await, by_proxy("acme").await), (200, 200, 200));
    assert_eq!((id("1").await, id("3").await, by_proxy("acme").await), (429, 429, 429));
    // Another account, a key of the same account, and those who act for the provider, each by themselves.
    assert_eq!((by_proxy("other").await, by_token("sub", json!("third")).await), (200, 200));
    let key = app.consumer("acme").await.authorization.unwrap();
    ask(&router, None, &[("authorization", &key)]).await.expect(200);
    for _ in 0..3 {
        assert_eq!(by_token("scope", json!("hooks:admin")).await, 200);
    }
    assert_eq!(by_token("scope", json!("hooks:admin")).await, 429);
    app.clock.advance(std::time::Duration::from_secs(1));
    assert_eq!((id("4").await, by_proxy("acme").await), (200, 429));
}
