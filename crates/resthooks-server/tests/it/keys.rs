//! `resthooks key`: through a running server, and on the store of a stopped one.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use super::cli::{printed, resthooks, text};
use super::running::status_with;
use super::support::Setup;

/// Makes, lists and revokes keys, reached by these words.
fn keys_by(dir: &Path, reach: &[&str]) {
    let run = |words: &[&str]| {
        let words: Vec<&str> = ["key"].iter().chain(words).chain(reach).copied().collect();
        printed(dir, &words, &[("RESTHOOKS_ADMIN_KEY", "dev")])
    };
    let made = run(&["create", "--account=acme", "--name=their integration"]);
    assert!(made.contains("account  acme") && made.contains("key      rhk_"), "{made}");
    let made: Value = serde_json::from_str(&run(&["create", "--provider", "--json"])).unwrap();
    assert_eq!((&made["role"], &made["account"]), (&json!("provider"), &Value::Null));
    assert!(made["key"].as_str().unwrap().starts_with("rhk_"));
    let id = made["id"].as_str().unwrap();

    let limited = run(&["create", "--scope=emit,read", "--account=acme", "--expires=90d", "--json"]);
    let limited: Value = serde_json::from_str(&limited).unwrap();
    assert_eq!((&limited["scopes"], &limited["role"]), (&json!(["emit", "read"]), &Value::Null));
    assert!(limited["expires_at"].is_string() && limited["last_used_at"].is_null(), "{limited}");
    let read = run(&["create", "--scope=read", "--expires=2999-01-31T00:00:00Z"]);
    for line in ["account  (any)", "scopes   read", "expires  2999-01-31T00:00:00"] {
        assert!(read.contains(line), "{read}");
    }

    let table = run(&["list"]);
    assert!(table.contains("emit,read") && table.contains("2999-01-31"), "{table}");
    assert!(table.lines().next().unwrap().starts_with("ID "), "{table}");
    assert!(table.contains(id) && table.contains("their integration"), "{table}");
    assert!(!table.contains("rhk_"), "keys are shown once: {table}");
    let listed: Value = serde_json::from_str(&run(&["list", "--json"])).unwrap();
    assert_eq!(listed[0]["scopes"], json!(["read"]), "newest first");
    assert_eq!((&listed[2]["id"], &listed[2]["role"]), (&json!(id), &json!("provider")));
    let of_acme: Value = serde_json::from_str(&run(&["list", "--json", "--account=acme"])).unwrap();
    assert_eq!(of_acme.as_array().unwrap().len(), 2);

    assert_eq!(run(&["revoke", id]), format!("{id} is revoked\n"));
    assert!(!run(&["list"]).contains(id));
    let words: Vec<&str> = ["key", "revoke", id].iter().chain(reach).copied().collect();
    let again = resthooks(dir, &words, &[("RESTHOOKS_ADMIN_KEY", "dev")]);
    assert_eq!(again.status.code(), Some(1), "{}", text(&again.stderr));
}

#[test]
fn keys_that_can_not_be_are_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    for (words, complaint) in [
        (&[][..], "--account"),
        (&["--scope=admin"], "must be provider, consumer, emit or read"),
        (&["--scope=consumer"], "--account: must be given"),
        (&["--scope=provider", "--account=acme"], "--account: must be left out"),
        (&["--scope=provider,emit"], "--scope: must not have provider"),
        (&["--provider", "--scope=read"], "--scope"),
        (&["--account=acme", "--expires=soon"], "must be a time, such as"),
        (&["--account=acme", "--expires=0s"], "must be a time, such as"),
        (&["--account=acme", "--expires=2020-01-01T00:00:00Z"], "--expires: must be in the future"),
        (&["--account=acme", "--name=given at start"], "--name: is reserved"),
    ] {
        let words: Vec<&str> = ["key", "create"].iter().chain(words).copied().collect();
        let output = resthooks(dir.path(), &words, &[]);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{words:?}: {said}");
        assert!(said.contains(complaint), "{words:?}: {said}");
    }
}

#[test]
fn keys_through_a_running_server() {
    let server = Setup::new().start();
    let dir = tempfile::tempdir().unwrap();
    keys_by(dir.path(), &[&format!("--url=http://{}", server.address())]);
    let output = resthooks(
        dir.path(),
        &["key", "list", "--admin-key=wrong"],
        &[("RESTHOOKS_URL", &format!("http://{}/", server.address()))],
    );
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("401"), "{}", text(&output.stderr));
}

#[test]
fn keys_on_the_store_of_a_stopped_server() {
    let setup = Setup::new();
    let mut server = setup.start();
    server.terminate();
    assert_eq!(server.exit_code(Duration::from_secs(10)), Some(0));
    keys_by(setup.dir(), &setup.store_flags());
    let words = ["key", "create", "--account=acme", "--json"];
    let words: Vec<&str> = words.into_iter().chain(setup.store_flags()).collect();
    let made: Value = serde_json::from_str(&printed(setup.dir(), &words, &[])).unwrap();
    let server = setup.start();
    assert_eq!(status_with(server.address(), made["key"].as_str().unwrap()), 403, "a consumer's, and known");
    // The trail tells of what was done while no server ran, and of the key of its start.
    let trail = server.api().get("/api/v1/audit/?actor=command:key").expect(200);
    let done = |action: &str| {
        let entries = trail.json["data"].as_array().unwrap();
        entries.iter().filter(|entry| entry["action"] == action).count()
    };
    assert_eq!((done("api_key.created"), done("api_key.revoked")), (5, 1), "{}", trail.json);
    assert_eq!(trail.json["data"][0]["object"], made["id"]);
    assert_eq!(trail.json["data"][0]["account"], "acme");
    let by_start = server.api().get("/api/v1/audit/?actor=command:serve").expect(200);
    assert_eq!(by_start.json["data"][0]["action"], "api_key.created");
}
