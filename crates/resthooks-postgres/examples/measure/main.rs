//! Measures the store by itself: what a batch costs the database.
//!
//! `cargo run --release -p resthooks-postgres --example measure URL [ACCOUNTS] [EVENTS]`, on the database's own machine:
//! for each size of a batch and each number of deliveries per event, one commit after the other, how much processor time
//! of the connection's own server process and how much wall time an event takes, and how long its commit took. Everything
//! is in a schema `measure`, which goes at the end.

mod made;

use std::sync::Arc;
use std::time::Duration;

use resthooks::env::Clock;
use resthooks::model::NodeNo;
use resthooks::seal::Vault;
use resthooks::store::{Batch, Error, NewNode, Nodes as _};
use resthooks_postgres::{Options, PostgresStore};
use tokio_postgres::{Client, NoTls};

use crate::made::{Scene, records};

const SIZES: [usize; 4] = [50, 100, 200, 500];
const DELIVERIES: [usize; 3] = [1, 2, 10];
/// The engine saves its watermark and counters about once a second.
const WATERMARK_EVERY: usize = 64;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let mut arguments = std::env::args().skip(1);
    let Some(url) = arguments.next() else {
        eprintln!("say which database: postgres://…");
        return Ok(());
    };
    let mut number = |otherwise| arguments.next().and_then(|text| text.parse().ok()).unwrap_or(otherwise);
    let (accounts, events) = (number(100), number(50_000));
    println!("batch  deliveries   CPU µs/event  wall µs/event   commit p50 ms  p99 ms");
    for deliveries in DELIVERIES {
        for size in SIZES {
            measure(&url, accounts, events / deliveries.min(4), size, deliveries).await?;
        }
    }
    Ok(())
}

async fn measure(
    url: &str,
    accounts: usize,
    events: usize,
    size: usize,
    deliveries: usize,
) -> Result<(), Error> {
    let client = watch(url).await;
    client.batch_execute("DROP SCHEMA IF EXISTS measure CASCADE; CHECKPOINT").await.map_err(failed)?;
    let vault = Some(Arc::new(Vault::ephemeral()));
    let options = Options { schema: "measure".to_owned(), vault, ..Options::default() };
    let name = "resthooks-measure";
    let separator = if url.contains('?') { '&' } else { '?' };
    let named = format!("{url}{separator}application_name={name}");
    let store = PostgresStore::open(&named, options).await?;
    let scene = Scene::new(store, accounts, deliveries).await?;
    let node = join(&scene).await?;
    // The statements' plans are made, and the accounts known.
    let mut sent = commit(&scene, node, 0, size.max(accounts), Vec::new(), false).await?.1;
    let (begin, cpu) = (scene.clock.monotonic(), processor_time(&client, name).await);
    let (mut done, mut commits) = (0, Vec::new());
    while done < events {
        let (took, appended) =
            commit(&scene, node, done, size, sent, commits.len() % WATERMARK_EVERY == 0).await?;
        sent = appended;
        commits.push(took);
        done += size;
    }
    let wall = scene.clock.monotonic() - begin;
    let cpu = processor_time(&client, name).await - cpu;
    commits.sort_unstable();
    let at = |part: f64| {
        commits.get((commits.len() as f64 * part) as usize).map_or(0.0, |t| t.as_secs_f64() * 1e3)
    };
    let per_event = |time: Duration| time.as_secs_f64() * 1e6 / done as f64;
    println!(
        "{size:>5} {deliveries:>11} {:>14.1} {:>14.1} {:>15.2} {:>7.2}",
        per_event(cpu),
        per_event(wall),
        at(0.5),
        at(0.99)
    );
    scene.store.close().await;
    client.batch_execute("DROP SCHEMA measure CASCADE").await.map_err(failed)
}

async fn join(scene: &Scene) -> Result<NodeNo, Error> {
    let new = NewNode {
        name: "measure".to_owned(),
        version: "0".to_owned(),
        lease: Duration::from_secs(3_600),
        started_at: scene.clock.now(),
        registers_types: false,
    };
    Ok(scene.store.join(&new).await?.node)
}

type Sent = Vec<resthooks::model::SequencedEvent>;

/// Appends so many events, and records the deliveries of those before as acknowledged.
async fn commit(
    scene: &Scene,
    node: NodeNo,
    from: usize,
    count: usize,
    before: Sent,
    watermark: bool,
) -> Result<(Duration, Sent), Error> {
    let mut batch = Batch {
        node,
        events: (from..from + count).map(|n| Arc::new(scene.event(n))).collect(),
        records: before.iter().flat_map(records).collect(),
        now: scene.clock.now(),
        ..Batch::default()
    };
    if watermark {
        batch.watermark = before.last().map(|event| event.seq);
        batch.progress = scene.progress();
    }
    let asked = scene.clock.monotonic();
    let sent = scene.commit(batch).await?;
    Ok((scene.clock.monotonic() - asked, sent))
}

async fn watch(url: &str) -> Client {
    let (client, connection) =
        tokio_postgres::connect(url, NoTls).await.expect("the database can be reached");
    tokio::spawn(connection);
    client
}

fn failed(error: tokio_postgres::Error) -> Error {
    Error::Unavailable(error.to_string())
}

/// User and system time of the server processes that work for this application, from ticks of 10 ms.
async fn processor_time(client: &Client, application: &str) -> Duration {
    let ask = "SELECT pid FROM pg_stat_activity WHERE application_name = $1";
    let rows = client.query(ask, &[&application]).await.expect("a superuser sees all of them");
    let ticks: u64 = rows
        .iter()
        .filter_map(|row| std::fs::read_to_string(format!("/proc/{}/stat", row.get::<_, i32>(0))).ok())
        .filter_map(|stat| Some(stat.rsplit_once(") ")?.1.to_owned()))
        .flat_map(|rest| {
            rest.split(' ').skip(11).take(2).filter_map(|t| t.parse().ok()).collect::<Vec<u64>>()
        })
        .sum();
    Duration::from_millis(ticks * 10)
}
