//! (d) Latency from the POST of an event to the arrival of its hook, at a rate that leaves the server idle in between.

use std::time::Duration;

use anyhow::Context as _;

use crate::disk;
use crate::load;
use crate::payload::EVENT;
use crate::receiver::Receiver;
use crate::report::{Row, Wanted};
use crate::samples::Samples;
use crate::server::Nodes;
use crate::setup::Setup;

/// Events per second.
pub(crate) const RATE: u32 = 50;
/// Before figures are taken: connections open, pages come into memory.
const WARM_UP: Duration = Duration::from_secs(1);
/// How long figures are taken.
const TIME: Duration = Duration::from_secs(8);
/// What the last event may take to arrive.
const LONGEST_ARRIVAL: Duration = Duration::from_secs(20);
/// Beside twice the disk's own sync, p50 may be so much.
const ALLOWANCE_MS: f64 = 3.0;

/// Measures the latency, and the disk before and after it.
pub(crate) fn measure(setup: &Setup) -> anyhow::Result<Vec<Row>> {
    eprintln!("(d) latency at {RATE} events/s");
    let mut receiver = Receiver::start()?;
    let mut server = setup.start(1)?;
    server.subscribe("quick", EVENT, &receiver.url("quick"))?;
    let mut disk = disk::sync_ms(server.folder())?;
    at_rate(&server, &mut receiver, WARM_UP)?;
    let (arrival, answers) = at_rate(&server, &mut receiver, TIME)?;
    disk.extend(disk::sync_ms(server.folder())?);
    let bound = Wanted::AtMost(ALLOWANCE_MS + 2.0 * disk.median());
    let of = |samples: &Samples, share| samples.quantile(share).unwrap_or(f64::NAN);
    let row = |name: &str, figure| Row::once('d', name, "ms", figure);
    Ok(vec![
        row("POST to arrival at 50 events/s, p50", of(&arrival, 0.5)).wanted(bound),
        row("POST to arrival at 50 events/s, p99", of(&arrival, 0.99)),
        row("POST to its answer, p50", of(&answers, 0.5)),
        row("POST to its answer, p99", of(&answers, 0.99)),
        row("the disk's own fdatasync of 4 KiB, p50", of(&disk, 0.5)),
        row("the disk's own fdatasync of 4 KiB, p99", of(&disk, 0.99)),
    ])
}

/// Sends events of the account `quick` at the rate. Milliseconds to each arrival, and to each answer.
pub(crate) fn at_rate(
    server: &Nodes<'_>,
    receiver: &mut Receiver,
    time: Duration,
) -> anyhow::Result<(Samples, Samples)> {
    receiver.reset_timed()?;
    let aims = server.single("quick", EVENT);
    let outcome = load::paced(aims.first().context("a node")?, RATE, time)?;
    let begun = std::time::Instant::now();
    while receiver.arrived()?.requests < outcome.accepted {
        anyhow::ensure!(begun.elapsed() < LONGEST_ARRIVAL, "not all events arrived; see {:?}", server.log());
        std::thread::sleep(Duration::from_millis(5));
    }
    let arrived = receiver.arrived()?.requests;
    anyhow::ensure!(arrived == outcome.accepted, "{arrived} arrived of {} events", outcome.accepted);
    Ok((receiver.latencies_ms()?, outcome.answers_ms))
}
