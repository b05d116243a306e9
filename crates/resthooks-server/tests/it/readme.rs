//! What the README promises to a newcomer, from its own text.

use std::net::SocketAddr;
use std::process::Command;

use serde_json::{Value, json};

use super::cli::text;
use super::running::Running;
use super::support::{Reply, Server, Setup, Target, eventually};

/// The README's lines that begin so.
fn readme(beginning: &str) -> Vec<&'static str> {
    let readme = include_str!("../../../../README.md");
    readme.lines().filter(|line| line.starts_with(beginning)).collect()
}

#[test]
fn the_limits_are_those_that_hold() {
    use resthooks::limits::*;
    use resthooks::model::TargetUrl;
    let kib = |bytes: usize| {
        assert_eq!(bytes % 1024, 0);
        if bytes.is_multiple_of(1 << 20) {
            format!("{} MiB", bytes >> 20)
        } else {
            format!("{} KiB", bytes >> 10)
        }
    };
    for row in [
        format!("| an event's `data` | {}, nested at most {MAX_DATA_DEPTH} deep |", kib(MAX_DATA_BYTES)),
        format!("| a batch | {} events, {} |", thousands(MAX_BATCH_EVENTS), kib(MAX_BATCH_BYTES)),
        format!("| events of one subscription | {MAX_SUBSCRIPTION_EVENTS} names or patterns |"),
        format!(
            "| a subscription's own headers | {MAX_CUSTOM_HEADERS}, in all {} |",
            kib(MAX_CUSTOM_HEADER_BYTES)
        ),
        format!(
            "| its metadata, its description | {}, {} |",
            kib(MAX_METADATA_BYTES),
            kib(MAX_DESCRIPTION_BYTES)
        ),
        format!(
            "| event types; a schema; a sample | {}; {}; {} |",
            thousands(MAX_EVENT_TYPES),
            kib(MAX_SCHEMA_BYTES),
            kib(MAX_SAMPLE_BYTES)
        ),
        format!("| a target's URL | {} bytes |", thousands(TargetUrl::MAX_LEN)),
        format!("| what is kept of an answer's body | {} |", kib(MAX_RESPONSE_BODY_BYTES)),
        format!("| a page of a list | {MAX_PAGE}, {DEFAULT_PAGE} unless said otherwise |"),
    ] {
        assert!(include_str!("../../../../README.md").contains(&row), "the README lacks {row}");
    }
}

/// With a comma, as the README writes it.
fn thousands(number: usize) -> String {
    format!("{},{:03}", number / 1000, number % 1000)
}

/// Runs the README's curl lines against this server and this target.
fn paste(server: &Server, target: SocketAddr) {
    let lines = readme("curl ");
    assert_eq!(lines.len(), 4);
    for line in lines {
        let line = line
            .replace("127.0.0.1:8080", &server.address().to_string())
            .replace("127.0.0.1:9000", &target.to_string());
        let output = Command::new("sh").args(["-c", &line]).output().unwrap();
        assert!(output.status.success(), "{line}: {}", text(&output.stderr));
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert!(answer.get("code").is_none(), "{line}: {answer}");
    }
}

const README_SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

#[test]
fn the_readmes_lines_deliver_a_hook_that_others_can_verify() {
    assert_eq!(readme("cargo run --release -- serve"), ["cargo run --release -- serve --dev"]);
    let server = Setup::new().start();
    let target = Target::always(Reply::Status(200));
    paste(&server, target.address());
    eventually(|| if target.count() == 1 { Ok(()) } else { Err("nothing arrived".to_owned()) });
    let received = &target.received()[0];
    let body = &received.message.body;

    let webhook = standardwebhooks::Webhook::new(README_SECRET).unwrap();
    let headers: http::HeaderMap = received
        .message
        .headers
        .iter()
        .map(|(name, value)| (name.parse::<http::HeaderName>().unwrap(), value.parse().unwrap()))
        .collect();
    webhook.verify(body, &headers).unwrap();
    let hmac = hmac_sha256::HMAC::mac(body, README_SECRET.as_bytes());
    let hex: String = hmac.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(received.header("x-hook-signature"), hex);

    let hook = received.json();
    assert_eq!(hook["type"], "contact.create");
    assert_eq!(hook["data"], json!({"id": 42, "name": "Ada Lovelace"}));
    server.api().settled("first", "delivered");
}

#[test]
fn the_readmes_listener_shows_the_hook() {
    let server = Setup::new().start();
    let [command] = readme("cargo run --release -- listen")[..] else { panic!("the README has no listener") };
    let words: Vec<&str> = command.split(" -- ").nth(1).unwrap().split(' ').collect();
    let dir = tempfile::tempdir().unwrap();
    let words: Vec<&str> = words.into_iter().chain(["--listen=127.0.0.1:0", "--count=1"]).collect();
    let mut listener = Running::start(dir.path(), &words);
    let out = listener.printed("waiting for hooks on http://");
    let address = out.lines().next().unwrap().rsplit("http://").next().unwrap().trim_end_matches('/');
    paste(&server, address.parse().unwrap());
    assert_eq!(listener.exit_code(), 0);
    let out = listener.read("out");
    assert!(out.contains("signature verified  answered 200"), "{out}");
    assert!(out.contains("contact.create") && out.contains("Ada Lovelace"), "{out}");
    server.api().settled("first", "delivered");
}

#[test]
fn a_listener_verifies_by_a_public_key_alone() {
    let server = Setup::new().start();
    let mut api = server.api();
    let further = json!({"secret": "whsk_nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=", "active": false});
    let subscribed = api.subscribe_with("contact.create", "http://127.0.0.1:9/", further);
    let path = format!("/api/v1/subscription/{}/", subscribed.id);
    for (key, said) in [
        ("whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=", "signature verified  answered 200"),
        ("whpk_PUAXw+hDiVqStwqnTRt+vJyYLM8uxJaMwM1V8Sr0Zgw=", "refused: it has a wrong webhook-signature"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let words = ["listen", "--listen=127.0.0.1:0", "--count=1", "--secret", key];
        let mut listener = Running::start(dir.path(), &words);
        let out = listener.printed("waiting for hooks on ");
        let url = out.lines().next().unwrap().rsplit(' ').next().unwrap().to_owned();
        api.patch(&path, &json!({"target_url": url})).expect(200);
        api.post(&format!("{path}ping/"), &json!({})).expect(200);
        assert_eq!(listener.exit_code(), 0);
        let out = listener.read("out");
        assert!(out.contains(said), "{out}");
    }
    let wrong = super::cli::resthooks(std::path::Path::new("/"), &["listen", "--secret=whsec_nearly"], &[]);
    let said = String::from_utf8(wrong.stderr).unwrap();
    assert_eq!(wrong.status.code(), Some(2));
    assert!(said.contains("--secret: must be whsec_") && !said.contains("nearly"), "{said}");
}

#[test]
fn a_listener_with_another_secret_refuses() {
    let dir = tempfile::tempdir().unwrap();
    let server = Setup::new().start();
    let words = [
        "listen",
        "--listen=127.0.0.1:0",
        "--count=1",
        "--secret=whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo=",
    ];
    let mut listener = Running::start(dir.path(), &words);
    let out = listener.printed("waiting for hooks on ");
    let url = out.lines().next().unwrap().rsplit(' ').next().unwrap().to_owned();
    let mut api = server.api();
    api.subscribe("contact.create", &url);
    let event = api.emit("contact.create", &json!({"id": 1}));
    assert_eq!(listener.exit_code(), 0);
    let out = listener.read("out");
    assert!(out.contains("refused: it has a wrong webhook-signature  answered 401"), "{out}");
    let deliveries = eventually(|| {
        let deliveries = api.deliveries_of(&event);
        if deliveries[0]["status"] == "scheduled" { Ok(deliveries) } else { Err(format!("{deliveries:?}")) }
    });
    assert_eq!(deliveries[0]["status"], "scheduled");
}
