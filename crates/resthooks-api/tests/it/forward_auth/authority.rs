//! The provider's own authentication, as the tests have it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use http::{HeaderMap, HeaderName};
use resthooks::Options;
use resthooks_api::credentials::{Endpoint, ForwardAuth, ForwardOptions, Named, Reading, client};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::Semaphore;

use crate::harness::{Answer, App, Client};

/// What it answers.
#[derive(Clone)]
pub(super) enum Says {
    /// This status, with these headers and this body.
    Plain(u16, Vec<(&'static str, String)>, String),
    /// The same, once for each permit.
    Later(Arc<Semaphore>),
    /// An account of its own for each credential: what stands behind `Bearer `.
    Echo,
}

/// Yes: it is this account.
pub(super) fn account(name: &str) -> Says {
    Says::Plain(200, vec![("x-account", name.to_owned())], String::new())
}

/// This status, and nothing more than that it would be `acme`.
pub(super) fn status(status: u16) -> Says {
    Says::Plain(status, vec![("x-account", "acme".to_owned())], String::new())
}

/// One who is asked.
#[derive(Clone)]
pub(super) struct Authority {
    pub url: String,
    says: Arc<Mutex<Says>>,
    /// What it was shown, each time.
    pub asked: Arc<Mutex<Vec<(String, HeaderMap)>>>,
}

impl Authority {
    pub(super) async fn start(says: Says) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/check?by=hooks", listener.local_addr().unwrap());
        let own = Self { url, says: Arc::new(Mutex::new(says)), asked: Arc::default() };
        let asked = own.clone();
        let handler = move |request: Request| async move { asked.answer(request).await };
        tokio::spawn(async move { axum::serve(listener, Router::new().fallback(handler)).await });
        own
    }

    pub(super) fn say(&self, says: Says) {
        *self.says.lock().unwrap() = says;
    }

    pub(super) fn count(&self) -> usize {
        self.asked.lock().unwrap().len()
    }

    async fn answer(&self, request: Request) -> Response {
        let question = format!("{} {}", request.method(), request.uri());
        self.asked.lock().unwrap().push((question, request.headers().clone()));
        let says = self.says.lock().unwrap().clone();
        let (status, headers, body) = match says {
            Says::Plain(status, headers, body) => (status, headers, body),
            Says::Later(permits) => {
                permits.acquire().await.unwrap().forget();
                (200, vec![("x-account", "acme".to_owned())], String::new())
            }
            Says::Echo => {
                let shown = request.headers()["authorization"].to_str().unwrap();
                let name = shown.strip_prefix("Bearer ").unwrap().to_owned();
                (200, vec![("x-account", name)], String::new())
            }
        };
        let mut response = http::Response::builder().status(status);
        for (name, value) in headers {
            response = response.header(name, value.as_bytes());
        }
        response.body(Body::from(body)).unwrap()
    }
}

/// One who reads a question and then sends these bytes, and hangs up if it is told to. Its URL.
pub(super) async fn raw(bytes: Vec<u8>, hangs_up: bool) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = [0; 1024];
            let _ = stream.read(&mut head).await;
            let _ = stream.write_all(&bytes).await;
            if !hangs_up {
                held.push(stream);
            }
        }
    });
    url
}

/// An API that asks.
pub(super) struct Setup {
    pub app: App,
    pub router: Router,
}

/// What a header or a field is called by.
pub(super) fn in_header(name: &'static str) -> Named {
    Named::Header(HeaderName::from_static(name))
}

pub(super) fn in_field(path: &str) -> Named {
    Named::Field(path.parse().unwrap())
}

pub(super) fn by_header() -> Reading {
    let provider = Some((in_header("x-role"), "provider".to_owned()));
    Reading { account: in_header("x-account"), provider }
}

impl Setup {
    /// Asks at this URL, and reads the header `x-account`.
    pub(super) async fn at(url: &str) -> Self {
        Self::with(url, by_header(), |_| {}).await
    }

    pub(super) async fn with(url: &str, reading: Reading, change: impl FnOnce(&mut ForwardOptions)) -> Self {
        let app = App::start().await;
        let clock = Arc::new(app.clock.clone());
        let engine =
            Options { clock: Arc::<resthooks::env::ManualClock>::clone(&clock), ..Options::default() };
        let client = client(&engine, Duration::from_secs(5)).unwrap();
        let endpoint = Endpoint::new(url, false).unwrap();
        let mut options = ForwardOptions::new(endpoint, client, reading, clock);
        change(&mut options);
        let mut api = resthooks_api::Options::default();
        api.clock = Arc::new(app.clock.clone());
        api.credentials.forward = Some(ForwardAuth::new(options).unwrap());
        let router = resthooks_api::router(app.hooks.clone(), api);
        Self { app, router }
    }

    pub(super) fn caller(&self, token: &str) -> Client {
        Client { router: self.router.clone(), authorization: Some(format!("Bearer {token}")) }
    }

    /// What a caller with this token is answered.
    pub(super) async fn ask(&self, token: &str) -> Answer {
        self.caller(token).get("/api/v1/event/").await
    }

    pub(super) fn wait(&self, seconds: f64) {
        self.app.clock.advance(Duration::from_secs_f64(seconds));
    }
}
