//! Bodies of requests, sent to every route that takes one: whatever they are, the answer is JSON and no failure of ours.
//!
//! The first byte chooses the route, the second the type that the body is said to be of. `{sub}` in a body is the id of a
//! subscription that is there.
#![no_main]

use std::cell::RefCell;

use axum::body::Body;
use http::Request;
use libfuzzer_sys::fuzz_target;
use resthooks_api::Options;
use resthooks_fuzz::{ADMIN, App};
use serde_json::Value;

/// After so many requests everything begins anew, so that it stays as quick as it was.
const REQUESTS: usize = 4096;
const KINDS: [Option<&str>; 4] = [
    Some("application/json"),
    Some("application/x-www-form-urlencoded"),
    Some("application/json; charset=utf-8"),
    None,
];
const ROUTES: [(&str, &str); 16] = [
    ("POST", "/api/v1/subscription/"),
    ("PUT", "/api/v1/subscription/{sub}/"),
    ("PATCH", "/api/v1/subscription/{sub}/"),
    ("POST", "/api/v1/subscription/{sub}/rotate-secret/"),
    ("POST", "/api/v1/subscription/{sub}/ping/"),
    ("POST", "/api/v1/subscription/{sub}/activate/"),
    ("POST", "/api/v1/event/"),
    ("POST", "/api/v1/event/batch/"),
    ("POST", "/api/v1/event-type/"),
    ("PUT", "/api/v1/event-type/a.b/"),
    ("PATCH", "/api/v1/event-type/a.b/"),
    ("POST", "/api/v1/api-key/"),
    ("PUT", "/api/v1/account/acme/"),
    ("POST", "/api/v1/verify/"),
    ("DELETE", "/api/v1/subscription/"),
    ("POST", "/api/v1/delivery/retry/"),
];

struct Session {
    app: App,
    subscription: String,
    asked: usize,
}

thread_local! {
    static SESSION: RefCell<Option<Session>> = const { RefCell::new(None) };
}

fn request(method: &str, path: &str, kind: Option<&str>, body: &[u8]) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path);
    request = request.header("authorization", format!("Bearer {ADMIN}"));
    if let Some(kind) = kind {
        request = request.header("content-type", kind);
    }
    request.body(Body::from(body.to_vec())).expect("a request")
}

impl Session {
    fn start() -> Self {
        let app = App::start(Options::default());
        let body = br#"{"account": "acme", "event": "a.b", "target_url": "https://hooks.example.com/"}"#;
        let (status, made) = app.ask(request("POST", "/api/v1/subscription/", KINDS[0], body));
        assert_eq!(status, 201, "{}", String::from_utf8_lossy(&made));
        let made: Value = serde_json::from_slice(&made).expect("JSON");
        Self { app, subscription: made["id"].as_str().expect("an id").to_owned(), asked: 0 }
    }
}

fuzz_target!(|input: &[u8]| {
    let [route, kind, body @ ..] = input else { return };
    let (method, path) = ROUTES[usize::from(*route) % ROUTES.len()];
    let kind = KINDS[usize::from(*kind) % KINDS.len()];
    SESSION.with_borrow_mut(|session| {
        if session.as_ref().is_some_and(|session| session.asked >= REQUESTS) {
            *session = None;
        }
        let session = session.get_or_insert_with(Session::start);
        session.asked += 1;
        let path = path.replace("{sub}", &session.subscription);
        let named =
            std::str::from_utf8(body).map(|text| text.replace("{sub}", &session.subscription).into_bytes());
        let body = named.as_deref().unwrap_or(body);
        let (status, answer) = session.app.ask(request(method, &path, kind, body));
        let said = String::from_utf8_lossy(&answer);
        assert!(!status.is_server_error(), "{method} {path}: {status} {said}");
        let is_json = serde_json::from_slice::<Value>(&answer).is_ok();
        assert!(is_json || (answer.is_empty() && status.is_success()), "{method} {path}: {status} {said}");
    });
});
