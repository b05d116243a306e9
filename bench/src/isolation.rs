//! (f) One target that hangs, with a queue of its own, must not delay another's deliveries: not even of the same account.
//!
//! The disk is watched beside both halves: a p99 that a slow disk has made says nothing of targets.

use std::time::{Duration, Instant};

use crate::disk;
use crate::latency::at_rate;
use crate::load::{self, Until};
use crate::options::Options;
use crate::payload::EVENT;
use crate::receiver::Receiver;
use crate::report::{Row, Wanted};
use crate::samples::Samples;
use crate::server::{Binary, Server, metric};

/// Events for the target that hangs.
const HUNG: u64 = 10_000;
/// Of these per call.
const BATCH: usize = 1000;
/// Their type.
const HUNG_EVENT: &str = "contact.delete";
/// Longer than an attempt may take, so that timeouts and what they start are seen too.
const TIME: Duration = Duration::from_secs(20);
const WARM_UP: Duration = Duration::from_secs(1);
/// What the hanging target may add to the p99.
const MAY_ADD_MS: f64 = 20.0;

/// Measures another target's latency without and with the one that hangs.
pub(crate) fn measure(binary: &Binary, options: &Options) -> anyhow::Result<Vec<Row>> {
    let mut receiver = Receiver::start()?;
    let mut server = Server::start(binary, options)?;
    server.subscribe("quick", EVENT, &receiver.url("quick"))?;
    server.subscribe("quick", HUNG_EVENT, &receiver.hanging_url())?;
    at_rate(&server, &mut receiver, WARM_UP)?;
    eprintln!("(f) another target's latency, without one that hangs");
    let ((alone, _), disk_alone) = disk::beside(server.folder(), || at_rate(&server, &mut receiver, TIME))?;
    let begun = Instant::now();
    let batch = server.batch("quick", HUNG_EVENT, BATCH);
    load::run(server.address, &batch, 1, Until::Count(HUNG / BATCH as u64))?;
    server.wait_for(metric::IN_FLIGHT, 1, TIME)?;
    eprintln!("(f) the same with {HUNG} events queued for one that hangs ({:.1?})", begun.elapsed());
    let ((beside, _), disk_beside) = disk::beside(server.folder(), || at_rate(&server, &mut receiver, TIME))?;
    let of = |samples: &Samples, share| samples.quantile(share).unwrap_or(f64::NAN);
    let row = |name: &str, figure| Row::once('f', name, "ms", figure);
    let added = of(&beside, 0.99) - of(&alone, 0.99);
    Ok(vec![
        row("POST to arrival, p50, alone", of(&alone, 0.5)),
        row("POST to arrival, p99, alone", of(&alone, 0.99)),
        row("POST to arrival, p50, beside a target that hangs", of(&beside, 0.5)),
        row("POST to arrival, p99, beside a target that hangs", of(&beside, 0.99)),
        row("   added to the p99", added).wanted(Wanted::AtMost(MAY_ADD_MS)),
        row("   the slowest, alone", of(&alone, 1.0)),
        row("   the slowest, beside a target that hangs", of(&beside, 1.0)),
        row("the disk's own fdatasync meanwhile, p99, alone", of(&disk_alone, 0.99)),
        row("the disk's own fdatasync meanwhile, p99, beside", of(&disk_beside, 0.99)),
    ])
}
