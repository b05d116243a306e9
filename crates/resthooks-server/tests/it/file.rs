//! What is about the store's file alone: who owns it, and where it is.

use super::cli::{resthooks, text};
use super::running::Running;
use super::support::Setup;

#[test]
fn a_store_has_one_server_and_an_address_too() {
    let setup = Setup::new();
    let server = setup.start();
    let taken = format!("--listen={}", server.address());
    for (words, complaint) in [
        (["serve", "--listen=127.0.0.1:0", "--store=sqlite:hooks.db"], "is in use by process"),
        (["serve", &taken, "--store=sqlite:other.db"], "is in use by another program"),
        (["key", "list", "--store=sqlite:hooks.db"], "give its address with --url"),
    ] {
        let output = resthooks(setup.dir(), &words, &[]);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{words:?}: {said}");
        assert!(said.contains(complaint), "{words:?}: {said}");
        assert!(output.stdout.is_empty());
    }
    assert!(!setup.dir().join("other.db").exists(), "the address is taken first");
    server.api().get("/readyz").expect(200);
}

#[test]
fn a_store_elsewhere() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("some where.db");
    let store = format!("--store=sqlite:{}", path.display());
    let mut server = Running::start(dir.path(), &["serve", "--listen=127.0.0.1:0", &store]);
    server.address();
    server.stop();
    assert!(path.exists());
    let missing = format!("--store=sqlite:{}", dir.path().join("no/where.db").display());
    let output = resthooks(dir.path(), &["serve", "--listen=127.0.0.1:0", &missing], &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("no/where.db"), "{}", text(&output.stderr));
}
