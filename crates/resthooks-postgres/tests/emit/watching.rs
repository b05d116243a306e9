//! What a watched table tells of.

use serde_json::json;

use crate::app::{App, Told};

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_told_of_when_they_come_change_and_go() {
    let app = App::with_contacts().await;
    app.run("INSERT INTO contact VALUES (7, 'acme', 'Ada'), (8, 'other', NULL)").await;
    app.run("UPDATE contact SET name = 'Ada L.', score = 2 WHERE id = 7").await;
    app.run("DELETE FROM contact WHERE id = 7").await;
    let told = |event: &str, account: &str, id: i64, data| Told {
        event: format!("contact.{event}"),
        account: account.to_owned(),
        data,
        order_key: Some(format!("contact:{id}")),
    };
    assert_eq!(
        app.told().await,
        [
            told("create", "acme", 7, json!({"id": 7, "owner_id": "acme", "name": "Ada", "score": 0})),
            told("create", "other", 8, json!({"id": 8, "owner_id": "other", "name": null, "score": 0})),
            told(
                "update",
                "acme",
                7,
                json!({"id": 7, "owner_id": "acme", "name": "Ada L.", "score": 2, "changed": ["name", "score"]})
            ),
            told("delete", "acme", 7, json!({"id": 7, "owner_id": "acme", "name": "Ada L.", "score": 2})),
        ]
    );
    app.run("BEGIN; DELETE FROM contact; INSERT INTO contact VALUES (9, 'acme'); ROLLBACK").await;
    assert!(app.told().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_change_of_what_is_watched_is_an_update() {
    let app = App::with_contacts().await;
    let mut words = app.words("contact", "contact");
    words.columns = Some(vec!["name".to_owned()]);
    assert!(app.store.watch(&words).await.unwrap(), "it was watched before");
    app.run("INSERT INTO contact VALUES (1, 'acme', 'Ada'), (2, 'acme', NULL)").await;
    app.run("UPDATE contact SET score = score + 1").await;
    app.run("UPDATE contact SET name = name; UPDATE contact SET name = 'x' WHERE id = 99").await;
    app.run("UPDATE contact SET name = 'B'").await;
    assert_eq!(
        app.lines().await,
        [
            r#"contact.create acme {"id":1,"name":"Ada"}"#,
            r#"contact.create acme {"id":2,"name":null}"#,
            r#"contact.update acme {"changed":["name"],"id":1,"name":"B"}"#,
            r#"contact.update acme {"changed":["name"],"id":2,"name":"B"}"#,
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_moves_is_deleted_for_the_one_and_created_for_the_other() {
    let app = App::with_contacts().await;
    app.run("INSERT INTO contact VALUES (1, 'a'), (2, 'a'), (3, NULL), (4, 'no account'), (5, 'a')").await;
    assert_eq!(app.told().await.len(), 3);
    app.run("UPDATE contact SET owner_id = 'b', name = 'x' WHERE id = 1").await;
    app.run("UPDATE contact SET id = 20 WHERE id = 2").await;
    app.run("UPDATE contact SET owner_id = 'c' WHERE id IN (3, 4)").await;
    app.run("UPDATE contact SET owner_id = NULL WHERE id = 5").await;
    app.run("UPDATE contact SET name = 'y' WHERE id = 5").await;
    let mut lines: Vec<_> =
        app.told().await.iter().map(|t| format!("{} {} {}", t.event, t.account, t.data["id"])).collect();
    lines.sort();
    assert_eq!(
        lines,
        [
            "contact.create a 20",
            "contact.create b 1",
            "contact.create c 3",
            "contact.create c 4",
            "contact.delete a 1",
            "contact.delete a 2",
            "contact.delete a 5",
        ]
    );
    assert!(app.refused().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_way_to_change_rows_is_seen() {
    let app = App::with_contacts().await;
    app.run("CREATE TABLE owner (id text PRIMARY KEY); INSERT INTO owner VALUES ('a'), ('b')").await;
    app.run("ALTER TABLE contact ADD FOREIGN KEY (owner_id) REFERENCES owner ON DELETE CASCADE").await;
    app.run("INSERT INTO contact VALUES (1, 'a', 'x')").await;
    app.run(
        "INSERT INTO contact VALUES (1, 'a', 'y'), (2, 'b', 'z') ON CONFLICT (id) DO UPDATE SET name = excluded.name",
    )
    .await;
    app.run("WITH gone AS (DELETE FROM contact WHERE id = 2 RETURNING *) INSERT INTO contact SELECT 3, owner_id FROM gone")
        .await;
    app.run("DELETE FROM owner WHERE id = 'b'").await;
    app.run("TRUNCATE contact").await;
    let events: Vec<_> =
        app.told().await.iter().map(|t| format!("{} {}", &t.event[8..], t.data["id"])).collect();
    let mut sorted = events.clone();
    sorted.sort();
    assert_eq!(
        sorted,
        ["create 1", "create 2", "create 3", "delete 1", "delete 2", "delete 3", "update 1"],
        "{events:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn many_rows_are_told_of_as_one_would_be() {
    let app = App::with_contacts().await;
    app.run("INSERT INTO contact SELECT i, 'a' || i % 3, 'n' || i FROM generate_series(1, 1000) AS i").await;
    let created = app.told().await;
    assert_eq!(created.len(), 1000);
    for (place, told) in created.iter().enumerate() {
        let i = place + 1;
        let data = json!({"id": i, "owner_id": format!("a{}", i % 3), "name": format!("n{i}"), "score": 0});
        let order_key = Some(format!("contact:{i}"));
        let (event, account) = ("contact.create".to_owned(), format!("a{}", i % 3));
        assert_eq!(*told, Told { event, account, data, order_key });
    }
    // Some move, some have no account any more, some stay as they are.
    app.run(
        "UPDATE contact SET score = CASE WHEN id <= 900 THEN 1 ELSE 0 END, \
         owner_id = CASE WHEN id <= 100 THEN 'moved' WHEN id <= 200 THEN NULL WHEN id <= 300 THEN 'no account' ELSE owner_id END",
    )
    .await;
    let told = app.told().await;
    let count = |event: &str, account: &str| {
        told.iter().filter(|t| t.event == event && t.account.starts_with(account)).count()
    };
    assert_eq!((count("contact.update", "a"), count("contact.delete", "a")), (600, 300));
    assert_eq!((count("contact.create", "moved"), told.len()), (100, 1000));
    let update = told.iter().find(|t| t.data["id"] == 777).unwrap();
    assert_eq!(
        update.data,
        json!({"id": 777, "owner_id": "a0", "name": "n777", "score": 1, "changed": ["score"]})
    );
    app.run("DELETE FROM contact").await;
    assert_eq!(app.told().await.len(), 800);
    assert!(app.refused().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_far_too_large_is_set_aside_and_nothing_else() {
    let app = App::with_contacts().await;
    // Not compressible, so that it is large where it is stored, too.
    app.run(
        "CREATE FUNCTION noise(n int) RETURNS text LANGUAGE sql VOLATILE AS \
         $$ SELECT string_agg(md5(random()::text), '') FROM generate_series(1, n / 32) $$",
    )
    .await;
    app.run(
        "INSERT INTO contact VALUES (1, 'a', 'small'), (2, 'a', noise(5000000)), (3, 'a', noise(2000000))",
    )
    .await;
    app.run("UPDATE contact SET score = 1").await;
    app.run("DELETE FROM contact WHERE id = 2").await;
    let told: Vec<_> = app.told().await.iter().map(|t| format!("{} {}", t.event, t.data["id"])).collect();
    assert_eq!(told, ["contact.create 1", "contact.create 3", "contact.update 1", "contact.update 3"]);
    let refused = app.refused().await;
    let events: Vec<_> = refused.iter().map(|(event, _)| event.as_str()).collect();
    assert_eq!(events, ["contact.create", "contact.update", "contact.delete"]);
    assert!(refused[0].1.contains("larger than 1048576 bytes"), "{refused:?}");
    let hooks = &app.hooks.name;
    let row =
        app.client.query_one(&format!("SELECT data FROM \"{hooks}\".refused LIMIT 1"), &[]).await.unwrap();
    assert_eq!(row.get::<_, &str>(0), r#"{"id":2}"#);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_shown_does_not_depend_on_who_changes_the_table() {
    let app = App::new().await;
    app.run(
        "CREATE TABLE thing (id uuid PRIMARY KEY, owner_id int, at timestamptz, took interval, raw bytea, part float8, \
         price numeric, tags text[], doc jsonb, doubled numeric GENERATED ALWAYS AS (price * 2) STORED)",
    )
    .await;
    app.watch("thing", "thing").await;
    app.run("SET timezone = 'Asia/Tokyo'; SET intervalstyle = 'postgres_verbose'; SET bytea_output = escape; SET extra_float_digits = -10; SET datestyle = 'German'")
        .await;
    app.run(
        "INSERT INTO thing VALUES ('00000000-0000-0000-0000-000000000001', 5, '2026-01-02 03:04:05.678Z', '1 day 02:00', \
         '\\x00ff', 0.1, 1.50, '{x,NULL}', '{\"a\": [1]}')",
    )
    .await;
    app.run("UPDATE thing SET price = 1.5, doc = '{\"a\":[1]}', tags = tags || '{}'").await;
    app.run("UPDATE thing SET took = '26:00'").await;
    let told = app.told().await;
    assert_eq!(
        told[0].data,
        json!({"id": "00000000-0000-0000-0000-000000000001", "owner_id": 5, "at": "2026-01-02T03:04:05.678+00:00",
            "took": "P1DT2H", "raw": "\\x00ff", "part": 0.1, "price": 1.50, "tags": ["x", null], "doc": {"a": [1]}, "doubled": 3.00})
    );
    // Equal, but read otherwise than before.
    assert_eq!(told[1].data["changed"], json!(["price", "doubled"]));
    assert_eq!(told[2].data["changed"], json!(["took"]));
    assert_eq!(told[0].account, "5");
}
