//! (e) Memory when idle, loaded and with a backlog; bytes written per event; start; size of the binary.

use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::load::{self, Until};
use crate::outside::memory_mib;
use crate::payload::EVENT;
use crate::receiver::Receiver;
use crate::report::{Row, Wanted};
use crate::samples::Samples;
use crate::server::{Nodes, metric};
use crate::setup::Setup;

/// Starts that are timed.
const STARTS: usize = 5;
/// After a start, before the server counts as idle.
const SETTLE: Duration = Duration::from_secs(2);
/// Events of the loaded run, with two subscriptions each.
const LOADED_EVENTS: u64 = 20_000;
/// Events per call of the backlog.
const BATCH: u64 = 1000;
/// Connections that fill the backlog.
const FILLERS: u32 = 2;
/// Subscriptions that share the backlog.
const DEAD_TARGETS: u64 = 4;
const LONGEST_LOAD: Duration = Duration::from_secs(120);
/// Per event of the backlog, on top of a minute.
const LONGEST_PER_EVENT: Duration = Duration::from_micros(600);
/// Between two looks at the memory.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Measures all of it.
pub(crate) fn measure(setup: &Setup) -> anyhow::Result<Vec<Row>> {
    eprintln!("(e) start and idle memory");
    let mut starts = Samples::default();
    for _ in 1..STARTS {
        starts.push(setup.start(1)?.started_in().as_secs_f64() * 1000.0);
    }
    let mut server = setup.start(1)?;
    starts.push(server.started_in().as_secs_f64() * 1000.0);
    let mut again = Samples::default();
    if server.database().is_some() {
        for _ in 0..STARTS {
            again.push(server.start_again(setup)?.as_secs_f64() * 1000.0);
        }
    }
    std::thread::sleep(SETTLE);
    let idle = memory_mib(server.pid(), "VmRSS")?;
    let ready = Wanted::AtMost(200.0);
    let mut rows = match server.database() {
        None => vec![Row::new('e', "start to ready", "ms", &starts).wanted(ready)],
        // Only the first node of all makes the tables.
        Some(_) => vec![
            Row::new('e', "start to ready", "ms", &again).wanted(ready),
            Row::new('e', "   on an empty database", "ms", &starts),
        ],
    };
    rows.extend([
        Row::once('e', "size of the binary", "MiB", mib(setup.binary.bytes()?)),
        Row::once('e', "memory, idle", "MiB", idle).wanted(Wanted::AtMost(30.0)),
    ]);
    if let Some(bytes) = setup.binary.stripped_bytes()? {
        rows.push(Row::once('e', "   without debug information", "MiB", mib(bytes)));
    }
    eprintln!("(e) memory under load");
    rows.extend(loaded(&mut server, setup.options.connections)?);
    drop(server);
    if setup.options.backlog() > 0 {
        rows.extend(backlog(setup)?);
    }
    Ok(rows)
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / 1024.0 / 1024.0
}

fn loaded(server: &mut Nodes<'_>, connections: u32) -> anyhow::Result<Vec<Row>> {
    let mut receiver = Receiver::start()?;
    for number in 0..2 {
        server.subscribe("loaded", EVENT, &receiver.url(&number.to_string()))?;
    }
    receiver.reset()?;
    let (written, stored) = (server.written_bytes()?, server.store_bytes()?);
    let template = server.single("loaded", EVENT);
    load::run(&template, connections, Until::Count(LOADED_EVENTS))?;
    server.wait_for(metric::DELIVERED, LOADED_EVENTS * 2, LONGEST_LOAD)?;
    let per_event = |bytes: u64| bytes as f64 / LOADED_EVENTS as f64;
    let written = per_event(server.written_bytes()? - written);
    let stored = per_event(server.store_bytes()?.saturating_sub(stored));
    let most = memory_mib(server.pid(), "VmHWM")?;
    Ok(vec![
        Row::once('e', "memory, the most under load", "MiB", most),
        Row::once('e', "written per event with 2 deliveries", "B", written),
        Row::once('e', "   growth of the store's files", "B", stored),
    ])
}

/// Events for targets that refuse every connection, all of which wait.
fn backlog(setup: &Setup) -> anyhow::Result<Vec<Row>> {
    let calls = setup.options.backlog().div_ceil(BATCH);
    let events = calls * BATCH;
    eprintln!("(e) memory with {events} events waiting for dead targets");
    let mut server = setup.start(1)?;
    // A port that was free a moment ago, and that nobody listens on.
    let dead = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    for number in 0..DEAD_TARGETS {
        server.subscribe(&format!("dead-{number}"), EVENT, &format!("http://{dead}/{number}"))?;
    }
    let longest = Duration::from_secs(60) + LONGEST_PER_EVENT * u32::try_from(events).unwrap_or(u32::MAX);
    let begun = Instant::now();
    let pid = server.pid();
    let is_over = AtomicBool::new(false);
    let most = std::thread::scope(|scope| {
        let watcher = scope.spawn(|| highest(pid, &is_over));
        let filled = fill(&mut server, calls, longest);
        is_over.store(true, Ordering::Relaxed);
        let most = watcher.join().map_err(|_| anyhow::anyhow!("the watcher failed"))?;
        filled.and(most)
    })?;
    let took = begun.elapsed().as_secs_f64();
    let settled = memory_mib(pid, "VmRSS")?;
    let name = |what: &str| format!("{what} with {events} events waiting");
    Ok(vec![
        Row::once('e', name("memory, the most"), "MiB", most).wanted(Wanted::AtMost(150.0)),
        Row::once('e', name("memory, at the end"), "MiB", settled),
        Row::once('e', "   until all of them waited in the store", "s", took),
        Row::once(
            'e',
            "   growth of the store's files",
            "B/event",
            server.store_bytes()? as f64 / events as f64,
        ),
    ])
}

fn fill(server: &mut Nodes<'_>, calls: u64, longest: Duration) -> anyhow::Result<()> {
    for number in 0..DEAD_TARGETS {
        let own = calls / DEAD_TARGETS + u64::from(number < calls % DEAD_TARGETS);
        let template = server.batch(&format!("dead-{number}"), EVENT, BATCH as usize);
        load::run(&template, FILLERS, Until::Count(own))?;
    }
    // Leased ones are for moments not in the store's queue: a thousandth may be on its way.
    let all = calls * BATCH;
    server.wait_for(metric::WAITING, all - all / 1000, longest)?;
    Ok(())
}

/// The most memory seen until it is over. `VmHWM` would do, but counts what a start took and gave back.
fn highest(pid: u32, is_over: &AtomicBool) -> anyhow::Result<f64> {
    let mut most: f64 = 0.0;
    while !is_over.load(Ordering::Relaxed) {
        most = most.max(memory_mib(pid, "VmRSS")?);
        std::thread::sleep(LOOK_EVERY);
    }
    Ok(most)
}
