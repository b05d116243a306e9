//! An engine on a store of its own, the router over it, and callers of it.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::response::IntoResponse;
use http::{HeaderMap, Method, StatusCode};
use http_body_util::BodyExt as _;
use resthooks::Hooks;
use resthooks::deliver::guard::Policy;
use resthooks::deliver::resolver::StaticResolver;
use resthooks::env::{ManualClock, SeededRandom};
use resthooks::model::{KeyRole, Timestamp};
use resthooks_api::Options;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::place::Place;

/// The provider's key.
pub(crate) const ADMIN: &str = "admin-key-of-the-tests";

/// A running engine with its API.
pub(crate) struct App {
    pub(crate) hooks: Hooks,
    pub(crate) router: Router,
    pub(crate) clock: ManualClock,
    // Removed when the test ends.
    _place: Place,
}

/// What an app is made from.
#[derive(Default)]
pub(crate) struct Builder {
    auto_types: bool,
    api: Options,
}

impl Builder {
    /// Event types register themselves.
    pub(crate) fn auto_types(mut self) -> Self {
        self.auto_types = true;
        self
    }

    pub(crate) fn api(mut self, options: Options) -> Self {
        self.api = options;
        self
    }

    pub(crate) async fn start(self) -> App {
        let place = Place::new();
        let store = place.open().await;
        let clock = ManualClock::new(Timestamp::from_millis(1_767_323_045_000));
        let resolver = StaticResolver::default().with("example.com", [IpAddr::V4(Ipv4Addr::LOCALHOST)]);
        let mut options = resthooks::Options {
            clock: Arc::new(clock.clone()),
            random: Arc::new(SeededRandom::new(7)),
            lease: Place::LEASE,
            resolver: Arc::new(resolver),
            targets: Policy {
                allow_http: true,
                allow_private: true,
                allowed: Vec::new(),
                allowed_ports: Vec::new(),
            },
            ..resthooks::Options::default()
        };
        if self.auto_types {
            options.event_types = resthooks::EventTypes::Auto;
        }
        let hooks = Hooks::start(store, options).await.unwrap();
        hooks.ensure_provider_key(ADMIN).await.unwrap();
        let router = resthooks_api::router(hooks.clone(), self.api);
        App { hooks, router, clock, _place: place }
    }
}

impl App {
    pub(crate) fn builder() -> Builder {
        Builder::default()
    }

    /// With event types that register themselves.
    pub(crate) async fn start() -> Self {
        Self::builder().auto_types().start().await
    }

    /// Calls with the provider's key.
    pub(crate) fn provider(&self) -> Client {
        self.with_key(ADMIN)
    }

    /// Calls with a fresh key of this account.
    pub(crate) async fn consumer(&self, account: &str) -> Client {
        let made = self.hooks.create_key(KeyRole::Consumer(account.parse().unwrap()), None).await.unwrap();
        self.with_key(&made.key)
    }

    pub(crate) fn with_key(&self, key: &str) -> Client {
        Client { router: self.router.clone(), authorization: Some(format!("Bearer {key}")) }
    }

    pub(crate) fn anonymous(&self) -> Client {
        Client { router: self.router.clone(), authorization: None }
    }
}

/// Somebody who calls the API.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) router: Router,
    pub(crate) authorization: Option<String>,
}

impl Client {
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.call(Method::GET, path, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.call(Method::POST, path, Some(body)).await
    }

    pub(crate) async fn put(&self, path: &str, body: Value) -> Answer {
        self.call(Method::PUT, path, Some(body)).await
    }

    pub(crate) async fn patch(&self, path: &str, body: Value) -> Answer {
        self.call(Method::PATCH, path, Some(body)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.call(Method::DELETE, path, None).await
    }

    pub(crate) async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let json = body.map(|body| body.to_string());
        let kind = json.as_ref().map(|_| "application/json");
        self.send(method, path, kind, json.map_or_else(Body::empty, Body::from)).await
    }

    /// Any body, said to be of this type.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        kind: Option<&str>,
        body: impl Into<Body>,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(kind) = kind {
            request = request.header("content-type", kind);
        }
        self.request(request.body(body.into()).unwrap()).await
    }

    pub(crate) async fn request(&self, mut request: Request) -> Answer {
        if let Some(authorization) = &self.authorization {
            request.headers_mut().insert("authorization", authorization.parse().unwrap());
        }
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer { status: head.status, headers: head.headers, body }
    }

    /// Subscribes and answers the subscription.
    pub(crate) async fn subscribe(&self, account: &str, event: &str, target: &str) -> Value {
        let body = json!({"account": account, "event": event, "target_url": target});
        self.post("/api/v1/subscription/", body).await.expect(201).json()
    }

    /// Emits and answers the receipt.
    pub(crate) async fn emit(&self, account: &str, event: &str, data: Value) -> Value {
        let body = json!({"account": account, "event": event, "data": data});
        self.post("/api/v1/event/", body).await.expect(202).json()
    }
}

/// What was answered.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    /// Asserts the status and, for refusals, that they are problems as they should be.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{}", self.text());
        if status >= 400 {
            assert_eq!(self.header("content-type"), Some("application/problem+json"));
            let problem = self.json();
            assert_eq!(problem["status"], status);
            for name in ["type", "title", "detail", "code"] {
                assert!(problem[name].is_string(), "{name} in {problem}");
            }
        }
        self
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.text()))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub(crate) fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }

    /// The fields that a 422 names.
    pub(crate) fn fields(&self) -> Vec<String> {
        let problem = self.json();
        let errors = problem["errors"].as_array().cloned().unwrap_or_default();
        errors.iter().map(|error| error["field"].as_str().unwrap().to_owned()).collect()
    }

    /// The items of a list.
    pub(crate) fn data(&self) -> Vec<Value> {
        self.json()["data"].as_array().unwrap().clone()
    }
}

/// A target on loopback that answers with a status of the test's choice and keeps what it got.
pub(crate) struct Target {
    pub(crate) url: String,
    pub(crate) received: Arc<Mutex<Vec<(HeaderMap, Bytes)>>>,
    pub(crate) status: Arc<Mutex<StatusCode>>,
}

impl Target {
    pub(crate) async fn start() -> Self {
        let received = Arc::new(Mutex::new(Vec::new()));
        let status = Arc::new(Mutex::new(StatusCode::OK));
        let (kept, answered) = (Arc::clone(&received), Arc::clone(&status));
        let handler = move |headers: HeaderMap, body: Bytes| async move {
            kept.lock().unwrap().push((headers, body));
            let status = *answered.lock().unwrap();
            (status, [("x-seen", "yes")], "thanks").into_response()
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let router = Router::new().fallback(handler);
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, received, status }
    }
}

/// Asks again, without waiting in between, until the answer is as wanted.
pub(crate) async fn eventually<F: Future<Output = Option<T>>, T>(mut ask: impl FnMut() -> F) -> T {
    for _ in 0..20_000 {
        if let Some(found) = ask().await {
            return found;
        }
        tokio::task::yield_now().await;
    }
    panic!("it never became so");
}
