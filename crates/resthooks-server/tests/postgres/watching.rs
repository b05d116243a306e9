//! A table that emits, from the command line to the hooks that arrive.

use serde_json::{Value, json};
use tokio_postgres::NoTls;

use super::cli::{printed, resthooks, text};
use super::support::{Reply, Setup, Target, eventually};

/// Runs SQL as the application does.
fn run(sql: &str) {
    let url = std::env::var("RESTHOOKS_TEST_POSTGRES").unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (client, connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
        tokio::spawn(connection);
        client.batch_execute(sql).await.unwrap();
    });
}

/// An application's schema, which goes with the test.
struct Application(String);

impl Application {
    fn new() -> Self {
        let name = format!("test_application_{}", std::process::id());
        run(&format!(
            "CREATE SCHEMA {name}; CREATE TABLE {name}.contact (id int PRIMARY KEY, owner_id text, name text, notes text)"
        ));
        Self(name)
    }
}

impl Drop for Application {
    fn drop(&mut self) {
        run(&format!("DROP SCHEMA {} CASCADE", self.0));
    }
}

#[test]
fn one_line_and_no_code_make_a_table_emit() {
    let setup = Setup::new();
    let server = setup.start();
    let mut api = server.api();
    let application = Application::new();
    let table = format!("{}.contact", application.0);
    let store = setup.store_flags();
    let watch = ["watch", &table, "--event-prefix=person", "--account-column=owner_id", "--columns=name"];
    let watched = |words: &[&str]| printed(setup.dir(), &[&["watched"], words, &store[..]].concat(), &[]);

    let script = printed(setup.dir(), &[&watch[..], &["--print"], &store[..]].concat(), &[]);
    assert!(script.contains("CREATE TRIGGER") && watched(&["--json"]).trim() == "[]", "{script}");
    let said = printed(setup.dir(), &[&watch[..], &store[..]].concat(), &[]);
    assert_eq!(said.trim(), format!("{table} emits person.create, person.update and person.delete"));
    let shown: Value = serde_json::from_str(&watched(&["--json"])).unwrap();
    assert_eq!(
        (&shown[0]["table"], &shown[0]["columns"], &shown[0]["id"], &shown[0]["trouble"]),
        (&json!(table), &json!(["name"]), &json!(["id"]), &Value::Null)
    );
    assert!(watched(&[]).lines().nth(1).unwrap().starts_with(&table));

    let target = Target::always(Reply::Status(200));
    api.subscribe("person.*", &target.url());
    run(&format!("INSERT INTO {table} VALUES (1, 'acme', 'Ada', 'x'), (2, NULL, 'nobody''s', 'x')"));
    run(&format!(
        "UPDATE {table} SET notes = 'not watched'; UPDATE {table} SET name = 'Ada L.' WHERE id = 1"
    ));
    run(&format!("BEGIN; DELETE FROM {table}; ROLLBACK; DELETE FROM {table}"));
    let bodies = eventually(|| match target.received() {
        found if found.len() == 3 => Ok(found.iter().map(|one| one.json()).collect::<Vec<_>>()),
        found => Err(format!("{} of 3 requests", found.len())),
    });
    let mut bodies: Vec<_> =
        bodies.iter().map(|body| (body["type"].to_string(), body["data"].clone())).collect();
    bodies.sort_by(|one, other| one.0.cmp(&other.0));
    let named = |event: &str, data: Value| (format!("\"person.{event}\""), data);
    assert_eq!(
        bodies,
        [
            named("create", json!({"id": 1, "name": "Ada"})),
            named("delete", json!({"id": 1, "name": "Ada L."})),
            named("update", json!({"id": 1, "name": "Ada L.", "changed": ["name"]})),
        ]
    );

    let unwatch = [&["unwatch", &table][..], &store[..]].concat();
    printed(setup.dir(), &unwatch, &[]);
    let again = resthooks(setup.dir(), &unwatch, &[]);
    assert_eq!(again.status.code(), Some(1));
    assert!(text(&again.stderr).contains("is not watched"), "{}", text(&again.stderr));
    assert_eq!(watched(&["--json"]).trim(), "[]");
}

#[test]
fn only_tables_beside_the_store_can_be_watched() {
    let folder = tempfile::tempdir().unwrap();
    let words = ["watch", "contact", "--event-prefix=a", "--account-column=b", "--store=sqlite:x.db"];
    let refused = resthooks(folder.path(), &words, &[]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(text(&refused.stderr).contains("--store"), "{}", text(&refused.stderr));
}
