//! Dead targets: what a long backlog costs in time, memory and disk.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use resthooks::env::Clock;
use resthooks::model::{DeliveryStatus, NodeNo, SubscriptionNo};
use resthooks::store::{Batch, Control, DeliveryFilter, Error, History, LeaseDue, Log, Nodes, Page, Settle};
use resthooks_sqlite::{Options, SqliteStore};

use crate::made::{Scene, records};
use crate::process::{remove, resident_mib};

const BATCH: usize = 500;

/// Half as many events, each with two deliveries that are scheduled; all of one account, two subscriptions.
pub(crate) async fn measure(folder: &Path, rows: usize) -> Result<(), Error> {
    println!("resident at first: {:.1} MiB", resident_mib());
    let scene = Scene::new(folder, 1, Options::default()).await?;
    let begin = scene.clock.monotonic();
    fill(&scene, rows / 2).await?;
    let took = (scene.clock.monotonic() - begin).as_secs_f64();
    println!("{rows} rows scheduled: {:.0} rows/s, resident {:.1} MiB", rows as f64 / took, resident_mib());
    let Scene { store, path, clock, .. } = &scene;
    let to = scene.subscriptions().next().expect("there is a subscription");
    store.close()?;
    let size = std::fs::metadata(path).map_or(0, |file| file.len());
    println!("file: {:.0} bytes/event", size as f64 * 2.0 / rows as f64);

    let begin = clock.monotonic();
    let store = SqliteStore::open(path, Options::default())?;
    tell("open", clock.monotonic() - begin);
    let begin = clock.monotonic();
    store.snapshot().await?;
    store.inherit(NodeNo(1), NodeNo(1), usize::MAX).await?;
    tell("snapshot and backlog", clock.monotonic() - begin);
    ask(&store, clock, to).await?;
    println!("resident at last: {:.1} MiB", resident_mib());
    store.close()?;
    remove(path);
    Ok(())
}

async fn fill(scene: &Scene, events: usize) -> Result<(), Error> {
    let mut sent = Vec::new();
    for from in (0..=events).step_by(BATCH) {
        let now = scene.clock.now();
        let due = Some(now.plus(Duration::from_millis(from as u64 % 7_919)));
        let records = sent.iter().flat_map(|(seq, event)| records(*seq, event, due)).collect();
        let events = (from..events.min(from + BATCH)).map(|n| Arc::new(scene.event(n))).collect();
        sent = scene.commit(Batch { events, records, now, ..Batch::default() }).await?;
    }
    Ok(())
}

/// What the engine and callers ask while all of it waits.
async fn ask(store: &SqliteStore, clock: &impl Clock, to: SubscriptionNo) -> Result<(), Error> {
    let now = clock.now().plus(Duration::from_secs(60));
    let mut except = Vec::new();
    for _ in 0..3 {
        let begin = clock.monotonic();
        let ask = LeaseDue { node: NodeNo(1), subscription: to, now, limit: 100, except: except.clone() };
        let leased = store.lease_due(ask).await?;
        tell("lease of 100", clock.monotonic() - begin);
        except.extend(leased.deliveries.iter().map(|delivery| delivery.event.seq));
    }
    for to_status in [DeliveryStatus::Held, DeliveryStatus::Cancelled] {
        let begin = clock.monotonic();
        let from = DeliveryStatus::Scheduled;
        let settle = Settle {
            node: NodeNo(1),
            subscription: to,
            from,
            to: to_status,
            reason: None,
            now,
            limit: 500,
            except: except.clone(),
        };
        store.settle(settle).await?;
        tell("settling of 500", clock.monotonic() - begin);
    }
    let filters = [
        ("list of all", DeliveryFilter::default()),
        ("list of a subscription", DeliveryFilter { subscription: Some(to), ..DeliveryFilter::default() }),
        (
            "list by status",
            DeliveryFilter { status: Some(DeliveryStatus::Cancelled), ..DeliveryFilter::default() },
        ),
        ("list of the oldest", DeliveryFilter { until: Some(clock.now()), ..DeliveryFilter::default() }),
    ];
    for (what, filter) in filters {
        let begin = clock.monotonic();
        store.list_deliveries(&filter, Page { after: None, limit: 50 }).await?;
        tell(what, clock.monotonic() - begin);
    }
    Ok(())
}

fn tell(what: &str, took: Duration) {
    println!("{what}: {:.2} ms", took.as_secs_f64() * 1e3);
}
