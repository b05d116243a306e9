//! What a receiver can check: signatures verified by code that others wrote, and bodies byte for byte.

use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};
use standardwebhooks::Webhook;

use crate::support::{ACCOUNT, Api, Received, Reply, Server, Setup, Target, eventually};

fn headers(received: &Received) -> HeaderMap {
    let headers = received.message.headers.iter();
    headers
        .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap()))
        .collect()
}

/// Whether the `standardwebhooks` crate takes it for genuine.
fn verifies(received: &Received, secret: &str) -> Result<(), String> {
    let verifier = Webhook::new(secret).unwrap();
    verifier
        .verify(&received.message.body, &headers(received))
        .map_err(|error| format!("{error}: {received:?}"))
}

/// Every `x-hook-signature`, in order.
fn hook_signatures(received: &Received) -> Vec<&str> {
    let headers = received.message.headers.iter();
    headers.filter(|(name, _)| name == "x-hook-signature").map(|(_, value)| value.as_str()).collect()
}

/// `x-hook-signature` as another implementation of HMAC makes it: keyed with the secret as it was shown.
fn hook_signature(received: &Received, secret: &str) -> String {
    let tag = hmac_sha256::HMAC::mac(&received.message.body, secret.as_bytes());
    tag.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Both signatures verify with this secret, and with no other.
#[track_caller]
fn assert_signed(received: &Received, secret: &str) {
    assert_eq!(verifies(received, secret), Ok(()));
    assert_eq!(hook_signatures(received), [hook_signature(received, secret)]);
    let other = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
    assert!(verifies(received, other).is_err(), "any secret verifies");
}

#[track_caller]
fn nth(target: &Target, count: usize) -> Received {
    eventually(|| {
        let received = target.received();
        received.get(count - 1).cloned().ok_or_else(|| format!("{} of {count} requests", received.len()))
    })
}

fn start() -> (Server, Api, Target) {
    let server = Setup::new().flag("--retry-schedule=50ms,50ms").start();
    let api = server.api();
    (server, api, Target::always(Reply::Status(200)))
}

/// An event whose data is written in a way that no serialiser would choose.
const ODD: &str =
    "{ \"id\" : 4.20e1,\n\t\"name\":\"Z\\u006f\\u00eb \u{1F600}\", \"a\":[ ], \"a\":{\"\":null} }";

fn emit_odd(api: &mut Api) -> String {
    let body = format!("{{\"account\":\"{ACCOUNT}\",\"event\":\"contact.create\",\"data\":{ODD}}}");
    api.ask("POST", "/api/v1/event/", &[], Some(body.as_bytes())).unwrap().expect(202).str("id")
}

#[test]
fn a_full_body_holds_event_data_and_hook_and_is_signed() {
    let (_server, mut api, target) = start();
    let subscribed = api.subscribe("contact.*", &target.url());
    let event = emit_odd(&mut api);
    let received = nth(&target, 1);
    assert_signed(&received, &subscribed.secret);
    let text = String::from_utf8(received.message.body.clone()).unwrap();
    assert!(text.contains(&format!("\"data\":{ODD},")), "data is not byte for byte in {text}");
    let body = received.json();
    assert_eq!(body["id"], event.as_str());
    assert_eq!(body["type"], "contact.create");
    assert_eq!(body["hook"], json!({"id": subscribed.id, "event": "contact.*", "target": target.url()}));
    let members: Vec<&String> = body.as_object().unwrap().keys().collect();
    assert_eq!(members, ["data", "hook", "id", "timestamp", "type"]);
    let asked = api.get(&format!("/api/v1/event/{event}/?account={ACCOUNT}")).expect(200);
    assert_eq!(body["timestamp"], asked.json["created_at"]);
    assert!(asked.text().contains(ODD), "data is not byte for byte in {}", asked.text());
}

#[test]
fn a_request_carries_the_headers_that_are_documented() {
    let (_server, mut api, target) = start();
    let subscribed = api.subscribe("contact.create", &target.url());
    let events = [1, 2].map(|n| api.emit("contact.create", &json!({"n": n})));
    nth(&target, 2);
    for received in target.received() {
        assert_eq!(received.message.first, "POST /hook HTTP/1.1");
        assert_eq!(received.header("content-type"), "application/json");
        assert!(received.header("user-agent").starts_with("resthooks/"), "{received:?}");
        assert_eq!(received.header("x-hook-event"), "contact.create");
        assert_eq!(received.header("x-hook-subscription"), subscribed.id);
        assert_eq!(received.header("x-hook-attempt"), "1");
        let event = &events[usize::try_from(received.json()["data"]["n"].as_u64().unwrap() - 1).unwrap()];
        assert_eq!(received.id(), api.delivery_id(event));
        assert_eq!(received.header("x-hook-sequence"), received.json()["data"]["n"].to_string());
        let seconds: u64 = received.header("webhook-timestamp").parse().unwrap();
        let created = received.json()["timestamp"].as_str().unwrap().to_owned();
        assert!(seconds > 1_700_000_000, "{seconds} is not the time in seconds; the event is of {created}");
    }
}

#[test]
fn a_skinny_body_names_the_resource() {
    let (_server, mut api, target) = start();
    let kind = json!({"name": "contact.create", "resource_url": "https://api.example.com/contacts/{id}"});
    api.post("/api/v1/event-type/", &kind).expect(201);
    let subscribed = api.subscribe_with("contact.create", &target.url(), json!({"payload": "skinny"}));
    api.emit("contact.create", &json!({"id": "a/b", "name": "Jane"}));
    let received = nth(&target, 1);
    assert_signed(&received, &subscribed.secret);
    let data = json!({"id": "a/b", "url": "https://api.example.com/contacts/a%2Fb"});
    assert_eq!(received.json()["data"], data);
    assert_eq!(received.json()["hook"]["id"], subscribed.id.as_str());
    let given = json!({"account": ACCOUNT, "event": "contact.create", "data": {"id": 7},
        "resource_url": "https://api.example.com/v2/contacts/7"});
    api.post("/api/v1/event/", &given).expect(202);
    let data = json!({"id": 7, "url": "https://api.example.com/v2/contacts/7"});
    assert_eq!(nth(&target, 2).json()["data"], data);
}

#[test]
fn a_raw_body_is_the_data_byte_for_byte() {
    let (_server, mut api, target) = start();
    let subscribed = api.subscribe_with("contact.create", &target.url(), json!({"payload": "raw"}));
    emit_odd(&mut api);
    let received = nth(&target, 1);
    assert_eq!(String::from_utf8_lossy(&received.message.body), ODD);
    assert_signed(&received, &subscribed.secret);
    for (place, data) in ["null", "0", "\"\"", "[]", "{}"].iter().enumerate() {
        let body = format!("{{\"account\":\"{ACCOUNT}\",\"event\":\"contact.create\",\"data\": {data} }}");
        api.ask("POST", "/api/v1/event/", &[], Some(body.as_bytes())).unwrap().expect(202);
        let received = nth(&target, place + 2);
        assert_eq!(String::from_utf8_lossy(&received.message.body), *data);
        assert_signed(&received, &subscribed.secret);
    }
}

#[test]
fn the_largest_data_arrives_whole_and_signed() {
    let (_server, mut api, target) = start();
    let subscribed = api.subscribe("contact.create", &target.url());
    let text = "x".repeat(1024 * 1024 - 2);
    api.emit("contact.create", &json!(text));
    let received = nth(&target, 1);
    assert_signed(&received, &subscribed.secret);
    assert_eq!(received.json()["data"].as_str().map(str::len), Some(text.len()));
}

#[test]
fn every_attempt_is_signed_anew_over_the_same_body() {
    let (_server, mut api, _) = start();
    let target = Target::script([Reply::Status(500), Reply::Reset, Reply::Status(200)]);
    let subscribed = api.subscribe("contact.create", &target.url());
    let event = api.emit("contact.create", &json!({"id": 1}));
    api.settled(&event, "delivered");
    let received = target.received();
    assert_eq!(received.len(), 3);
    for one in &received {
        assert_signed(one, &subscribed.secret);
        assert_eq!((one.id(), &one.message.body), (received[0].id(), &received[0].message.body));
    }
}

#[test]
fn within_the_grace_both_secrets_sign_and_then_only_the_new_one() {
    let (server, mut api, target) = start();
    let subscribed = api.subscribe("contact.create", &target.url());
    let rotate = format!("/api/v1/subscription/{}/rotate-secret/", subscribed.id);
    let new = api.post(&rotate, &json!({"grace_seconds": 3600})).expect(200).str("secret");
    assert_ne!(new, subscribed.secret);
    let first = api.emit("contact.create", &json!({"n": 1}));
    let both = nth(&target, 1);
    for secret in [&new, &subscribed.secret] {
        assert_eq!(verifies(&both, secret), Ok(()));
    }
    let wanted = [&new, &subscribed.secret].map(|secret| hook_signature(&both, secret));
    assert_eq!(hook_signatures(&both), wanted, "the newest first");
    assert_eq!(both.header("webhook-signature").split(' ').count(), 2);
    // Both still sign after a crash. Recorded before it, the first one does not come again after it.
    api.settled(&first, "delivered");
    let server = server.killed_and_restarted();
    let mut api = server.api();
    api.emit("contact.create", &json!({"n": 2}));
    let received = nth(&target, 2);
    for secret in [&new, &subscribed.secret] {
        assert_eq!(verifies(&received, secret), Ok(()));
    }
    let shown = api.get(&format!("/api/v1/subscription/{}/secret/", subscribed.id)).expect(200);
    assert_eq!(shown.str("secret"), new);
    let newest = api.post(&rotate, &json!({"grace_seconds": 0})).expect(200).str("secret");
    api.emit("contact.create", &json!({"n": 3}));
    let received = nth(&target, 3);
    assert_signed(&received, &newest);
    assert!(verifies(&received, &new).is_err(), "without a grace the old secret signs on");
}

#[test]
fn a_secret_may_be_brought_along() {
    let (_server, mut api, target) = start();
    let own = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let subscribed = api.subscribe_with("contact.create", &target.url(), json!({"secret": own}));
    assert_eq!(subscribed.secret, own);
    api.emit("contact.create", &json!({"n": 1}));
    assert_signed(&nth(&target, 1), own);
}

#[test]
fn headers_of_its_own_go_with_every_request() {
    let (_server, mut api, _) = start();
    let target = Target::script([Reply::Status(500), Reply::Status(200)]);
    let own = json!({"headers": {"Authorization": "Bearer their-token", "x-team": "red"}});
    let subscribed = api.subscribe_with("contact.create", &target.url(), own);
    let event = api.emit("contact.create", &json!({"n": 1}));
    api.settled(&event, "delivered");
    for received in target.received() {
        assert_eq!(received.header("authorization"), "Bearer their-token");
        assert_eq!(received.header("x-team"), "red");
        assert_signed(&received, &subscribed.secret);
    }
    let shown = api.get(&format!("/api/v1/subscription/{}/", subscribed.id)).expect(200).json;
    assert_eq!(shown["headers"], json!({"authorization": "***", "x-team": "red"}));
    assert_eq!(shown["secret"], Value::Null, "the secret is shown once");
}

#[test]
fn a_ping_is_signed_too() {
    let (_server, mut api, target) = start();
    let subscribed = api.subscribe("contact.create", &target.url());
    let pinged = api.post(&format!("/api/v1/subscription/{}/ping/", subscribed.id), &json!({})).expect(200);
    assert_eq!(pinged.json["status_code"], 200, "{}", pinged.json);
    assert_signed(&nth(&target, 1), &subscribed.secret);
}
