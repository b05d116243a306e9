//! `emit`, as an application in any language calls it.

use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use crate::app::App;

async fn app() -> App {
    let app = App::new().await;
    let hooks = &app.hooks.name;
    app.run(&format!(
        "INSERT INTO \"{hooks}\".event_type VALUES ('contact.create', '{{\"archived\": false}}'), \
         ('contact.old', '{{\"archived\": true}}')"
    ))
    .await;
    app.run(&format!("SET search_path = \"{}\", \"{hooks}\"", app.own.name)).await;
    app
}

async fn id(client: &Client, sql: &str) -> String {
    client.query_one(sql, &[]).await.unwrap().get(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_rolled_back_was_never_emitted() {
    let app = app().await;
    app.run("BEGIN; SELECT emit('contact.create', 'a', '{}'); ROLLBACK").await;
    app.run("BEGIN; SAVEPOINT s; SELECT emit('contact.create', 'a', '{}'); ROLLBACK TO s; COMMIT").await;
    assert!(app.told().await.is_empty());
    app.run("BEGIN; SELECT emit('contact.create', 'a', '{}')").await;
    app.run("COMMIT").await;
    assert_eq!(app.lines().await, ["contact.create a {}"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn data_needs_no_cast_in_whatever_form_it_is() {
    let app = app().await;
    for data in [
        "'{\"b\": 1.0, \"a\": 2}'",
        "'{\"b\":1}'::text",
        "'1'::varchar",
        "row_to_json(ROW(1))",
        "'[1]'::json",
    ] {
        app.run(&format!("SELECT emit('contact.create', 'a', {data})")).await;
    }
    app.run(
        "SELECT emit('contact.create', 'a', jsonb_build_object('x', 1), id => 'own', created_at => now())",
    )
    .await;
    app.run("SELECT emit(event => 'contact.create', account => 'a', data => 'null')").await;
    let statement = app.client.prepare("SELECT emit($1, $2, $3)").await.unwrap();
    app.client.query(&statement, &[&"contact.create", &"a", &"\"parameter\""]).await.unwrap();
    let data = app.client.query("SELECT data FROM emitted ORDER BY no", &[]).await.unwrap();
    let data: Vec<&str> = data.iter().map(|row| row.get(0)).collect();
    let wanted = [
        "{\"b\": 1.0, \"a\": 2}",
        "{\"b\":1}",
        "1",
        "{\"f1\":1}",
        "[1]",
        "{\"x\": 1}",
        "null",
        "\"parameter\"",
    ];
    assert_eq!(data, wanted);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_is_made_when_none_is_given() {
    let app = app().await;
    let made = id(&app.client, "SELECT emit('contact.create', 'a', '{}')").await;
    let again = id(&app.client, "SELECT emit('contact.create', 'a', '{}')").await;
    assert_ne!(made, again);
    let parsed: resthooks::model::EventId = made.parse().unwrap();
    let uid = parsed.as_generated().unwrap();
    let now: i64 =
        app.client.query_one("SELECT (extract(epoch FROM now()) * 1000)::bigint", &[]).await.unwrap().get(0);
    let millis = u64::from_be_bytes(uid.to_bytes()[..8].try_into().unwrap()) >> 16;
    assert!(now.unsigned_abs().abs_diff(millis) < 60_000, "{now} {millis}");
    assert_eq!(id(&app.client, "SELECT emit('contact.create', 'a', '{}', 'mine')").await, "mine");
    let own = app.client.query("SELECT own_id FROM emitted ORDER BY no", &[]).await.unwrap();
    assert_eq!(own.iter().map(|row| row.get::<_, bool>(0)).collect::<Vec<_>>(), [false, false, true]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_be_refused_later_fails_at_once_and_names_its_field() {
    let app = app().await;
    let deep = format!("repeat('[', {0}) || repeat(']', {0})", 101);
    for (arguments, field) in [
        ("'contact', 'a', '{}'", "event"),
        ("'contact.unknown', 'a', '{}'", "event"),
        ("'contact.old', 'a', '{}'", "event"),
        ("NULL, 'a', '{}'", "event"),
        ("'contact.create', 'a b', '{}'", "account"),
        ("'contact.create', NULL, '{}'", "account"),
        ("'contact.create', 'a', '{'", "data"),
        ("'contact.create', 'a', NULL::text", "data"),
        ("'contact.create', 'a', to_json(repeat('x', 1048575))", "data"),
        (&format!("'contact.create', 'a', {deep}"), "data"),
        ("'contact.create', 'a', '{}', id => 'a/b'", "id"),
        ("'contact.create', 'a', '{}', id => ''", "id"),
        ("'contact.create', 'a', '{}', id => 'batch'", "id"),
        ("'contact.create', 'a', '{}', created_at => 'infinity'", "created_at"),
        ("'contact.create', 'a', '{}', created_at => '1969-12-31'", "created_at"),
        ("'contact.create', 'a', '{}', resource_url => 'ftp://x'", "resource_url"),
        ("'contact.create', 'a', '{}', order_key => ''", "order_key"),
        ("'contact.create', 'a', '{}', debounce_key => repeat('x', 257)", "debounce_key"),
    ] {
        let error = app.client.query(&format!("SELECT emit({arguments})"), &[]).await.unwrap_err();
        let db = error.as_db_error().unwrap();
        assert_eq!(
            (db.code(), db.column()),
            (&SqlState::INVALID_PARAMETER_VALUE, Some(field)),
            "{arguments}: {db}"
        );
        assert!(db.message().starts_with(&format!("emit: {field} ")), "{}", db.message());
    }
    for arguments in [
        "'contact.create', 'a', to_json(repeat('x', 1048574))",
        "'contact.create', 'a', repeat('[', 100) || repeat(']', 100)",
        "'contact.create', 'a', to_json(repeat('[', 1000))",
        "'contact.create', 'a', '{}', created_at => '1970-01-01Z', resource_url => 'https://x.example/1'",
    ] {
        app.run(&format!("SELECT emit({arguments})")).await;
    }
    assert_eq!(app.told().await.len(), 4);
    app.run("INSERT INTO setting VALUES ('event_types', 'auto')").await;
    app.run("SELECT emit('contact.unknown', 'a', '{}')").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_needs_two_grants_and_gets_no_more() {
    let app = app().await;
    let (hooks, role) = (&app.hooks.name, format!("{} application", app.hooks.name));
    app.run(&format!(
        "CREATE ROLE \"{role}\"; GRANT USAGE ON SCHEMA \"{hooks}\" TO \"{role}\"; SET ROLE \"{role}\""
    ))
    .await;
    let call = "SELECT emit('contact.create', 'a', '{}')";
    let denied = |sql: &str| {
        let sql = sql.to_owned();
        let client = &app.client;
        async move {
            *client.batch_execute(&sql).await.unwrap_err().code().unwrap() == SqlState::INSUFFICIENT_PRIVILEGE
        }
    };
    assert!(denied(call).await);
    let parameters = "text, timestamptz, text, text, text";
    app.run(&format!(
        "RESET ROLE; GRANT EXECUTE ON FUNCTION emit(text, text, text, {parameters}), emit(text, text, json, {parameters}), \
         emit(text, text, jsonb, {parameters}) TO \"{role}\"; SET ROLE \"{role}\""
    ))
    .await;
    // Its own temporary table of the same name is not what is written to.
    app.run("CREATE TEMPORARY TABLE emitted (no int); CREATE TEMPORARY TABLE event_type (name text, document text)").await;
    app.run(call).await;
    app.run("DROP TABLE pg_temp.emitted; DROP TABLE pg_temp.event_type").await;
    for sql in
        ["SELECT FROM emitted", "INSERT INTO setting VALUES ('event_types', 'auto')", "DELETE FROM refused"]
    {
        assert!(denied(sql).await, "{sql}");
    }
    app.run("RESET ROLE").await;
    assert_eq!(app.told().await.len(), 1);
    app.run(&format!("DROP OWNED BY \"{role}\"; DROP ROLE \"{role}\"")).await;
}
