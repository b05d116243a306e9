//! From an application's transaction to an accepted event, by way of an engine.

use std::collections::HashSet;
use std::sync::Arc;

use resthooks::env::{Clock as _, SystemClock};
use resthooks::model::Timestamp;
use resthooks::store::{Control as _, EventFilter, Page};
use resthooks::{Hooks, NewEvent, Options};
use resthooks_postgres::emit::{EmitIn as _, Error};
use sqlx::Connection as _;
use tokio::sync::Barrier;

use crate::app::{App, until};
use crate::place::{connect, url};

async fn start(app: &App) -> Hooks {
    let now = SystemClock::default().now();
    let event_type = resthooks::model::EventType {
        name: "contact.create".parse().unwrap(),
        description: None,
        schema: Some(serde_json::json!({"type": "object"})),
        sample: None,
        resource_url: None,
        archived: false,
        created_at: now,
        updated_at: now,
    };
    app.store.put_event_type(&event_type, None).await.unwrap();
    Hooks::start(Arc::new(app.store.clone()), Options::default()).await.unwrap()
}

fn event(data: &str) -> NewEvent {
    NewEvent::new("acme".parse().unwrap(), "contact.create".parse().unwrap(), data.to_owned().into())
}

/// The ids and data of all events that were accepted, oldest first.
async fn accepted(hooks: &Hooks) -> Vec<(String, String)> {
    let mut all = Vec::new();
    let mut after = None;
    loop {
        let page = hooks.events(EventFilter::default(), Page { after, limit: 250 }).await.unwrap();
        for found in &page.items {
            let data = String::from_utf8(found.event.data.to_vec()).unwrap();
            all.push((found.event.id.to_string(), data));
        }
        after = page.next;
        if after.is_none() {
            all.reverse();
            return all;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_arrives_from_either_driver_when_its_transaction_is_committed() {
    let app = App::new().await;
    let hooks = start(&app).await;
    let mut connection = sqlx::PgConnection::connect(&url()).await.unwrap();
    let mut client = connect().await;

    let mut tx = connection.begin().await.unwrap();
    hooks.emit_in(&mut tx, event(r#"{"rolled": "back"}"#)).await.unwrap();
    tx.rollback().await.unwrap();
    let tx = client.transaction().await.unwrap();
    hooks.emit_in(&tx, event(r#"{"rolled": "back"}"#)).await.unwrap();
    tx.rollback().await.unwrap();

    let mut wanted = Vec::new();
    let mut tx = connection.begin().await.unwrap();
    wanted.push(hooks.emit_in(&mut tx, event(r#"{"n": 1.0}"#)).await.unwrap().to_string());
    wanted.push(hooks.emit_in(&mut *tx, event(r#"{"n": 2}"#)).await.unwrap().to_string());
    tx.commit().await.unwrap();
    let mut tx = client.transaction().await.unwrap();
    let full = NewEvent {
        id: Some("mine".parse().unwrap()),
        created_at: Some(Timestamp::MAX),
        resource_url: Some("https://x.example/3".to_owned()),
        order_key: Some("o".to_owned()),
        debounce_key: Some("d".to_owned()),
        ..event(r#"{"n": 3}"#)
    };
    wanted.push(hooks.emit_in(&mut tx, full).await.unwrap().to_string());
    tx.commit().await.unwrap();

    until("all arrive", async || accepted(&hooks).await.len() == 3).await;
    let found = accepted(&hooks).await;
    assert_eq!(found.iter().map(|(id, _)| id.clone()).collect::<Vec<_>>(), wanted);
    assert_eq!(found[0].1, r#"{"n": 1.0}"#);
    let last = hooks.event(&resthooks::Scope::All, &"mine".parse().unwrap()).await.unwrap().event;
    assert_eq!((last.created_at, last.order_key.as_deref()), (Timestamp::MAX, Some("o")));
    assert_eq!(
        (last.resource_url.as_deref(), last.debounce_key.as_deref()),
        (Some("https://x.example/3"), Some("d"))
    );
    hooks.shutdown(std::time::Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_engine_would_not_take_never_reaches_the_transaction() {
    let app = App::new().await;
    let hooks = start(&app).await;
    let mut connection = sqlx::PgConnection::connect(&url()).await.unwrap();
    let mut tx = connection.begin().await.unwrap();
    let refused = hooks.emit_in(&mut tx, event("[]")).await;
    assert!(matches!(refused, Err(Error::Event(resthooks::Error::Invalid(_)))), "{refused:?}");
    let unknown = NewEvent { event: "contact.unknown".parse().unwrap(), ..event("{}") };
    let refused = hooks.emit_in(&mut tx, unknown).await;
    assert!(matches!(refused, Err(Error::Event(resthooks::Error::UnknownEventType { .. }))), "{refused:?}");
    // The transaction is none the worse for it.
    hooks.emit_in(&mut tx, event("{}")).await.unwrap();
    // What only the database can tell comes from there.
    let not_json = hooks.emit_in(&mut tx, event("{\"a\": }")).await;
    assert!(not_json.is_err());
    tx.rollback().await.unwrap();
    hooks.shutdown(std::time::Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_the_order_of_commits_all_arrive_once() {
    const WRITERS: usize = 8;
    const ROUNDS: usize = 40;
    let app = App::new().await;
    let hooks = start(&app).await;
    let barrier = Arc::new(Barrier::new(WRITERS));
    let statement = hooks.emit_statement().unwrap().replace("$4", "NULL").replace("$5", "NULL");
    let statement = statement.replace("$6", "NULL").replace("$7", "NULL").replace("$8", "NULL");
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..WRITERS {
        let (barrier, statement) = (Arc::clone(&barrier), statement.clone());
        writers.spawn(async move {
            let client = connect().await;
            let mut kept = Vec::new();
            // Two are long: what they emitted first becomes visible after all that the others emitted later.
            let is_long = writer < 2;
            if is_long {
                client.batch_execute("BEGIN").await.unwrap();
            }
            for round in 0..ROUNDS {
                if !is_long {
                    client.batch_execute("BEGIN").await.unwrap();
                }
                for n in 0..3 {
                    let data = format!("{{\"n\":\"{writer}-{round}-{n}\"}}");
                    client.query(&statement, &[&"contact.create", &format!("a{n}"), &data]).await.unwrap();
                    if is_long || round % 4 != 3 {
                        kept.push(data);
                    }
                }
                // All have emitted before any commits, and they commit in any order.
                barrier.wait().await;
                if !is_long {
                    client.batch_execute(if round % 4 == 3 { "ROLLBACK" } else { "COMMIT" }).await.unwrap();
                }
            }
            if is_long {
                client.batch_execute("COMMIT").await.unwrap();
            }
            kept
        });
    }
    let wanted: HashSet<String> = writers.join_all().await.into_iter().flatten().collect();
    until("all arrive", async || accepted(&hooks).await.len() >= wanted.len()).await;
    let found = accepted(&hooks).await;
    assert_eq!(found.len(), wanted.len(), "each once");
    assert_eq!(found.into_iter().map(|(_, data)| data).collect::<HashSet<_>>(), wanted);
    hooks.shutdown(std::time::Duration::from_secs(5)).await;
    assert!(app.told().await.is_empty() && app.refused().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_bulk_statement_on_a_watched_table_emits_arrives_once_and_in_order() {
    let app = App::with_contacts().await;
    let hooks = start(&app).await;
    // What no engine can take is set aside, and nothing waits for it.
    app.run("INSERT INTO contact SELECT i, 'a', CASE WHEN i = 5 THEN repeat('x', 1100000) END FROM generate_series(1, 5) AS i").await;
    app.run("INSERT INTO contact SELECT i, 'a' FROM generate_series(6, 3000) AS i").await;
    app.run("UPDATE contact SET score = 1 WHERE id > 5; UPDATE contact SET score = 2 WHERE id = 7").await;
    until("all arrive", async || accepted(&hooks).await.len() == 2999 + 2995 + 1).await;
    let found = accepted(&hooks).await;
    let of_seven: Vec<_> = found.iter().filter(|(_, data)| data.starts_with("{\"id\":7,")).collect();
    let scores: Vec<_> = of_seven.iter().map(|(_, data)| data.split("score\":").nth(1).unwrap()).collect();
    assert_eq!(scores, ["0}", "1,\"changed\":[\"score\"]}", "2,\"changed\":[\"score\"]}"]);
    let refused = app.refused().await;
    assert_eq!(refused.len(), 1, "{refused:?}");
    assert!(refused[0].1.contains("1048576"), "{refused:?}");
    hooks.shutdown(std::time::Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_own_id_is_accepted_once_however_often_it_is_emitted_again() {
    let app = App::new().await;
    let hooks = start(&app).await;
    let own = || NewEvent { id: Some("mine".parse().unwrap()), ..event("{}") };
    let mut client = connect().await;
    for _ in 0..2 {
        let tx = client.transaction().await.unwrap();
        hooks.emit_in(&tx, own()).await.unwrap();
        tx.commit().await.unwrap();
        until("it is taken", async || {
            app.client.query_one(&waiting(&app), &[]).await.unwrap().get::<_, i64>(0) == 0
        })
        .await;
    }
    // Given at the API, it is the same one, too; with other data it is not.
    hooks.emit_event(own()).await.unwrap();
    assert_eq!((accepted(&hooks).await.len(), app.refused().await), (1, Vec::new()));
    let tx = client.transaction().await.unwrap();
    hooks.emit_in(&tx, NewEvent { id: own().id, ..event("{\"other\": 1}") }).await.unwrap();
    tx.commit().await.unwrap();
    until("it is set aside", async || app.refused().await.len() == 1).await;
    assert_eq!(accepted(&hooks).await.len(), 1);
    hooks.shutdown(std::time::Duration::from_secs(5)).await;
}

fn waiting(app: &App) -> String {
    format!("SELECT count(*) FROM \"{}\".emitted", app.hooks.name)
}
