//! (f) One target that hangs, with a queue of its own, must not delay another's deliveries: not even of the same account.
//!
//! The disk is watched beside both halves: a p99 that a slow disk has made says nothing of targets.

use std::time::Duration;

use crate::disk;
use crate::latency::at_rate;
use crate::load::{self, Until};
use crate::payload::EVENT;
use crate::receiver::Receiver;
use crate::report::{Row, Wanted};
use crate::samples::Samples;
use crate::server::{Nodes, metric};
use crate::setup::Setup;

/// Events for the target that hangs.
const HUNG: u64 = 10_000;
/// Of these per call.
const BATCH: usize = 1000;
/// Their type.
const HUNG_EVENT: &str = "contact.delete";
/// Slices of time, each with figures of its own: what the disk or the machine does to one of them, the median leaves
/// out. Together they are longer than an attempt may take, so that timeouts and what they start are seen too.
const SLICES: usize = 3;
const SLICE: Duration = Duration::from_secs(7);
const WARM_UP: Duration = Duration::from_secs(1);
/// Until the hanging target has its first request.
const LONGEST_START: Duration = Duration::from_secs(20);
/// What the hanging target may add to the p99.
const MAY_ADD_MS: f64 = 20.0;

/// Measures another target's latency without and with the one that hangs.
pub(crate) fn measure(setup: &Setup) -> anyhow::Result<Vec<Row>> {
    let mut receiver = Receiver::start()?;
    let mut server = setup.start(1)?;
    server.subscribe("quick", EVENT, &receiver.url("quick"))?;
    server.subscribe("quick", HUNG_EVENT, &receiver.hanging_url())?;
    at_rate(&server, &mut receiver, WARM_UP)?;
    eprintln!("(f) another target's latency, without one that hangs");
    let alone = Half::measure(&server, &mut receiver)?;
    let batch = server.batch("quick", HUNG_EVENT, BATCH);
    load::run(&batch, 1, Until::Count(HUNG / BATCH as u64))?;
    server.wait_for(metric::IN_FLIGHT, 1, LONGEST_START)?;
    eprintln!("(f) the same with {HUNG} events queued for one that hangs");
    let beside = Half::measure(&server, &mut receiver)?;
    let added = beside.p99.median() - alone.p99.median();
    let mut rows = alone.rows("alone");
    rows.extend(beside.rows("beside a target that hangs"));
    rows.push(Row::once('f', "added to the p99", "ms", added).wanted(Wanted::AtMost(MAY_ADD_MS)));
    Ok(rows)
}

/// The figures of each slice, with or without the target that hangs.
#[derive(Debug, Default)]
struct Half {
    p50: Samples,
    p99: Samples,
    slowest: Samples,
    disk_p99: Samples,
}

impl Half {
    fn measure(server: &Nodes<'_>, receiver: &mut Receiver) -> anyhow::Result<Self> {
        let mut half = Self::default();
        for _ in 0..SLICES {
            let ((arrivals, _), disk) = disk::beside(server.folder(), || at_rate(server, receiver, SLICE))?;
            let of = |samples: &Samples, share| samples.quantile(share).unwrap_or(f64::NAN);
            half.p50.push(of(&arrivals, 0.5));
            half.p99.push(of(&arrivals, 0.99));
            half.slowest.push(of(&arrivals, 1.0));
            half.disk_p99.push(of(&disk, 0.99));
        }
        Ok(half)
    }

    fn rows(&self, how: &str) -> Vec<Row> {
        vec![
            Row::new('f', format!("POST to arrival, p50, {how}"), "ms", &self.p50),
            Row::new('f', format!("POST to arrival, p99, {how}"), "ms", &self.p99),
            Row::new('f', "   the slowest", "ms", &self.slowest),
            Row::new('f', "   the disk's own fdatasync meanwhile, p99", "ms", &self.disk_p99),
        ]
    }
}
