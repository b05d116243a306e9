//! A target that says back all that it is sent, in every way that it may: nothing secret of it is in what is recorded,
//! shown or kept.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::response::IntoResponse;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use serde_json::{Value, json};

use crate::harness::{App, eventually};

const LIST: &str = "/api/v1/subscription/";
const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
const KEY: &str = "whsk_nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=";
const PASSWORD: &str = "hunter/22+\"quoted\"";
const TOKEN: &str = "eyJhbGciOi.J9+/e30.sig==";

/// The request in the answer's headers and body, plain, escaped and in base64.
fn echo(method: &Method, uri: &Uri, headers: &HeaderMap, body: &[u8], known: &str) -> impl IntoResponse {
    let mut answer = HeaderMap::new();
    let mut list = Vec::new();
    for (name, value) in headers {
        let said = HeaderName::try_from(format!("x-got-{name}")).unwrap();
        answer.append(said, value.clone());
        list.push(format!("{name}: {}", value.to_str().unwrap()));
    }
    answer.append("x-known", HeaderValue::from_str(&format!("it is {known}")).unwrap());
    answer.append("set-cookie", HeaderValue::from_static("session=of-the-target"));
    let plain = format!("{method} {uri}\n{}\n\n{}", list.join("\n"), String::from_utf8_lossy(body));
    let json = json!({"headers": list, "known": known, "json": plain}).to_string();
    let html = plain.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;");
    let parts = [plain.clone(), json.replace('/', "\\/"), json, html, STANDARD.encode(&plain)];
    (answer, parts.join("\n"))
}

struct Echo {
    url: String,
    requests: Arc<Mutex<Vec<(Method, HeaderMap, Uri)>>>,
}

/// It has been told its subscription's secret.
async fn echoing(status: StatusCode, known: &'static str) -> Echo {
    let requests = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&requests);
    let handler = move |method: Method, uri: Uri, headers: HeaderMap, body: Bytes| async move {
        let answer = (status, echo(&method, &uri, &headers, &body, known)).into_response();
        kept.lock().unwrap().push((method, headers, uri));
        answer
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(handler)).await });
    Echo { url, requests }
}

fn basic() -> String {
    format!("Basic {}", STANDARD.encode(format!("me:{PASSWORD}")))
}

/// All that must not be seen, in the writings in which the target may say it.
fn hidden() -> Vec<String> {
    let mut all = Vec::new();
    all.extend([SECRET, KEY, PASSWORD, TOKEN, "cookie-value-1", "api-key-value"].map(str::to_owned));
    all.push(basic().split_off("Basic ".len()));
    let cores: Vec<String> = all
        .iter()
        .map(|one| {
            one.trim_start_matches("whsec_").trim_start_matches("whsk_").trim_end_matches('=').to_owned()
        })
        .collect();
    let escaped = cores.iter().map(|one| serde_json::to_string(one).unwrap().trim_matches('"').to_owned());
    let slashed: Vec<String> = cores.iter().map(|one| one.replace('/', "\\/")).collect();
    let html: Vec<String> = cores.iter().map(|one| one.replace('"', "&quot;")).collect();
    escaped.chain(cores.clone()).chain(slashed).chain(html).collect()
}

#[track_caller]
fn assert_hidden(what: &str, shown: &str) {
    for one in hidden() {
        assert!(!shown.contains(&one), "{what} tells {one}: {shown}");
        let nested = serde_json::to_string(&one).unwrap();
        assert!(!shown.contains(nested.trim_matches('"')), "{what} tells {nested}: {shown}");
    }
    for run in shown.split(|c: char| !c.is_ascii_alphanumeric() && !"+/".contains(c)) {
        let decoded = STANDARD.decode(&run[..run.len() / 4 * 4]).unwrap_or_default();
        let decoded = String::from_utf8_lossy(&decoded);
        assert!(!hidden().iter().any(|one| decoded.contains(one)), "{what} tells in base64: {decoded}");
    }
}

fn subscription(target: &Echo, intent: &str, secret: &str) -> Value {
    json!({
        "account": "acme", "event": "a.b", "target_url": target.url, "secret": secret, "intent": intent,
        "headers": {
            "authorization": basic(), "x-upstream": format!("Bearer {TOKEN}"), "x-api-key": "api-key-value",
            "cookie": "lang=en; sid=cookie-value-1", "x-team": "the red team",
        },
    })
}

#[tokio::test]
async fn delivery_records_tell_nothing_of_what_is_said_back() {
    let app = App::start().await;
    let provider = app.provider();
    for (status, secret) in [(StatusCode::OK, SECRET), (StatusCode::BAD_REQUEST, KEY)] {
        let target = echoing(status, secret).await;
        let made = provider.post(LIST, subscription(&target, "none", secret)).await.expect(201).json();
        let ping = format!("{LIST}{}/ping/", made["id"].as_str().unwrap());
        let pinged = provider.post(&ping, json!({})).await.expect(200);
        let event = provider.emit("acme", "a.b", json!({"n": 1})).await;
        let deliveries = format!("/api/v1/event/{}/delivery/", event["id"].as_str().unwrap());
        let attempts = eventually(async || {
            let listed = provider.get(&deliveries).await.expect(200).data();
            let mine = listed.iter().find(|one| one["subscription"] == made["id"])?.clone();
            let path = format!("/api/v1/delivery/{}/", mine["id"].as_str().unwrap());
            let read = provider.get(&path).await.expect(200);
            (read.json()["attempt_count"] == 1).then_some(read)
        })
        .await;
        let sent = target.requests.lock().unwrap()[0].1.clone();
        assert_eq!(sent["authorization"], basic(), "the target did get it");
        let attempt = attempts.json()["attempts"][0].clone();
        assert!(!attempt["response_truncated"].as_bool().unwrap(), "all of the echo is looked at");
        let headers = &attempt["response_headers"];
        assert_eq!(headers["set-cookie"], json!(["***"]));
        assert_eq!(headers["x-got-authorization"], json!(["***"]));
        assert_eq!(headers["x-got-x-upstream"], json!(["***"]));
        assert_eq!(headers["x-got-x-team"], json!(["the red team"]));
        let body = attempt["response_body"].as_str().unwrap();
        assert!(body.contains("the red team") && body.contains("x-hook-event: a.b"), "{body}");
        assert_hidden("the delivery", &attempts.text());
        assert_hidden("the ping", &pinged.text());
    }
}

#[tokio::test]
async fn handshakes_tell_nothing_of_what_is_said_back() {
    let app = App::start().await;
    let provider = app.provider();
    for (intent, known) in [("echo", SECRET), ("challenge", KEY), ("options", SECRET)] {
        let target = echoing(StatusCode::OK, known).await;
        let made = provider.post(LIST, subscription(&target, intent, known)).await.expect(201).json();
        let path = format!("{LIST}{}/handshake/", made["id"].as_str().unwrap());
        let shown = eventually(async || {
            let shown = provider.get(&path).await.expect(200);
            (shown.json()["attempt_count"] == 1).then_some(shown)
        })
        .await;
        let attempt = shown.json()["attempts"][0].clone();
        assert_eq!(attempt["status_code"], 200, "{attempt}");
        let (method, headers, uri) = target.requests.lock().unwrap()[0].clone();
        let secret = match intent {
            "echo" => headers["x-hook-secret"].to_str().unwrap().to_owned(),
            "challenge" => uri.query().unwrap().rsplit('=').next().unwrap().to_owned(),
            _ => String::new(),
        };
        assert!(secret.len() >= 20 || method == Method::OPTIONS);
        let body = attempt["response_body"].as_str().unwrap();
        assert!(body.contains("***"), "{body}");
        assert!(secret.is_empty() || !shown.text().contains(&secret), "{}", shown.text());
        assert_hidden("the handshake", &shown.text());
    }
}
