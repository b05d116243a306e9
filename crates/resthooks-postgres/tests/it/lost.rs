//! Connections that break and servers that hang: what is told, and that the next call finds its way by itself.

use std::sync::Arc;
use std::time::Duration;

use resthooks::env::{Clock as _, SystemClock};
use resthooks::model::EventSeq;
use resthooks::store::{Batch, Control as _, Error, EventFilter, Log as _, Nodes as _, Page};
use resthooks_postgres::{Options, PostgresStore};
use resthooks_store_test::{Lab, run};
use tokio_postgres::Client;

use crate::place::Schema;

const LEASE: Duration = Duration::from_secs(3_600);
/// How long something may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs with a lab and a connection past it.
fn with(behaviour: impl AsyncFnOnce(Lab, Client)) {
    let schema = Schema::new();
    let name = schema.name.clone();
    run(schema, async |lab| {
        let client = Schema::client_of(&name).await;
        behaviour(lab, client).await;
    });
}

/// Ends, or waits for, the server processes that are in such a statement of this schema; asks until there is one.
async fn once_waiting(client: &Client, act: &str) {
    let ask = format!(
        "SELECT {act} FROM pg_stat_activity WHERE query LIKE '%' || quote_ident(current_schema()) || '.commit_batch%' \
         AND wait_event_type = 'Lock' AND state = 'active' AND pid <> pg_backend_pid()"
    );
    let clock = SystemClock::default();
    let latest = clock.monotonic() + PATIENCE;
    loop {
        // Within a transaction the server shows what it saw at the first look, unless that is cleared.
        client.execute("SELECT pg_stat_clear_snapshot()", &[]).await.unwrap();
        if !client.query(&ask, &[]).await.unwrap().is_empty() {
            return;
        }
        assert!(clock.monotonic() < latest, "no commit waits");
        tokio::task::yield_now().await;
    }
}

async fn written(lab: &Lab) -> usize {
    let page = Page { after: None, limit: 10 };
    lab.store().list_events(&EventFilter::default(), page).await.unwrap().len()
}

fn one_event(lab: &Lab, to: &resthooks::model::Subscription) -> Arc<Batch> {
    let events = vec![Arc::new(lab.event("a", &[to]))];
    Arc::new(Batch { node: lab.node(), events, now: resthooks_store_test::lab::at(5), ..Batch::default() })
}

/// A commit whose connection breaks while it waits is in doubt; the log tells that it was not written, and what comes
/// next is, without a gap in its sequence.
#[test]
fn a_commit_whose_connection_breaks_is_in_doubt() {
    with(async |lab, client| {
        let to = lab.subscribe("a").await;
        let before = lab.emit("a", &[&to]).await;
        client.batch_execute("BEGIN; SELECT FROM progress FOR UPDATE").await.unwrap();
        let (store, batch) = (lab.share(), one_event(&lab, &to));
        let doubtful = tokio::spawn(async move { store.commit(batch).await });
        once_waiting(&client, "pg_terminate_backend(pid)").await;
        let told = doubtful.await.unwrap();
        assert!(matches!(told, Err(Error::InDoubt(_))), "{told:?}");
        client.batch_execute("ROLLBACK").await.unwrap();
        let position = lab.position().await;
        assert_eq!(position.last, before.seq);
        let end = EventSeq(i64::MAX);
        assert!(lab.store().unrecorded(lab.node(), position.last, end, 9).await.unwrap().is_empty());
        let next = lab.emit("a", &[&to]).await;
        assert_eq!(next.event.matched[0].sequence, 2);
        assert_eq!(written(&lab).await, 2);
    });
}

/// A server that does not answer in time: the commit is in doubt as well, and whoever asks how far the log goes has an
/// answer that holds.
#[test]
fn a_commit_that_is_not_answered_in_time_is_in_doubt() {
    let schema = Schema::new();
    let (name, options) = (schema.name.clone(), schema.options());
    run(schema, async |lab| {
        let client = Schema::client_of(&name).await;
        let vault = Some(resthooks_store_test::lab::vault(&[1]));
        let hasty = Options { statement_timeout: Duration::from_millis(500), vault, ..options };
        let store = PostgresStore::open(&crate::place::url(), hasty).await.unwrap();
        let new = resthooks::store::NewNode {
            name: "hasty".to_owned(),
            version: "1".to_owned(),
            lease: LEASE,
            started_at: resthooks_store_test::lab::at(0),
            registers_types: false,
        };
        let node = store.join(&new).await.unwrap().node;
        let to = lab.subscribe("a").await;
        client.batch_execute("BEGIN; SELECT FROM progress FOR UPDATE").await.unwrap();
        let batch = Arc::new(Batch { node, ..Batch::clone(&one_event(&lab, &to)) });
        let told = store.commit(Arc::clone(&batch)).await;
        assert!(matches!(told, Err(Error::InDoubt(_))), "{told:?}");
        client.batch_execute("ROLLBACK").await.unwrap();
        let position = store.position(node).await.unwrap();
        let found = store.unrecorded(node, position.watermark, EventSeq(i64::MAX), 9).await.unwrap();
        assert_eq!(written(&lab).await, found.len(), "what the log says is what there is");
        store.commit(batch).await.unwrap();
        assert_eq!(written(&lab).await, found.len() + 1);
    });
}

/// Connections that were ended while nobody used them, as a restart does: every kind of call works at once.
#[test]
fn ended_connections_are_made_anew() {
    with(async |lab, client| {
        let to = lab.subscribe("a").await;
        for round in 1..=3 {
            client
                .batch_execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'resthooks' \
                     AND query LIKE '%' || quote_ident(current_schema()) || '.%'",
                )
                .await
                .unwrap();
            lab.store().renew(lab.node(), LEASE).await.unwrap();
            lab.store().snapshot().await.unwrap();
            // A commit may be the first to notice, and does not know then.
            if let Err(error) = lab.store().commit(one_event(&lab, &to)).await {
                assert!(matches!(error, Error::InDoubt(_)), "{error:?}");
                lab.store().commit(one_event(&lab, &to)).await.unwrap();
            }
            assert_eq!(written(&lab).await, round);
        }
    });
}

/// A database that may only be read, as a former primary: it is unavailable, until it may be written again.
#[test]
fn a_database_that_can_only_be_read_is_unavailable() {
    with(async |lab, client| {
        let to = lab.subscribe("a").await;
        // For this schema alone: by the function that all writes begin with.
        client
            .batch_execute(
                "CREATE OR REPLACE FUNCTION enter(by_node bigint, by_slot integer) RETURNS void LANGUAGE plpgsql AS \
                 $$ BEGIN RAISE EXCEPTION 'cannot write' USING ERRCODE = '25006'; END $$",
            )
            .await
            .unwrap();
        let told = lab.store().commit(one_event(&lab, &to)).await;
        assert!(matches!(told, Err(Error::Unavailable(_))), "{told:?}");
        assert_eq!(written(&lab).await, 0);
        client
            .batch_execute("CREATE OR REPLACE FUNCTION enter(by_node bigint, by_slot integer) RETURNS void LANGUAGE plpgsql AS $$ BEGIN END $$")
            .await
            .unwrap();
        lab.store().commit(one_event(&lab, &to)).await.unwrap();
        assert_eq!(written(&lab).await, 1);
    });
}

/// Nothing is done once it is closed.
#[tokio::test]
async fn a_closed_store_does_nothing() {
    let schema = Schema::new();
    let store = schema.open().await;
    store.close().await;
    store.close().await;
    let told = store.snapshot().await;
    assert!(matches!(told, Err(Error::Unavailable(_))), "{told:?}");
}

/// All connections in use: whoever waits is told so after a while, and served once there is one.
#[tokio::test]
async fn waiting_for_a_connection_has_an_end() {
    let schema = Schema::new();
    let options = Options { pool_size: 1, connect_timeout: Duration::from_millis(300), ..schema.options() };
    let store = schema.try_open(options).await.unwrap();
    let client = schema.client().await;
    client.batch_execute("BEGIN; LOCK TABLE subscription IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let held = tokio::spawn({
        let store = store.clone();
        async move { store.snapshot().await }
    });
    // The first one waits for the table, all others for its connection.
    let told = loop {
        match store.deletions().await {
            Ok(_) => tokio::task::yield_now().await,
            Err(error) => break error,
        }
    };
    assert!(matches!(told, Error::Unavailable(_)), "{told:?}");
    client.batch_execute("ROLLBACK").await.unwrap();
    held.await.unwrap().unwrap();
    store.deletions().await.unwrap();
}
