//! The happy path: events appended and, one batch later, two acknowledged deliveries recorded for each.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use resthooks::env::Clock;
use resthooks::store::{Batch, Error};
use resthooks_sqlite::Options;

use crate::made::{Scene, records};
use crate::process::{cpu_time, remove, wal_len};

const SIZES: [usize; 4] = [1, 10, 100, 500];
/// The engine saves its watermark and counters a few times a second.
const WATERMARK_EVERY: usize = 16;

pub(crate) async fn measure(folder: &Path, accounts: usize, events: usize) -> Result<(), Error> {
    println!(
        "batch   events/s  CPU µs/event  commit p50 ms  p99 ms  max ms  WAL bytes/event  longest WAL MiB"
    );
    for size in SIZES {
        let count = if size == 1 { events / 20 } else { events };
        // Never moved into the file, the log's length is all that was ever written to it.
        let endless = 512 * 1024;
        let kept = Options { checkpoint_kib: endless, wal_limit_kib: endless, ..Options::default() };
        let wal = work(folder, accounts, kept, size, count.min(20_000)).await?;
        let run = work(folder, accounts, Options::default(), size, count).await?;
        let at = |part: f64| {
            let place = (run.commits.len() as f64 * part) as usize;
            run.commits.get(place).map_or(0.0, |took| took.as_secs_f64() * 1e3)
        };
        println!(
            "{size:>5} {:>10.0} {:>13.1} {:>14.2} {:>7.2} {:>7.2} {:>16.0} {:>16.1}",
            run.events as f64 / run.wall.as_secs_f64(),
            run.cpu.as_secs_f64() * 1e6 / run.events as f64,
            at(0.5),
            at(0.99),
            at(1.0 - f64::EPSILON),
            wal.longest_wal as f64 / wal.events as f64,
            run.longest_wal as f64 / f64::from(1 << 20),
        );
    }
    Ok(())
}

#[derive(Default)]
struct Measured {
    events: usize,
    wall: Duration,
    cpu: Duration,
    commits: Vec<Duration>,
    longest_wal: u64,
}

async fn work(
    folder: &Path,
    accounts: usize,
    options: Options,
    size: usize,
    count: usize,
) -> Result<Measured, Error> {
    let scene = Scene::new(folder, accounts, options).await?;
    let mut measured = Measured::default();
    let (begin, cpu) = (scene.clock.monotonic(), cpu_time());
    let mut sent = Vec::new();
    while measured.events < count {
        let events = (0..size).map(|n| Arc::new(scene.event(measured.events + n))).collect();
        let records = sent.iter().flat_map(|(seq, event)| records(*seq, event, None)).collect();
        let mut batch = Batch { events, records, now: scene.clock.now(), ..Batch::default() };
        if measured.commits.len().is_multiple_of(WATERMARK_EVERY) {
            batch.watermark = sent.last().map(|(seq, _)| *seq);
            batch.progress = scene.progress();
        }
        let asked = scene.clock.monotonic();
        sent = scene.commit(batch).await?;
        measured.commits.push(scene.clock.monotonic() - asked);
        measured.events += size;
        if measured.commits.len().is_multiple_of(64) {
            measured.longest_wal = measured.longest_wal.max(wal_len(&scene.path));
        }
    }
    measured.wall = scene.clock.monotonic() - begin;
    measured.cpu = cpu_time() - cpu;
    measured.longest_wal = measured.longest_wal.max(wal_len(&scene.path));
    measured.commits.sort_unstable();
    scene.store.close()?;
    remove(&scene.path);
    Ok(measured)
}
