//! The application from its start to its end, over sockets: its users subscribe, its own routes emit, hooks arrive.

#![expect(clippy::unwrap_used, reason = "tests panic where something is wrong")]

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use axum::routing::post;
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};

/// What arrived at the receiver.
type Hook = (HeaderMap, Bytes);

/// The application, running.
struct App {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    ended: tokio::task::JoinHandle<anyhow::Result<()>>,
}

impl App {
    async fn start(store: &std::path::Path) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut options = resthooks::Options::default();
        options.targets.allow_http = true;
        options.targets.allow_private = true;
        options.retry.schedule = vec![Duration::from_millis(50); 3];
        let (stop, stopped) = oneshot::channel();
        let store = store.to_owned();
        let ended = tokio::spawn(async move {
            contacts::run(listener, store, options, async {
                let _ = stopped.await;
            })
            .await
        });
        Self { address, stop, ended }
    }

    async fn stop(self) {
        self.stop.send(()).unwrap();
        self.ended.await.unwrap().unwrap();
    }

    /// Asks as a user; status and JSON of the answer.
    #[expect(clippy::disallowed_methods, reason = "this is the test's side of the connection")]
    async fn ask(&self, token: &str, method: Method, path: &str, body: Value) -> (StatusCode, Value) {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "contacts.example")
            .header("authorization", format!("Bearer {token}"))
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from(body)))
            .unwrap();
        let answer = sender.send_request(request).await.unwrap();
        let status = answer.status();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
    }
}

/// A target that answers its first hook with 500, and all others with 204.
async fn receiver() -> (String, mpsc::UnboundedReceiver<Hook>) {
    let (sender, hooks) = mpsc::unbounded_channel();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let take = |State(sender): State<mpsc::UnboundedSender<Hook>>, headers: HeaderMap, body: Bytes| async move {
        let is_first =
            headers.get("x-hook-sequence").unwrap() == "1" && headers.get("x-hook-attempt").unwrap() == "1";
        sender.send((headers, body)).unwrap();
        if is_first { StatusCode::INTERNAL_SERVER_ERROR } else { StatusCode::NO_CONTENT }
    };
    let app = Router::new().route("/", post(take)).with_state(sender);
    tokio::spawn(async move { axum::serve(listener, app).await });
    (url, hooks)
}

async fn next(hooks: &mut mpsc::UnboundedReceiver<Hook>, secret: &str) -> (HeaderMap, Value) {
    let waiting = tokio::time::timeout(Duration::from_secs(20), hooks.recv());
    let (headers, body) = waiting.await.expect("a hook arrives").unwrap();
    standardwebhooks::Webhook::new(secret).unwrap().verify(&body, &headers).unwrap();
    let json = serde_json::from_slice(&body).unwrap();
    (headers, json)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn users_get_hooks_of_their_own_contacts() {
    let dir = tempfile::tempdir().unwrap();
    let app = App::start(&dir.path().join("contacts.db")).await;
    let (url, mut hooks) = receiver().await;

    let (status, types) = app.ask("ada-token", Method::GET, "/hooks/event-type/", Value::Null).await;
    assert_eq!(status, StatusCode::OK);
    let names: Vec<_> =
        types["data"].as_array().unwrap().iter().map(|t| t["name"].as_str().unwrap()).collect();
    assert_eq!(names.len(), 3, "{names:?}");
    let body = json!({ "event": "contact.*", "target_url": url });
    let (status, subscription) = app.ask("ada-token", Method::POST, "/hooks/subscription/", body).await;
    assert_eq!(status, StatusCode::CREATED, "{subscription}");
    assert_eq!(subscription["account"], "ada");
    let secret = subscription["secret"].as_str().unwrap().to_owned();

    // Another user sees neither the subscription nor, later, the contact, and what it does reaches nobody.
    let own = format!("/hooks/subscription/{}/", subscription["id"].as_str().unwrap());
    assert_eq!(app.ask("grace-token", Method::GET, &own, Value::Null).await.0, StatusCode::NOT_FOUND);
    assert_eq!(app.ask("nobody", Method::GET, &own, Value::Null).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(app.ask("nobody", Method::GET, "/contacts", Value::Null).await.0, StatusCode::UNAUTHORIZED);
    let contact = json!({ "name": "Alan Turing", "email": "alan@example.com" });
    let (status, _) = app.ask("grace-token", Method::POST, "/contacts", contact.clone()).await;
    assert_eq!(status, StatusCode::CREATED);

    let (status, made) = app.ask("ada-token", Method::POST, "/contacts", contact).await;
    assert_eq!(status, StatusCode::CREATED);
    let path = format!("/contacts/{}", made["id"]);
    let (headers, hook) = next(&mut hooks, &secret).await;
    assert_eq!((&hook["type"], &hook["data"]), (&json!("contact.create"), &made));
    assert_eq!(hook["hook"]["id"], subscription["id"]);
    let (retried, again) = next(&mut hooks, &secret).await;
    assert_eq!(again, hook);
    assert_eq!(retried["webhook-id"], headers["webhook-id"]);
    assert_eq!(retried["x-hook-attempt"], "2");

    let changed = json!({ "name": "Alan Turing", "email": "turing@example.com" });
    assert_eq!(app.ask("grace-token", Method::PUT, &path, changed.clone()).await.0, StatusCode::NOT_FOUND);
    let (status, changed) = app.ask("ada-token", Method::PUT, &path, changed).await;
    assert_eq!(status, StatusCode::OK);
    let (_, hook) = next(&mut hooks, &secret).await;
    assert_eq!((&hook["type"], &hook["data"]), (&json!("contact.update"), &changed));

    assert_eq!(app.ask("ada-token", Method::DELETE, &path, Value::Null).await.0, StatusCode::NO_CONTENT);
    let (_, hook) = next(&mut hooks, &secret).await;
    assert_eq!(hook["type"], "contact.delete");
    assert_eq!(app.ask("ada-token", Method::GET, &path, Value::Null).await.0, StatusCode::NOT_FOUND);
    let (_, rest) = app.ask("ada-token", Method::GET, "/contacts", Value::Null).await;
    assert_eq!(rest, json!([]));
    app.stop().await;
    assert!(hooks.try_recv().is_err(), "nothing else arrived");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_application_goes_on_where_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("contacts.db");
    let (url, mut hooks) = receiver().await;
    let app = App::start(&store).await;
    let body = json!({ "event": "contact.create", "target_url": url });
    let (_, subscription) = app.ask("ada-token", Method::POST, "/hooks/subscription/", body).await;
    app.stop().await;

    let app = App::start(&store).await;
    let contact = json!({ "name": "Alan Turing", "email": "alan@example.com" });
    let (status, made) = app.ask("ada-token", Method::POST, "/contacts", contact).await;
    assert_eq!(status, StatusCode::CREATED);
    let (_, hook) = next(&mut hooks, subscription["secret"].as_str().unwrap()).await;
    assert_eq!(hook["data"], made);
    app.stop().await;
}
