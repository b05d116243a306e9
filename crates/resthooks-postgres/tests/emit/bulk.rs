//! What a watch costs a statement that changes a great many rows.

use std::time::Duration;

use resthooks::env::{Clock as _, SystemClock};

use crate::app::App;

const ROWS: u32 = 1_000_000;
const CHANGED: u32 = 100_000;
/// Pairs of measurements; the medians are compared.
const ROUNDS: u32 = 5;

/// A table as applications have them: some columns, and indexes on those by which it is read.
const TABLE: &str = "CREATE TABLE contact (id bigint PRIMARY KEY, owner_id text NOT NULL, name text NOT NULL, \
     email text NOT NULL, score int NOT NULL DEFAULT 0, updated_at timestamptz NOT NULL DEFAULT now()); \
     INSERT INTO contact (id, owner_id, name, email) SELECT i, 'acct_' || i % 1000, 'Name ' || i, 'user' || i || '@example.com' \
     FROM generate_series(1, 1000000) AS i; \
     CREATE INDEX ON contact (owner_id); CREATE INDEX ON contact (email); ANALYZE contact";

/// Changes the rows of one round, and answers how long the statement and its commit took.
async fn update(app: &App, round: u32) -> Duration {
    let clock = SystemClock::default();
    let first = round * CHANGED % ROWS;
    let begun = clock.monotonic();
    app.run(&format!(
        "UPDATE contact SET score = score + 1, updated_at = clock_timestamp() WHERE id > {first} AND id <= {}",
        first + CHANGED
    ))
    .await;
    clock.monotonic() - begun
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_thousand_rows_of_a_million_are_told_of_once_and_cost_at_most_twice_as_much() {
    let app = App::new().await;
    app.run(TABLE).await;
    app.watch("contact", "contact").await;
    let hooks = &app.hooks.name;
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        app.run("ALTER TABLE contact DISABLE TRIGGER USER").await;
        without.push(update(&app, 2 * round).await);
        app.run("ALTER TABLE contact ENABLE TRIGGER USER").await;
        with.push(update(&app, 2 * round + 1).await);
        let unpack = format!("SELECT \"{hooks}\".unpack_emitted(1000000)");
        app.run(&unpack).await;
        let told = format!(
            "SELECT count(*), count(DISTINCT data::json ->> 'id'), count(DISTINCT id), \
             count(*) FILTER (WHERE event = 'contact.update' AND data::json ->> 'changed' = '[\"score\",\"updated_at\"]') \
             FROM \"{hooks}\".emitted"
        );
        let row = app.client.query_one(&told, &[]).await.unwrap();
        let counts: Vec<i64> = (0..4).map(|column| row.get(column)).collect();
        assert_eq!(counts, [i64::from(CHANGED); 4]);
        app.run(&format!("TRUNCATE \"{hooks}\".emitted")).await;
    }
    let (without, with) = (median(without), median(with));
    let ratio = with.as_secs_f64() / without.as_secs_f64();
    println!(
        "{CHANGED} of {ROWS} rows in one statement: {without:.2?} unwatched, {with:.2?} watched: {ratio:.2} times"
    );
    assert!(ratio <= 2.0, "{ratio:.2} times as long");
}
