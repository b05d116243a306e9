//! Every kind of secret is planted, used in each way there is, and then sought in everything that the program has
//! written or answered: logs of all levels, metrics, errors, delivery records, reads, the audit trail, what commands print,
//! the export, and the store itself.

#[path = "secrets/evidence.rs"]
mod evidence;
#[path = "secrets/mirror.rs"]
mod mirror;
#[path = "secrets/planted.rs"]
mod planted;
#[path = "secrets/settings.rs"]
mod settings;
#[path = "secrets/trial.rs"]
mod trial;

use std::time::Duration;

use serde_json::{Value, json};

use self::mirror::{handshakes, is_hook, mirror, silent_at_first};
use self::planted::{
    ADMIN_KEY, BROKEN_KEY, BROKEN_SECRET, GIVEN_SECRET, HEADER_TOKEN, PASSWORD, PRIVATE_KEY, PROXY_PASSWORD,
    QUERY, SET_COOKIE, TARGET_QUERY, UNKNOWN_KEY, operators, subscription, token,
};
use self::trial::Trial;
use crate::cli::resthooks;
use crate::place::store_as_it_lies;
use crate::support::{ACCOUNT, Received, Reply, Setup, Target, eventually};

const LIST: &str = "/api/v1/subscription/";

/// The provider's own authentication: it does not know one key, and breaks on another; both times it says what it was asked.
fn authority() -> Target {
    Target::answering(|request: &Received, _| {
        let asked = request.header("authorization");
        let status = if asked.contains(UNKNOWN_KEY) { 401 } else { 500 };
        Reply::Body(status, format!("x-asked: {asked}\r\n"), format!("{asked}\n{}\n", request.message.first))
    })
}

fn setup(authority: &Target) -> Setup {
    let asked = format!("{}?key={QUERY}", authority.url());
    let setup = Setup::new()
        .flag("--intent=echo")
        // The driver's own words, too, which are left out unless they are asked for.
        .flag("--log-level=trace,tokio_postgres=trace")
        .flag("--log-format=json")
        .flag("--retry-schedule=50ms,50ms")
        .flag("--jwt-audience=hooks")
        .flag("--jwt-issuer=tests")
        .flag(format!("--forward-auth-url={asked}"))
        .flag("--forward-auth-account-header=x-account");
    operators().into_iter().fold(setup, |setup, (name, value)| setup.variable(name, value))
}

#[test]
fn no_secret_is_told_anywhere() {
    let authority = authority();
    let mut trial = Trial::start(setup(&authority));
    credentials(&mut trial);
    let targets = [mirror(), silent_at_first()];
    let ids = subscriptions(&mut trial, &targets);
    hooks(&mut trial, &targets, &ids);
    for (n, secret) in targets.iter().flat_map(handshakes).enumerate() {
        trial.secrets.add(&format!("what target {n} was asked with"), secret);
    }
    mistakes(&mut trial, &targets[0], &ids[0]);
    reads(&mut trial, &ids);
    over_http2(&mut trial);
    afterwards(&mut trial, &ids[0]);
    trial.judge();
}

/// Keys of each kind, and a token: made, used, and one of them revoked.
fn credentials(trial: &mut Trial) {
    let key = json!({"account": ACCOUNT, "name": "theirs"});
    let made = trial.shown_once("an account's key", "/api/v1/api-key/", &key, 201);
    trial.with_key(&made.str("key")).get(LIST).expect(200);
    let gone = trial.shown_once("a provider's key", "/api/v1/api-key/", &json!({"role": "provider"}), 201);
    trial.with_key(&gone.str("key")).get(LIST).expect(200);
    trial.asked("DELETE", &format!("/api/v1/api-key/{}/", gone.str("id")), &Value::Null, 204);
    let token = token();
    trial.with_key(&token).get(LIST).expect(200);
    trial.secrets.add("a token", &token);
    trial.secrets.add("a token's signature", token.rsplit_once('.').unwrap().1);
}

/// Every kind of secret in a subscription, and every kind of handshake.
fn subscriptions(trial: &mut Trial, [mirror, silent]: &[Target; 2]) -> Vec<String> {
    let url = format!("{}?token={TARGET_QUERY}", mirror.url());
    let given = trial.subscribe("a given secret", &subscription(&url, "contact.*"));
    let asymmetric = json!({
        "account": ACCOUNT, "event": "deal.*", "target_url": mirror.url(), "secret": PRIVATE_KEY,
        "intent": "challenge",
    });
    let asymmetric = trial.subscribe("a secret beside a private key", &asymmetric);
    let awaiting = json!({"account": ACCOUNT, "event": "task.*", "target_url": silent.url()});
    let awaiting = trial.subscribe("a made secret", &awaiting);
    trial.active(&given);
    trial.active(&asymmetric);
    let handshake = format!("{LIST}{awaiting}/handshake/");
    eventually(|| match trial.api.get(&handshake).expect(200).json["awaiting_secret"].as_bool() {
        Some(true) => Ok(()),
        other => Err(format!("it awaits its secret: {other:?}")),
    });
    let activate = format!("{LIST}{awaiting}/activate/");
    for (secret, status) in [(HEADER_TOKEN.to_owned(), 422), (handshakes(silent)[0].clone(), 200)] {
        let answer = trial.api.ask("POST", &activate, &[("x-hook-secret", &secret)], None).unwrap();
        trial.keep("what activate/ answers", &answer.expect(status));
    }
    trial.active(&awaiting);
    for (id, path) in [(&given, "rotate-secret/"), (&asymmetric, "rotate-secret/")] {
        let path = format!("{LIST}{id}/{path}");
        trial.shown_once("a rotated secret", &path, &json!({"grace_seconds": 3600}), 200);
    }
    let shown = trial.api.get(&format!("{LIST}{given}/secret/")).expect(200);
    assert_eq!(shown.header("cache-control"), Some("no-store"));
    // No private key is ever shown, not even there.
    let shown = trial.api.get(&format!("{LIST}{asymmetric}/secret/")).expect(200);
    assert!(!shown.text().contains("whsk_") && shown.text().contains("whpk_"), "{}", shown.text());
    vec![given, asymmetric, awaiting]
}

/// Deliveries that fail and go on, each answered with all that was sent; and pings.
fn hooks(trial: &mut Trial, targets: &[Target; 2], ids: &[String]) {
    for event in ["contact.create", "deal.create", "task.create"] {
        let event = trial.api.emit(event, &json!({"id": 1}));
        let delivery = trial.api.settled(&event, "delivered");
        let first = &delivery["attempts"][0];
        assert!(first.to_string().contains("***"), "it says back: {first:#}");
    }
    for id in ids {
        trial.asked("POST", &format!("{LIST}{id}/ping/"), &json!({}), 200);
    }
    let hooks = targets[0].received().into_iter().filter(is_hook);
    let sent = hooks.filter_map(|hook| hook.message.header("authorization").map(str::to_owned));
    assert!(sent.count() >= 3, "targets do get their credentials");
}

/// What callers do wrong, each time with a secret in it.
fn mistakes(trial: &mut Trial, target: &Target, id: &str) {
    let forged = format!("{}x", token());
    for (key, path, status) in [
        (UNKNOWN_KEY, LIST, 401),
        (BROKEN_KEY, LIST, 503),
        (&forged, LIST, 401),
        (UNKNOWN_KEY, "/metrics", 401),
    ] {
        let answer = trial.with_key(key).get(path).expect(status);
        trial.keep("what strangers are answered", &answer);
    }
    let with = |member: &str, value: Value| {
        let mut body = subscription(&target.url(), "contact.*");
        body[member] = value;
        body
    };
    for (body, status) in [
        (with("secret", json!(BROKEN_SECRET)), 422),
        (with("secret", json!([GIVEN_SECRET])), 422),
        (with("headers", json!({"x-bad\n": HEADER_TOKEN})), 422),
        (with("headers", json!({"x-token": format!("{HEADER_TOKEN}\r\nx-a: b")})), 422),
        (with("headers", json!({"webhook-signature": HEADER_TOKEN})), 422),
        (with("headers", json!(HEADER_TOKEN)), 422),
        (with("target_url", json!(format!("http://user:{PASSWORD}@127.0.0.1/"))), 422),
        (with("target_url", json!(format!("http://127.0.0.1/?token={TARGET_QUERY}#{TARGET_QUERY}"))), 422),
        (json!({HEADER_TOKEN: 1}), 422),
    ] {
        let answer = trial.api.post(LIST, &body).expect(status);
        // A field that does not exist is named.
        let place =
            if body[HEADER_TOKEN] == 1 { "an unknown field's answer" } else { "a wrong body's answer" };
        trial.keep(place, &answer);
    }
    let cut =
        format!("{{\"secret\": \"{GIVEN_SECRET}\", \"headers\": {{\"authorization\": \"{HEADER_TOKEN}\"");
    let cut = trial.api.ask("POST", LIST, &[], Some(cut.as_bytes())).unwrap().expect(400);
    trial.keep("a cut body's answer", &cut);
    let verify = json!({
        "subscription": id, "headers": {"authorization": HEADER_TOKEN, "webhook-signature": "v1,no"},
        "body": "e30=",
    });
    trial.asked("POST", "/api/v1/verify/", &verify, 200);
    for path in [format!("{LIST}?limit={QUERY}"), format!("{LIST}{QUERY}/")] {
        let answer = trial.api.get(&path);
        assert!(answer.status >= 400);
        trial.keep("what a query is answered", &answer);
    }
}

/// Everything that can be read.
fn reads(trial: &mut Trial, ids: &[String]) {
    let deliveries = trial.api.get("/api/v1/delivery/").json["data"].as_array().unwrap().clone();
    let of_deliveries =
        deliveries.iter().map(|one| format!("/api/v1/delivery/{}/", one["id"].as_str().unwrap()));
    let lists = ["subscription", "event", "delivery", "api-key", "account", "audit", "event-type", "node"];
    let of_one = ids.iter().flat_map(|id| ["", "handshake/"].map(|rest| format!("{LIST}{id}/{rest}")));
    let all = lists.map(|name| format!("/api/v1/{name}/?limit=250")).into_iter();
    for path in all.chain(of_one).chain(of_deliveries) {
        let path = path.replace("node/?limit=250", "node/");
        let answer = trial.asked("GET", &path, &Value::Null, 200);
        assert!(answer.text().len() > 20, "{path} says hardly anything: {}", answer.text());
    }
    let metrics = trial.with_key(planted::METRICS_KEY).get("/metrics").expect(200);
    trial.keep("the metrics", &metrics);
    for path in ["/healthz", "/readyz", "/openapi.json", "/docs", "/"] {
        let answer = trial.api.get(path);
        trial.keep(path, &answer);
    }
}

/// HTTP/2 is another part of the program, with logs of its own.
fn over_http2(trial: &mut Trial) {
    use http_body_util::{BodyExt as _, Empty};
    use hyper_util::rt::{TokioExecutor, TokioIo};

    let address = trial.server.address();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for (key, status) in [(ADMIN_KEY, 200), (UNKNOWN_KEY, 401)] {
        let (status_is, body) = runtime.block_on(async {
            #[expect(clippy::disallowed_methods, reason = "this is the test's side of the connection")]
            let stream = tokio::net::TcpStream::connect(address).await.unwrap();
            let (mut sender, connection) =
                hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
                    .await
                    .unwrap();
            tokio::spawn(connection);
            let request = http::Request::get(format!("http://{address}{LIST}"))
                .header("authorization", format!("Bearer {key}"))
                .header("cookie", format!("session={SET_COOKIE}"))
                .body(Empty::<bytes::Bytes>::new())
                .unwrap();
            let answer = sender.send_request(request).await.unwrap();
            (answer.status(), answer.into_body().collect().await.unwrap().to_bytes())
        });
        assert_eq!(status_is, status);
        trial.evidence.add("GET over HTTP/2", body.to_vec());
    }
}

/// What the operator sees, and what lies on the disk: while it runs, once it has ended, and after a crash.
fn afterwards(trial: &mut Trial, id: &str) {
    for (place, bytes) in store_as_it_lies(&trial.setup) {
        trial.evidence.add(place, bytes);
    }
    trial.server.terminate();
    assert_eq!(trial.server.exit_code(Duration::from_secs(60)), Some(0));
    trial.evidence.add("the log", trial.server.log());
    trial.evidence.add("the greeting", trial.server.out());
    let log = trial.server.log();
    assert!(log.len() > 40_000 && log.contains("TRACE") && log.contains("h2::"), "it says hardly anything");
    assert!(trial.evidence.size_of("the metrics") > 1000);
    for words in [
        &["config"][..],
        &["export", "--output=moved.jsonl"],
        &["key", "list"],
        &["config", "--admin-keys=x"],
    ] {
        let store = trial.setup.store_flags();
        let flags = [&["--jwt-audience=hooks"][..], &store[..]].concat();
        let flags = if words[0] == "config" { flags } else { store };
        let said = resthooks(trial.setup.dir(), &[words, &flags[..]].concat(), &operators());
        assert_eq!(said.status.success(), words.len() < 2 || words[0] != "config", "{words:?} {said:?}");
        trial.evidence.add(format!("what {words:?} says"), [said.stdout, said.stderr].concat());
    }
    let moved = std::fs::read_to_string(trial.setup.dir().join("moved.jsonl")).unwrap();
    assert!(moved.contains(id), "the subscription is not in the export");
    trial.evidence.add("the export", moved);
    for (place, bytes) in store_as_it_lies(&trial.setup) {
        trial.evidence.add(place, bytes);
    }
}

/// A proxy between us and targets that refuses, and says back what it was told.
#[test]
fn a_proxys_password_is_not_told() {
    let proxy = Target::answering(|request, _| {
        let told = request.header("proxy-authorization");
        Reply::Body(407, format!("x-told: {told}\r\n"), told.to_owned())
    });
    let setup = Setup::new()
        .flag(format!("--admin-key={ADMIN_KEY}"))
        .flag("--log-level=trace")
        .flag("--retry-schedule=20ms")
        .variable("RESTHOOKS_OUTBOUND_PROXY", format!("http://user:{PROXY_PASSWORD}@{}", proxy.address()));
    let mut trial = Trial::start(setup);
    let id = trial.api.subscribe("a.b", "http://127.0.0.1:9/").id;
    let event = trial.api.emit("a.b", &json!(1));
    let delivery = trial.api.settled(&event, "dead");
    assert_eq!(delivery["attempts"][0]["error"], "proxy");
    trial.evidence.add("the delivery", delivery.to_string());
    trial.asked("POST", &format!("{LIST}{id}/ping/"), &json!({}), 200);
    trial.evidence.add("the log", trial.server.log());
    assert!(proxy.count() >= 2);
    trial.judge();
}
