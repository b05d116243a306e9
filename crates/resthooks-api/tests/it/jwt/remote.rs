//! Keys at a URL, over real sockets: fetched, kept, fetched again, and what happens when they can't be.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use resthooks::Options;
use resthooks_api::credentials::{Endpoint, RemoteKeys, StaticKeys, client};
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::signer::{By, NOW, claims, options, signed, taking, with};
use crate::harness::{App, Client};

/// What the URL answers.
#[derive(Clone)]
enum Says {
    Keys(String, Option<&'static str>),
    Status(u16),
    Redirect(String),
    /// Once it is told to; then with keys.
    Later(Arc<Notify>, String),
}

/// Somebody who publishes keys.
struct Publisher {
    url: String,
    says: Arc<Mutex<Says>>,
    asked: Arc<Mutex<usize>>,
}

impl Publisher {
    async fn start(says: Says) -> Self {
        let (says, asked) = (Arc::new(Mutex::new(says)), Arc::new(Mutex::new(0)));
        let (said, counted) = (Arc::clone(&says), Arc::clone(&asked));
        let handler = move || async move {
            *counted.lock().unwrap() += 1;
            let said = said.lock().unwrap().clone();
            answer(said).await
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/keys", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, Router::new().fallback(handler)).await });
        Self { url, says, asked }
    }

    fn say(&self, says: Says) {
        *self.says.lock().unwrap() = says;
    }

    fn asked(&self) -> usize {
        *self.asked.lock().unwrap()
    }
}

async fn answer(says: Says) -> Response {
    match says {
        Says::Keys(text, None) => text.into_response(),
        Says::Keys(text, Some(caching)) => ([("cache-control", caching)], text).into_response(),
        Says::Status(status) => (StatusCode::from_u16(status).unwrap(), set(&["rsa"])).into_response(),
        Says::Redirect(to) => (StatusCode::FOUND, [("location", to)]).into_response(),
        Says::Later(when, text) => {
            when.notified().await;
            text.into_response()
        }
    }
}

/// A set of these of the tests' keys.
fn set(names: &[&str]) -> String {
    let all: Value = serde_json::from_str(include_str!("keys/jwks.json")).unwrap();
    let other: Value = serde_json::from_str(include_str!("keys/jwks_other.json")).unwrap();
    let keys = all["keys"].as_array().unwrap().iter().chain(other["keys"].as_array().unwrap());
    let keys: Vec<_> = keys.filter(|key| names.contains(&key["kid"].as_str().unwrap())).collect();
    assert_eq!(keys.len(), names.len());
    json!({"keys": keys}).to_string()
}

fn keys(names: &[&str]) -> Says {
    Says::Keys(set(names), None)
}

fn token(kid: &str, algorithm: &str, by: By<'_>) -> String {
    signed(&json!({"alg": algorithm, "kid": kid}).to_string(), &claims().to_string(), by)
}

/// With exp far away, and another one for each number.
fn lasting(kid: &str, by: By<'_>, number: u64) -> String {
    let claims =
        claims().to_string().replace(&(NOW + 300).to_string(), &(NOW + 10_000_000 + number).to_string());
    signed(&json!({"alg": "RS256", "kid": kid}).to_string(), &claims, by)
}

struct Setup {
    app: App,
    router: Router,
    publisher: Publisher,
}

impl Setup {
    async fn start(says: Says) -> Self {
        let publisher = Publisher::start(says).await;
        let app = App::start().await;
        let url = publisher.url.clone();
        let router = reading(&app, &url);
        Self { app, router, publisher }
    }

    fn caller(&self, token: &str) -> Client {
        with(&self.router, token)
    }

    async fn status(&self, token: &str) -> u16 {
        self.caller(token).get("/api/v1/event/").await.status.as_u16()
    }
}

fn reading(app: &App, url: &str) -> Router {
    let clock = Arc::new(app.clock.clone());
    let engine = Options { clock: Arc::<resthooks::env::ManualClock>::clone(&clock), ..Options::default() };
    let client = client(&engine, Duration::from_secs(5)).unwrap();
    let mut options = options(app);
    options.keys = StaticKeys::default();
    options.remote = Some(RemoteKeys::new(Endpoint::new(url, false).unwrap(), client, clock));
    taking(app, options)
}

#[tokio::test]
async fn keys_are_fetched_once_and_kept() {
    let setup = Setup::start(keys(&["rsa", "p256", "ed25519"])).await;
    for _ in 0..3 {
        assert_eq!(setup.status(&token("rsa", "RS256", By::Rsa)).await, 200);
        assert_eq!(setup.status(&token("p256", "ES256", By::P256)).await, 200);
        assert_eq!(setup.status(&token("ed25519", "EdDSA", By::Ed25519)).await, 200);
    }
    assert_eq!(setup.status(&token("rsa", "RS256", By::RsaOther)).await, 401);
    assert_eq!(setup.publisher.asked(), 1);
}

/// Many callers at once, one question.
#[tokio::test]
async fn there_is_no_stampede() {
    let when = Arc::new(Notify::new());
    let setup = Setup::start(Says::Later(Arc::clone(&when), set(&["rsa"]))).await;
    let mut waiting = tokio::task::JoinSet::new();
    for number in 0..50 {
        let caller = setup.caller(&lasting("rsa", By::Rsa, number));
        waiting.spawn(async move { caller.get("/api/v1/event/").await.status.as_u16() });
    }
    while setup.publisher.asked() == 0 {
        tokio::task::yield_now().await;
    }
    // One of them goes away: nothing breaks off for the others.
    let gone = setup.caller(&lasting("rsa", By::Rsa, 99));
    let gone = tokio::spawn(async move { gone.get("/api/v1/event/").await.status.as_u16() });
    tokio::task::yield_now().await;
    gone.abort();
    when.notify_one();
    while let Some(status) = waiting.join_next().await {
        assert_eq!(status.unwrap(), 200);
    }
    assert_eq!(setup.publisher.asked(), 1);
}

#[tokio::test]
async fn a_new_key_is_found_and_a_withdrawn_one_is_forgotten() {
    let setup = Setup::start(keys(&["rsa"])).await;
    let (old, new) = (lasting("rsa", By::Rsa, 0), lasting("rsa_other", By::RsaOther, 0));
    assert_eq!((setup.status(&old).await, setup.status(&new).await), (200, 401));
    assert_eq!(setup.publisher.asked(), 1, "a name that is unknown asks again, but not at once");
    setup.publisher.say(keys(&["rsa_other"]));
    setup.app.clock.advance(Duration::from_secs(9));
    assert_eq!((setup.status(&new).await, setup.publisher.asked()), (401, 1));
    setup.app.clock.advance(Duration::from_secs(1));
    assert_eq!((setup.status(&new).await, setup.publisher.asked()), (200, 2));
    assert_eq!(setup.status(&old).await, 401, "what was verified with a key that is gone is not remembered");
}

/// Names of keys that there are not, however many, ask once in ten seconds.
#[tokio::test]
async fn unknown_names_do_not_hammer_the_url() {
    let setup = Setup::start(keys(&["rsa"])).await;
    for round in 0..5 {
        for number in 0..20 {
            let name = format!("unknown-{round}-{number}");
            assert_eq!(setup.status(&token(&name, "RS256", By::RsaOther)).await, 401);
        }
        setup.app.clock.advance(Duration::from_secs(10));
    }
    assert_eq!(setup.publisher.asked(), 5);
}

#[tokio::test]
async fn keys_are_fetched_again_when_their_time_has_come() {
    let setup = Setup::start(Says::Keys(set(&["rsa"]), Some("public, max-age=120"))).await;
    let token = lasting("rsa", By::Rsa, 0);
    for (seconds, asked) in [(0, 1), (119, 1)] {
        setup.app.clock.advance(Duration::from_secs(seconds));
        assert_eq!((setup.status(&token).await, setup.publisher.asked()), (200, asked));
    }
    // Not fresh any more: behind the caller's back. Whoever needs what it brings waits until it is there.
    setup.publisher.say(Says::Keys(set(&["rsa", "rsa_other"]), Some("public, max-age=120")));
    setup.app.clock.advance(Duration::from_secs(2));
    assert_eq!(setup.status(&token).await, 200);
    let brought = lasting("rsa_other", By::RsaOther, 0);
    assert_eq!((setup.status(&brought).await, setup.publisher.asked()), (200, 2));
    // Not asked for in a long time: first, before a key counts that may have been withdrawn.
    setup.publisher.say(keys(&["rsa_other"]));
    setup.app.clock.advance(Duration::from_secs(1000));
    assert_eq!((setup.status(&token).await, setup.publisher.asked()), (401, 3));
}

#[tokio::test]
async fn the_time_that_is_said_is_within_bounds() {
    for (said, least, most) in [("max-age=1", 60, 61), ("no-store", 300, 301), ("max-age=999999", 3600, 3601)]
    {
        let setup = Setup::start(Says::Keys(set(&["rsa"]), Some(said))).await;
        let token = lasting("rsa", By::Rsa, 0);
        assert_eq!(setup.status(&token).await, 200);
        setup.app.clock.advance(Duration::from_secs(least - 1));
        assert_eq!((setup.status(&token).await, setup.publisher.asked()), (200, 1), "{said}");
        setup.app.clock.advance(Duration::from_secs(most - least + 1));
        assert_eq!(setup.status(&token).await, 200);
        while setup.publisher.asked() < 2 {
            tokio::task::yield_now().await;
        }
    }
}

/// Whatever it is that the URL does, without keys nobody is admitted, nobody told that they are refused, and nobody else
/// hindered.
#[tokio::test]
async fn without_keys_it_can_not_be_told() {
    let good = token("rsa", "RS256", By::Rsa);
    let huge = format!("{{\"keys\":[],\"filler\":\"{}\"}}", "x".repeat(300 * 1024));
    let many = json!({"keys": vec![json!({"kty": "RSA"}); 101]}).to_string();
    let there = Publisher::start(keys(&["rsa"])).await;
    for says in [
        Says::Status(500),
        Says::Status(404),
        Says::Status(204),
        Says::Redirect(there.url.clone()),
        Says::Keys("<html>".to_owned(), None),
        Says::Keys("{}".to_owned(), None),
        Says::Keys(String::new(), None),
        Says::Keys(huge, None),
        Says::Keys(many, None),
    ] {
        let setup = Setup::start(says).await;
        let answer = setup.caller(&good).get("/api/v1/event/").await.expect(503);
        assert_eq!(
            (answer.code().as_str(), answer.header("retry-after")),
            ("authentication_unavailable", Some("5"))
        );
        assert!(!answer.text().contains(&setup.publisher.url) && !answer.text().contains(&good));
        // What is no token at all is known to be none.
        setup.caller("a.b.c").get("/api/v1/event/").await.expect(401);
        setup.caller(crate::harness::ADMIN).get("/api/v1/event/").await.expect(200);
        // It is asked again after a while, and not before.
        setup.caller(&good).get("/api/v1/event/").await.expect(503);
        assert_eq!(setup.publisher.asked(), 1);
        setup.publisher.say(keys(&["rsa"]));
        setup.app.clock.advance(Duration::from_secs(10));
        assert_eq!(setup.status(&good).await, 200);
    }
    assert_eq!(there.asked(), 0, "a redirect is not followed");
}

#[tokio::test]
async fn a_url_where_nobody_is_admits_nobody() {
    let app = App::start().await;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/keys", listener.local_addr().unwrap());
    drop(listener);
    let good = token("rsa", "RS256", By::Rsa);
    with(&reading(&app, &url), &good).get("/api/v1/event/").await.expect(503);
    // And one who takes the question and never answers.
    let publisher = Publisher::start(Says::Later(Arc::new(Notify::new()), set(&["rsa"]))).await;
    let router = reading(&app, &publisher.url);
    let asking = tokio::spawn(async move { with(&router, &good).get("/api/v1/event/").await });
    while publisher.asked() == 0 {
        tokio::task::yield_now().await;
    }
    while !asking.is_finished() {
        app.clock.advance(Duration::from_secs(1));
        tokio::task::yield_now().await;
    }
    asking.await.unwrap().expect(503);
}

/// The last good set counts for a day.
#[tokio::test]
async fn while_the_url_fails_the_last_good_set_counts_for_a_while() {
    let setup = Setup::start(keys(&["rsa"])).await;
    assert_eq!(setup.status(&lasting("rsa", By::Rsa, 0)).await, 200);
    setup.publisher.say(Says::Status(500));
    let hour = Duration::from_secs(3600);
    for number in 1..24 {
        setup.app.clock.advance(hour);
        assert_eq!(setup.status(&lasting("rsa", By::Rsa, number)).await, 200, "{number}");
    }
    setup.app.clock.advance(hour);
    assert_eq!(setup.status(&lasting("rsa", By::Rsa, 24)).await, 503);
    assert_eq!(setup.status(&lasting("rsa", By::Rsa, 0)).await, 503, "also what was verified before");
    setup.publisher.say(keys(&["rsa"]));
    setup.app.clock.advance(Duration::from_secs(10));
    assert_eq!(setup.status(&lasting("rsa", By::Rsa, 24)).await, 200);
}

/// An empty set is an answer: all keys were withdrawn.
#[tokio::test]
async fn a_set_without_keys_admits_nobody() {
    let setup = Setup::start(keys(&["rsa"])).await;
    let good = lasting("rsa", By::Rsa, 0);
    assert_eq!(setup.status(&good).await, 200);
    setup.publisher.say(keys(&[]));
    setup.app.clock.advance(Duration::from_secs(3600));
    assert_eq!(setup.status(&good).await, 401);
}

/// A secret that somebody publishes by mistake is no key.
#[tokio::test]
async fn a_published_secret_is_not_taken() {
    let secret = [7; 32];
    let k = base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, secret);
    let set = json!({"keys": [{"kty": "oct", "kid": "s", "k": k}]}).to_string();
    let setup = Setup::start(Says::Keys(set, None)).await;
    assert_eq!(setup.status(&token("s", "HS256", By::Hmac(&secret))).await, 401);
}
