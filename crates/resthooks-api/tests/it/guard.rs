//! How often callers may ask and fail, who may read the metrics, and what browsers are told.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::body::Body;
use axum::extract::Request;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use resthooks::env::ManualClock;
use resthooks::model::Timestamp;
use resthooks_api::{MetricsKey, Options, PeerAddress, RateLimit};
use serde_json::json;

use crate::harness::{ADMIN, Answer, App, Client};
use crate::routes::{filled, operations};

/// Options by a clock to turn.
fn turned() -> (Options, ManualClock) {
    let clock = ManualClock::new(Timestamp::EPOCH);
    let mut options = Options::default();
    options.clock = Arc::new(clock.clone());
    (options, clock)
}

impl Client {
    /// The same caller from this address.
    pub(crate) fn from(&self, address: &str) -> Self {
        let peer = PeerAddress::new(address.parse().unwrap());
        Self { router: self.router.clone().layer(Extension(peer)), authorization: self.authorization.clone() }
    }

    /// The same from a browser that shows a page of this origin.
    async fn page(&self, origin: &str, method: Method, path: &str, asked: Option<&str>) -> Answer {
        let mut request = Request::builder().method(method).uri(path).header("origin", origin);
        if let Some(asked) = asked {
            request = request
                .header("access-control-request-method", asked)
                .header("access-control-request-headers", "authorization,content-type");
        }
        self.request(request.body(Body::empty()).unwrap()).await
    }
}

#[tokio::test]
async fn a_caller_may_ask_so_often() {
    let (mut options, clock) = turned();
    let [per_second, burst] = [2, 3].map(|n| NonZeroU32::new(n).unwrap());
    options.rate_limit = Some(RateLimit { per_second, burst });
    let app = App::builder().auto_types().api(options).start().await;
    let (one, other) = (app.consumer("acme").await, app.consumer("acme").await);
    for _ in 0..3 {
        one.get("/api/v1/subscription/").await.expect(200);
    }
    // Whatever else is wrong with the request: it is not looked at.
    let refused =
        one.send(Method::POST, "/api/v1/subscription/?x", Some("text/plain"), "{").await.expect(429);
    assert_eq!(refused.code(), "rate_limited");
    assert_eq!(refused.header("retry-after"), Some("1"));
    // Another key of the same account, what needs no key, and who has none.
    other.get("/api/v1/subscription/").await.expect(200);
    one.get("/healthz").await.expect(200);
    app.anonymous().get("/api/v1/subscription/").await.expect(401);
    clock.advance(Duration::from_millis(500));
    one.get("/api/v1/subscription/").await.expect(200);
    one.get("/api/v1/subscription/").await.expect(429);
    // The provider, too; and a batch is one request.
    let event = |n| json!({"account": "acme", "event": "a.b", "data": n});
    let batch = json!([event(1), event(2), event(3), event(4), event(5)]);
    for _ in 0..3 {
        app.provider().post("/api/v1/event/batch/", batch.clone()).await.expect(202);
    }
    app.provider().post("/api/v1/event/batch/", batch).await.expect(429);
}

#[tokio::test]
async fn without_a_limit_there_is_none() {
    let app = App::start().await;
    let provider = app.provider().from("192.0.2.1");
    for _ in 0..500 {
        provider.get("/api/v1/node/").await.expect(200);
    }
}

#[tokio::test]
async fn an_address_may_fail_so_often_and_locks_nobody_out() {
    let (options, clock) = turned();
    let app = App::builder().api(options).start().await;
    let guess = |n: u32| app.with_key(&format!("rhk_{n}"));
    let path = "/api/v1/subscription/";
    for n in 0..60 {
        guess(n).from("192.0.2.1").get(path).await.expect(401);
    }
    let refused = guess(60).from("192.0.2.1").get(path).await.expect(429);
    assert_eq!(refused.code(), "rate_limited");
    assert_eq!(refused.header("retry-after"), Some("1"));
    // A good key passes, from there as well; from elsewhere one may fail; and who shows nothing guesses nothing.
    app.provider().from("192.0.2.1").get(path).await.expect(200);
    guess(0).from("192.0.2.2").get(path).await.expect(401);
    app.anonymous().from("192.0.2.1").get(path).await.expect(401);
    clock.advance(Duration::from_secs(2));
    guess(61).from("192.0.2.1").get(path).await.expect(401);
    guess(62).from("192.0.2.1").get(path).await.expect(401);
    guess(63).from("192.0.2.1").get(path).await.expect(429);
    // Where addresses are not known, nobody is taken for another.
    for n in 0..200 {
        guess(n).get(path).await.expect(401);
    }
}

#[tokio::test]
async fn metrics_may_ask_for_a_key_of_their_own() {
    let (mut options, _) = turned();
    options.metrics_key = Some(MetricsKey::new("scrape-me"));
    let app = App::builder().api(options).start().await;
    app.with_key("scrape-me").get("/metrics").await.expect(200);
    for other in [app.anonymous(), app.provider(), app.with_key("scrape-me2")] {
        let refused = other.get("/metrics").await.expect(401);
        assert!(refused.header("www-authenticate").is_some());
        assert!(!refused.text().contains("resthooks_"));
    }
    // It admits to nothing else, and the others stay open.
    app.with_key("scrape-me").get("/api/v1/node/").await.expect(401);
    for open in ["/healthz", "/readyz", "/docs", "/openapi.json"] {
        app.anonymous().get(open).await.expect(200);
    }
    let guess = app.with_key("guess").from("192.0.2.1");
    for _ in 0..60 {
        guess.get("/metrics").await.expect(401);
    }
    guess.get("/metrics").await.expect(429);
    app.with_key("scrape-me").from("192.0.2.1").get("/metrics").await.expect(200);
}

const CORS_HEADERS: [&str; 6] = [
    "access-control-allow-origin",
    "access-control-allow-methods",
    "access-control-allow-headers",
    "access-control-allow-credentials",
    "access-control-max-age",
    "access-control-expose-headers",
];

#[tokio::test]
async fn pages_of_other_origins_are_not_let_in() {
    let app = App::start().await;
    let provider = app.provider();
    for asked in [None, Some("POST")] {
        let answer = provider.page("https://app.example.com", Method::OPTIONS, "/api/v1/event/", asked).await;
        assert_eq!(answer.status, 405);
        assert!(CORS_HEADERS.iter().all(|name| answer.header(name).is_none()), "{:?}", answer.headers);
    }
    let answer =
        provider.page("https://app.example.com", Method::GET, "/api/v1/event/", None).await.expect(200);
    assert!(CORS_HEADERS.iter().all(|name| answer.header(name).is_none()), "{:?}", answer.headers);
}

#[tokio::test]
async fn pages_of_named_origins_are_let_in_and_no_others() {
    let mut options = Options::default();
    options.cors_origins =
        ["https://app.example.com", "http://localhost:3000"].map(|origin| origin.parse().unwrap()).into();
    let app = App::builder().auto_types().api(options).start().await;
    let (provider, anonymous) = (app.provider(), app.anonymous());
    for origin in ["https://app.example.com", "http://localhost:3000"] {
        let allowed = anonymous.page(origin, Method::OPTIONS, "/api/v1/subscription/", Some("POST")).await;
        assert_eq!(allowed.status, 200);
        assert_eq!(allowed.header("access-control-allow-origin"), Some(origin));
        assert!(allowed.header("access-control-allow-methods").unwrap().contains("PATCH"));
        assert!(allowed.header("access-control-allow-headers").unwrap().contains("authorization"));
        assert!(allowed.header("access-control-max-age").is_some());
        let answer = provider.page(origin, Method::GET, "/api/v1/subscription/", None).await.expect(200);
        assert_eq!(answer.header("access-control-allow-origin"), Some(origin));
        assert!(answer.header("access-control-expose-headers").unwrap().contains("retry-after"));
        // Why it was refused is for the page to see as well.
        for (path, status) in [("/api/v1/subscription/", 401), ("/api/v1/nothing/", 404)] {
            let refused = anonymous.page(origin, Method::GET, path, None).await.expect(status);
            let allowed = refused.header("access-control-allow-origin");
            assert!(status == 404 || allowed == Some(origin), "{path}");
        }
    }
    for origin in
        ["https://app.example.com.evil.example", "https://evil.example", "http://app.example.com", "null", ""]
    {
        for (method, asked) in [(Method::OPTIONS, Some("POST")), (Method::GET, None)] {
            let answer = provider.page(origin, method, "/api/v1/subscription/", asked).await;
            assert_eq!(answer.header("access-control-allow-origin"), None, "{origin}");
            assert!(
                answer.header("vary").unwrap().contains("origin"),
                "a cache would take it for another one's"
            );
        }
    }
    for path in ["/metrics", "/docs", "/healthz"] {
        let answer = anonymous.page("https://app.example.com", Method::GET, path, None).await;
        assert_eq!(answer.header("access-control-allow-origin"), None, "{path}");
    }
}

#[tokio::test]
async fn all_pages_may_be_let_in_but_never_with_what_a_browser_has_stored() {
    let mut options = Options::default();
    options.cors_origins = vec!["https://app.example.com".parse().unwrap(), "*".parse().unwrap()];
    let app = App::builder().auto_types().api(options).start().await;
    for origin in ["https://anything.example", "null"] {
        for (method, asked) in [(Method::OPTIONS, Some("DELETE")), (Method::GET, None)] {
            let answer =
                app.provider().page(origin, method, "/api/v1/subscription/", asked).await.expect(200);
            assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
            assert_eq!(answer.header("access-control-allow-credentials"), None);
        }
    }
}

/// No answer with a body can be taken for something else, and none says what it comes from.
#[tokio::test]
async fn every_answer_is_what_it_says() {
    let app = App::start().await;
    let document = app.anonymous().get("/openapi.json").await.json();
    let mut callers = vec![app.provider(), app.consumer("acme").await, app.anonymous()];
    callers.push(app.with_key("unknown"));
    for (method, path, _) in operations(&document) {
        for caller in &callers {
            for body in ["{}", "{\"malformed"] {
                let path = filled(&path, "sub_x", "a.b");
                let answer = caller.send(method.clone(), &path, Some("application/json"), body).await;
                let has_body = !answer.body.is_empty();
                assert!(
                    !has_body || answer.header("x-content-type-options") == Some("nosniff"),
                    "{method} {path}"
                );
                assert_eq!(answer.header("server"), None);
                assert_eq!(answer.header("x-powered-by"), None);
            }
        }
    }
    for path in ["/", "/nothing", "/api/v1/", "/favicon.ico"] {
        assert_eq!(
            app.anonymous().get(path).await.expect(404).header("x-content-type-options"),
            Some("nosniff")
        );
    }
    for path in ["/healthz", "/readyz", "/metrics"] {
        assert!(!app.anonymous().get(path).await.text().contains(env!("CARGO_PKG_VERSION")), "{path}");
    }
}

#[tokio::test]
async fn what_shows_a_secret_is_kept_by_nobody() {
    let app = App::start().await;
    let provider = app.provider();
    let body = json!({"account": "acme", "event": "a.b", "target_url": "http://example.com:9/"});
    let created = provider.post("/api/v1/subscription/", body).await.expect(201);
    let secret = created.json()["secret"].as_str().unwrap().to_owned();
    let id = created.json()["id"].as_str().unwrap().to_owned();
    let key = provider.post("/api/v1/api-key/", json!({"account": "acme"})).await.expect(201);
    let read = provider.get(&format!("/api/v1/subscription/{id}/secret/")).await.expect(200);
    assert!(read.text().contains(&secret));
    let rotated =
        provider.post(&format!("/api/v1/subscription/{id}/rotate-secret/"), json!({})).await.expect(200);
    assert!(rotated.json()["secret"].is_string() && key.json()["key"].is_string());
    for answer in [created, key, read, rotated] {
        assert_eq!(answer.header("cache-control"), Some("no-store"));
    }
}

/// What a browser may do with the page: show it, with the one style that is in it.
#[tokio::test]
async fn the_page_allows_nothing_but_its_own_style() {
    let app = App::start().await;
    let answer = app.anonymous().get("/docs").await.expect(200);
    let text = answer.text();
    let (_, rest) = text.split_once("<style>").unwrap();
    let (style, rest) = rest.split_once("</style>").unwrap();
    let hash = STANDARD.encode(ring::digest::digest(&ring::digest::SHA256, style.as_bytes()));
    let policy = answer.header("content-security-policy").unwrap();
    assert!(policy.contains(&format!("style-src 'sha256-{hash}'")), "{policy}");
    for part in ["default-src 'none'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"] {
        assert!(policy.contains(part), "{part}");
    }
    assert!(!policy.contains("unsafe") && !policy.contains("script"), "{policy}");
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "no-referrer"),
    ] {
        assert_eq!(answer.header(name), Some(value));
    }
    for inline in ["<style", "<script", " style=", "javascript:", " onclick", " onload", "<form", "<iframe"] {
        assert!(!rest.contains(inline), "{inline}");
    }
    assert!(!text.contains(ADMIN));
}
