//! Measures the store's own part of the happy path: events appended and, one batch later, two acknowledged
//! deliveries recorded for each, with one commit after the other.
//!
//! `cargo run --release -p resthooks-sqlite --example append [FOLDER] [ACCOUNTS] [EVENTS]`
//!
//! For each batch size it prints events per second, CPU per event of the store's threads, how long
//! commits took, how many bytes went into the write-ahead log per event, and how long that ever was.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use resthooks::env::{Clock, Random, SeededRandom, SystemClock};
use resthooks::model::{
    AccountId, Attempt, DeliveryKey, DeliveryStatus, Event, EventId, EventName, EventSeq, Health, Match,
    PayloadKind, Progress, Secret, Subscription, SubscriptionId, SubscriptionNo, SubscriptionStatus,
    Timestamp, Uid,
};
use resthooks::store::{Batch, Control, Error, Log, Record};
use resthooks_sqlite::{Options, SqliteStore};

const SIZES: [usize; 4] = [1, 10, 100, 500];
const WATERMARK_EVERY: usize = 16;

fn main() -> Result<(), Error> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().map_or_else(std::env::temp_dir, PathBuf::from);
    let accounts: usize = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(100);
    let events: usize = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(200_000);
    let runtime =
        tokio::runtime::Builder::new_current_thread().build().expect("a runtime needs only threads");
    println!("batch   events/s  CPU µs/event  commit p50 ms  p99 ms  max ms  WAL bytes/event  WAL MiB");
    for size in SIZES {
        let count = if size == 1 { events / 20 } else { events };
        let quiet =
            Options { checkpoint_kib: u32::MAX / 4096, wal_limit_kib: u32::MAX / 4096, ..Options::default() };
        let wal = runtime.block_on(Run::new(&folder, accounts, quiet)?.work(size, count.min(20_000)))?;
        let run = runtime.block_on(Run::new(&folder, accounts, Options::default())?.work(size, count))?;
        let at = |part: f64| {
            run.commits.get((run.commits.len() as f64 * part) as usize).map_or(0.0, |d| d.as_secs_f64() * 1e3)
        };
        println!(
            "{size:>5} {:>10.0} {:>13.1} {:>14.2} {:>7.2} {:>7.2} {:>16.0} {:>8.1}",
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

struct Run {
    store: SqliteStore,
    path: PathBuf,
    accounts: Vec<(AccountId, [SubscriptionNo; 2])>,
    random: SeededRandom,
    clock: SystemClock,
}

#[derive(Default)]
struct Measured {
    events: usize,
    wall: Duration,
    cpu: Duration,
    commits: Vec<Duration>,
    longest_wal: u64,
}

impl Run {
    fn new(folder: &Path, accounts: usize, options: Options) -> Result<Self, Error> {
        let path = folder.join(format!("append-{}.db", std::process::id()));
        remove(&path);
        let store = SqliteStore::open(&path, options)?;
        let accounts = (0..accounts).map(|n| (account(n), [SubscriptionNo(0); 2])).collect();
        Ok(Self { store, path, accounts, random: SeededRandom::new(7), clock: SystemClock::default() })
    }

    async fn work(mut self, size: usize, count: usize) -> Result<Measured, Error> {
        self.subscribe().await?;
        let mut measured = Measured::default();
        let (begin, cpu) = (self.clock.monotonic(), cpu_time());
        let mut sent: Vec<(EventSeq, Arc<Event>)> = Vec::new();
        while measured.events < count {
            let events: Vec<Arc<Event>> =
                (0..size).map(|n| Arc::new(self.event(measured.events + n))).collect();
            let records = sent.iter().flat_map(|(seq, event)| records(*seq, event)).collect();
            let mut batch = Batch { events, records, now: self.clock.now(), ..Batch::default() };
            if measured.commits.len() % WATERMARK_EVERY == 0 {
                batch.watermark = sent.last().map(|(seq, _)| *seq);
                batch.progress = self.progress();
            }
            let batch = Arc::new(batch);
            let asked = self.clock.monotonic();
            let first = self.store.commit(Arc::clone(&batch)).await?.first;
            measured.commits.push(self.clock.monotonic() - asked);
            measured.events += size;
            sent = batch
                .events
                .iter()
                .cloned()
                .enumerate()
                .map(|(n, e)| (EventSeq(first.0 + n as i64), e))
                .collect();
            if measured.commits.len() % 64 == 0 {
                measured.longest_wal = measured.longest_wal.max(wal_len(&self.path));
            }
        }
        measured.wall = self.clock.monotonic() - begin;
        measured.cpu = cpu_time() - cpu;
        measured.longest_wal = measured.longest_wal.max(wal_len(&self.path));
        measured.commits.sort_unstable();
        self.store.close()?;
        remove(&self.path);
        Ok(measured)
    }

    async fn subscribe(&mut self) -> Result<(), Error> {
        for n in 0..self.accounts.len() {
            for place in 0..2 {
                let id = SubscriptionId(self.uid());
                let new = subscription(id, account(n), self.clock.now());
                let no = self.store.insert_subscription(&new).await?;
                if let Some((_, numbers)) = self.accounts.get_mut(n)
                    && let Some(number) = numbers.get_mut(place)
                {
                    *number = no;
                }
            }
        }
        Ok(())
    }

    fn uid(&self) -> Uid {
        Uid::new(self.clock.now(), (&self.random as &dyn Random).u128())
    }

    fn event(&self, n: usize) -> Event {
        let uid = self.uid();
        let (account, numbers) = self.accounts.get(n % self.accounts.len()).expect("there is an account");
        let matched = numbers.map(|subscription| Match { subscription, sequence: n as u64 + 1 });
        Event {
            uid,
            id: EventId::generated(uid),
            account: account.clone(),
            event: "contact.create".parse::<EventName>().expect("a valid name"),
            created_at: self.clock.now(),
            data: Bytes::from(vec![b'7'; 400]),
            resource_url: None,
            order_key: None,
            debounce_key: None,
            digest: None,
            matched: matched.to_vec(),
        }
    }

    fn progress(&self) -> Vec<(SubscriptionNo, Progress)> {
        let of = |no| (no, Progress { sequence: 1, health: Health::default() });
        self.accounts.iter().flat_map(|(_, numbers)| numbers.map(of)).collect()
    }
}

fn records(seq: EventSeq, event: &Arc<Event>) -> impl Iterator<Item = Record> {
    event.matched.iter().map(move |one| Record {
        key: DeliveryKey { event: seq, subscription: one.subscription },
        account: event.account.clone(),
        sequence: one.sequence,
        has_row: false,
        status: DeliveryStatus::Delivered,
        reason: None,
        next_attempt_at: None,
        attempts: 1,
        automatic: 1,
        attempt: Some(attempt(event.created_at)),
        keep_state: false,
    })
}

fn attempt(at: Timestamp) -> Attempt {
    Attempt {
        number: 1,
        started_at: at,
        duration_us: 1_500,
        address: "203.0.113.7:443".parse().ok(),
        status_code: Some(200),
        error: None,
        error_detail: None,
        response_headers: [("content-length", "0"), ("date", "Tue, 02 Jan 2026 03:04:05 GMT")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec(),
        response_body: String::new(),
        response_truncated: false,
        manual: false,
        retry_after: None,
    }
}

fn account(n: usize) -> AccountId {
    format!("account-{n}").parse().expect("a valid id")
}

fn subscription(id: SubscriptionId, account: AccountId, now: Timestamp) -> Subscription {
    Subscription {
        no: SubscriptionNo(0),
        id,
        account,
        events: vec!["*".parse().expect("a valid pattern")],
        target_url: "https://example.com/hook".parse().expect("a valid URL"),
        status: SubscriptionStatus::Active,
        status_reason: None,
        description: None,
        metadata: None,
        payload: PayloadKind::Full,
        headers: std::collections::BTreeMap::new(),
        max_in_flight: None,
        secret: Secret::from_key([7; 32]),
        previous_secret: None,
        created_at: now,
        updated_at: now,
    }
}

/// User and system time of the store's own threads, from ticks of 10 ms.
fn cpu_time() -> Duration {
    let tasks = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let ticks: u64 = tasks
        .filter_map(|task| fs::read_to_string(task.path().join("stat")).ok())
        .filter(|stat| stat.contains("(store-"))
        .filter_map(|stat| Some(stat.rsplit_once(") ")?.1.to_owned()))
        .flat_map(|rest| {
            rest.split(' ').skip(11).take(2).filter_map(|t| t.parse().ok()).collect::<Vec<u64>>()
        })
        .sum();
    Duration::from_millis(ticks * 10)
}

fn wal_len(path: &Path) -> u64 {
    fs::metadata(path.with_extension("db-wal")).map_or(0, |file| file.len())
}

fn remove(path: &Path) {
    for extension in ["db", "db-wal", "db-shm", "db.lock"] {
        let _ = fs::remove_file(path.with_extension(extension));
    }
}
