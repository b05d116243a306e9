//! Which tables can be watched, and how watching begins and ends.

use resthooks::store::{Control as _, Error};
use resthooks_postgres::watch::Watch;

use crate::app::App;
use crate::place::connect;

async fn refusal(app: &App, words: &Watch) -> String {
    match app.store.watch(words).await {
        Err(Error::Unusable(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn names_may_need_quotes() {
    let app = App::new().await;
    app.run(
        "CREATE TABLE \"The \"\"Contacts\" (\"Id\" int PRIMARY KEY, \"owner's\" text, \"order\" text, base text, r text, p text, \
         at_ms text, n text, \"a\\b\"\"c\" text)",
    )
    .await;
    let mut words = app.words("\"The \"\"Contacts\"", "the.contact");
    words.account_column = "owner's".to_owned();
    app.store.watch(&words).await.unwrap();
    app.run("INSERT INTO \"The \"\"Contacts\" VALUES (1, 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h')").await;
    app.run("UPDATE \"The \"\"Contacts\" SET \"a\\b\"\"c\" = 'i', base = 'x'").await;
    let told = app.told().await;
    assert_eq!(told[0].event, "the.contact.create");
    // A row is known by id whatever its key is called.
    assert_eq!((&told[0].data["id"], &told[0].data["Id"]), (&1.into(), &1.into()));
    assert_eq!(told[1].data["changed"], serde_json::json!(["base", "a\\b\"c"]));
    let watched = app.store.watched().await.unwrap();
    assert_eq!(watched[0].table, format!("\"{}\".\"The \"\"Contacts\"", app.own.name));
    app.store.unwatch(&watched[0].table).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_need_something_that_identifies_them() {
    let app = App::new().await;
    app.run("CREATE TABLE bare (no int, owner_id text, code text UNIQUE); CREATE UNIQUE INDEX ON bare (no) WHERE no > 5").await;
    let mut words = app.words("bare", "bare");
    assert!(refusal(&app, &words).await.contains("no primary key"));
    words.id_column = Some("no".to_owned());
    assert!(refusal(&app, &words).await.contains("no unique index"));
    words.id_column = Some("code".to_owned());
    app.store.watch(&words).await.unwrap();
    app.run("INSERT INTO bare VALUES (1, 'a', 'x'); UPDATE bare SET no = 2").await;
    assert_eq!(
        app.lines().await,
        [
            r#"bare.create a {"code":"x","id":"x","no":1,"owner_id":"a"}"#,
            r#"bare.update a {"changed":["no"],"code":"x","id":"x","no":2,"owner_id":"a"}"#,
        ]
    );

    app.run("CREATE TABLE pair (a int, b text, owner_id text, v int, PRIMARY KEY (b, a))").await;
    app.watch("pair", "pair").await;
    app.run(
        "INSERT INTO pair VALUES (1, 'x', 'o', 1), (1, 'y', 'o', 1); UPDATE pair SET v = 2 WHERE b = 'y'",
    )
    .await;
    let told = app.told().await;
    assert_eq!(
        told[2].data,
        serde_json::json!({"a": 1, "b": "y", "owner_id": "o", "v": 2, "changed": ["v"]})
    );
    assert_eq!(told[2].order_key.as_deref(), Some("pair:y,1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_be_watched_is_refused_with_the_reason() {
    let app = App::new().await;
    app.run(
        "CREATE TABLE t (id int PRIMARY KEY, owner_id text, changed bool); CREATE VIEW v AS SELECT * FROM t; \
         CREATE TEMPORARY TABLE temporary (id int PRIMARY KEY, owner_id text)",
    )
    .await;
    assert!(refusal(&app, &app.words("missing", "x")).await.contains("no table"));
    assert!(refusal(&app, &app.words("v", "x")).await.contains("permanent table"));
    assert!(refusal(&app, &app.words("t", "x")).await.contains("\"changed\""));
    assert!(refusal(&app, &app.words("t", "x-y")).await.contains("--event-prefix"));
    let mut words = app.words("t", "x");
    words.account_column = "tenant".to_owned();
    assert!(refusal(&app, &words).await.contains("no column \"tenant\""));
    words = app.words("t", "x");
    words.table = format!("\"{}\".event_type", app.hooks.name);
    assert!(refusal(&app, &words).await.contains("not a table of the application's"));
    words = app.words("t", "x");
    words.columns = Some(vec!["owner_id".to_owned()]);
    app.store.watch(&words).await.unwrap();
    assert_eq!(app.store.watched().await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn partitions_are_part_of_their_table() {
    let app = App::new().await;
    app.run(
        "CREATE TABLE log (id int, day int, owner_id text, PRIMARY KEY (id, day)) PARTITION BY RANGE (day); \
         CREATE TABLE log_1 PARTITION OF log FOR VALUES FROM (1) TO (2); \
         CREATE TABLE log_2 PARTITION OF log FOR VALUES FROM (2) TO (3)",
    )
    .await;
    app.watch("log", "log").await;
    app.run("INSERT INTO log VALUES (1, 1, 'a'), (2, 2, 'a'); CREATE TABLE log_3 PARTITION OF log FOR VALUES FROM (3) TO (4)").await;
    app.run("UPDATE log SET day = 3 WHERE id = 1; UPDATE log SET owner_id = owner_id; DELETE FROM log WHERE id = 2").await;
    let events: Vec<_> =
        app.told().await.iter().map(|t| format!("{} {} {}", t.event, t.data["id"], t.data["day"])).collect();
    let mut sorted = events.clone();
    sorted.sort();
    assert_eq!(
        sorted,
        ["log.create 1 1", "log.create 1 3", "log.create 2 2", "log.delete 1 1", "log.delete 2 2"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn types_are_registered_and_their_definitions_kept() {
    let app = App::with_contacts().await;
    let types = app.store.snapshot().await.unwrap().event_types;
    let names: Vec<_> = types.iter().map(|t| t.name.to_string()).collect();
    assert_eq!(names, ["contact.create", "contact.delete", "contact.update"]);
    let mut mine = types[0].clone();
    mine.description = Some("mine".to_owned());
    app.store.put_event_type(&mine, None).await.unwrap();
    app.watch("contact", "contact").await;
    assert_eq!(app.store.snapshot().await.unwrap().event_types[0], mine);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_printed_script_does_the_same_and_printing_changes_nothing() {
    let app = App::new().await;
    app.run("CREATE TABLE contact (id int PRIMARY KEY, owner_id text, name text)").await;
    let words = app.words("contact", "contact");
    let script = app.store.watch_script(&words).await.unwrap();
    assert!(app.store.watched().await.unwrap().is_empty());
    app.run("INSERT INTO contact VALUES (1, 'a')").await;
    assert!(app.told().await.is_empty());
    // Whoever runs it has another search path.
    connect().await.batch_execute(&script).await.unwrap();
    let watched = app.store.watched().await.unwrap();
    assert_eq!((watched.len(), &watched[0].trouble), (1, &None));
    app.run("UPDATE contact SET name = 'x'").await;
    assert_eq!(app.told().await.len(), 1);
    let script = app.store.unwatch_script(&words.table).await.unwrap();
    assert_eq!(app.store.watched().await.unwrap().len(), 1);
    connect().await.batch_execute(&script).await.unwrap();
    assert!(app.store.watched().await.unwrap().is_empty());
    app.run("UPDATE contact SET name = 'y'").await;
    assert!(app.told().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_ends_with_its_table_too() {
    let app = App::with_contacts().await;
    let table = app.table("contact");
    app.store.unwatch(&table).await.unwrap();
    assert!(
        matches!(app.store.unwatch(&table).await, Err(Error::Unusable(why)) if why.contains("not watched"))
    );
    app.watch("contact", "contact").await;
    app.run("DROP TABLE contact").await;
    let watched = app.store.watched().await.unwrap();
    assert_eq!(watched[0].trouble.as_deref(), Some("the table is gone"));
    app.store.unwatch(&watched[0].table).await.unwrap();
    assert!(app.store.watched().await.unwrap().is_empty());
    let left = format!(
        "SELECT FROM pg_proc WHERE pronamespace = '\"{}\"'::regnamespace AND proname ~ '^watch_[0-9]'",
        app.hooks.name
    );
    assert!(app.client.query(&left, &[]).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_in_use_is_not_waited_for_without_end() {
    let app = App::new().await;
    app.run("CREATE TABLE contact (id int PRIMARY KEY, owner_id text)").await;
    app.run("BEGIN; LOCK contact IN ROW EXCLUSIVE MODE").await;
    let waited = app.store.watch(&app.words("contact", "contact")).await;
    assert!(matches!(&waited, Err(Error::Unavailable(why)) if why.contains("in use")), "{waited:?}");
    app.run("COMMIT").await;
    app.watch("contact", "contact").await;
}
