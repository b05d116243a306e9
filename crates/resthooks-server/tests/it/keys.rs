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

    let table = run(&["list"]);
    assert!(table.lines().next().unwrap().starts_with("ID "), "{table}");
    assert!(table.contains(id) && table.contains("their integration"), "{table}");
    assert!(!table.contains("rhk_"), "keys are shown once: {table}");
    let listed: Value = serde_json::from_str(&run(&["list", "--json"])).unwrap();
    assert_eq!(listed[0]["id"], *id, "newest first");
    let of_acme: Value = serde_json::from_str(&run(&["list", "--json", "--account=acme"])).unwrap();
    assert_eq!(of_acme.as_array().unwrap().len(), 1);

    assert_eq!(run(&["revoke", id]), format!("{id} is revoked\n"));
    assert!(!run(&["list"]).contains(id));
    let words: Vec<&str> = ["key", "revoke", id].iter().chain(reach).copied().collect();
    let again = resthooks(dir, &words, &[("RESTHOOKS_ADMIN_KEY", "dev")]);
    assert_eq!(again.status.code(), Some(1), "{}", text(&again.stderr));
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
}
