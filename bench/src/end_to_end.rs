//! (c) End to end: from the first event posted until the last delivery is recorded, beside (a) in every round; on one node,
//! and on several with a store that they share.
//!
//! Counts are checked on both sides: what the nodes say they delivered, and what the receiver got. One too many or too
//! few is a failure of the run, not a figure.
//!
//! What others take of the machine meanwhile stands there too: a few percent are the kernel's own; with much more, measure
//! again when it is quiet. And beside the ratio of the rates stands the ratio of the processor time that a delivery
//! takes, all processes together: on a machine that does other work at the same time it moves much less.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use crate::costs::Costs;
use crate::fan::Fan;
use crate::limit::{self, Shape};
use crate::load::{self, Outcome, Until};
use crate::options::Part;
use crate::payload::EVENT;
use crate::receiver::{Arrived, Receiver};
use crate::report::Row;
use crate::samples::Samples;
use crate::server::{Nodes, metric};
use crate::setup::Setup;

/// Each round must end within.
const LONGEST_ROUND: Duration = Duration::from_secs(120);

/// The figures of the limit.
#[derive(Debug, Default)]
struct Limit {
    rates: Samples,
    client_us: Samples,
    receiver_us: Samples,
    others: Samples,
    request_bytes: Samples,
}

/// One round of the limit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bare {
    pub rate: f64,
    pub cpu_us: f64,
}

/// Measures (a), and (c) if it is wanted.
pub(crate) fn measure(setup: &Setup) -> anyhow::Result<Vec<Row>> {
    let mut receiver = Receiver::start()?;
    let target = SocketAddr::from((Ipv4Addr::LOCALHOST, receiver.port));
    eprintln!("(a) trying shapes of the limit");
    let shape = limit::best_shape(target)?;
    let mut limit = Limit::default();
    if !setup.options.wants(Part::C) {
        for round in 1..=setup.options.rounds {
            let bare = limit_round(&mut limit, &mut receiver, target, shape)?;
            eprintln!("(a), round {round} of {}: limit {:.0}/s", setup.options.rounds, bare.rate);
        }
        return Ok(limit_rows(&limit, shape));
    }
    let mut rows = Vec::new();
    for count in setup.options.nodes()? {
        let mut nodes = prepared(setup, count, &receiver)?;
        let mut fans: Vec<Fan> = setup.options.subscriptions.iter().copied().map(Fan::new).collect();
        if let Some(database) = nodes.database() {
            database.begin_profile()?;
        }
        for round in 1..=setup.options.rounds {
            let mut line = format!("(a) and (c), nodes: {count}, round {round} of {}:", setup.options.rounds);
            let bare = limit_round(&mut limit, &mut receiver, target, shape)?;
            line += &format!(" limit {:.0}/s", bare.rate);
            for fan in &mut fans {
                let taken = end_to_end_round(setup, &mut nodes, &mut receiver, fan.subscriptions)?;
                let ratio = fan.push(&taken, bare);
                line += &format!(", {} subscriptions {ratio:.3} of it", fan.subscriptions);
            }
            eprintln!("{line}");
        }
        if let Some(database) = nodes.database().filter(|_| setup.options.profile) {
            eprint!("where PostgreSQL's time went in (c), nodes: {count}\n{}", database.profile()?);
        }
        rows.extend(fans.iter().flat_map(|fan| fan.rows(setup, count)));
    }
    Ok(limit_rows(&limit, shape).into_iter().chain(rows).collect())
}

/// Nodes with an account for each number of subscriptions.
fn prepared<'a>(setup: &'a Setup, count: u32, receiver: &Receiver) -> anyhow::Result<Nodes<'a>> {
    let mut nodes = setup.start(count)?;
    for subscriptions in &setup.options.subscriptions {
        let account = account(*subscriptions);
        for number in 0..*subscriptions {
            nodes.subscribe(&account, EVENT, &receiver.url(&format!("{account}-{number}")))?;
        }
    }
    nodes.agree()?;
    Ok(nodes)
}

fn account(subscriptions: u64) -> String {
    format!("with-{subscriptions}")
}

fn limit_round(
    limit: &mut Limit,
    receiver: &mut Receiver,
    target: SocketAddr,
    shape: Shape,
) -> anyhow::Result<Bare> {
    receiver.reset()?;
    let costs = Costs::now(None, Some(receiver))?;
    let round = limit::round(target, shape)?;
    let costs = Costs::now(None, Some(receiver))?.micros_since(costs, round.answered);
    let arrived = receiver.arrived()?;
    let (sent, got) = (round.answered, arrived.requests);
    anyhow::ensure!(got == sent, "the limit's client had {sent} answers, the receiver {got} requests");
    limit.rates.push(round.rate());
    limit.client_us.push(costs.load);
    limit.receiver_us.push(costs.receiver);
    limit.others.push(costs.others());
    limit.request_bytes.push(arrived.bytes as f64 / got as f64);
    Ok(Bare { rate: round.rate(), cpu_us: costs.sum() })
}

fn limit_rows(limit: &Limit, shape: Shape) -> Vec<Row> {
    let row = |name: &str, unit, samples| Row::new('a', name, unit, samples).of_nodes(0);
    vec![
        row(&format!("limit: signed POSTs, {shape}"), "deliveries/s", &limit.rates),
        row("   processor, client", "µs/delivery", &limit.client_us),
        row("   processor, receiver", "µs/delivery", &limit.receiver_us),
        row("   taken by others on the machine", "%", &limit.others),
        row("   bytes of a request", "B", &limit.request_bytes),
    ]
}

/// What one round of (c) took.
#[derive(Debug)]
pub(crate) struct Taken {
    pub events: u64,
    pub deliveries: u64,
    pub took: Duration,
    /// For each delivery.
    pub costs: Costs,
    pub load: Outcome,
    pub arrived: Arrived,
    pub scheduled: u64,
    pub commits: u64,
    /// Statements, transactions that wrote, and bytes of the log, when a database counts them.
    pub done: Option<crate::postgres::Done>,
}

fn end_to_end_round(
    setup: &Setup,
    nodes: &mut Nodes<'_>,
    receiver: &mut Receiver,
    subscriptions: u64,
) -> anyhow::Result<Taken> {
    let events = (setup.options.events / subscriptions).max(1);
    let deliveries = events * subscriptions;
    let aims = nodes.single(&account(subscriptions), EVENT);
    receiver.reset()?;
    let (delivered, scheduled) = (nodes.metric(metric::DELIVERED)?, nodes.metric(metric::SCHEDULED)?);
    let (commits, done) = (nodes.metric(metric::COMMITS)?, nodes.done()?);
    let costs = Costs::now(Some(nodes), Some(receiver))?;
    let begun = Instant::now();
    let load = load::run(&aims, setup.options.connections, Until::Count(events))?;
    let ended = nodes.wait_for(metric::DELIVERED, delivered + deliveries, LONGEST_ROUND)?;
    let costs = Costs::now(Some(nodes), Some(receiver))?.micros_since(costs, deliveries);
    let done = nodes.done()?.zip(done).map(|(now, before)| now.since(before));
    let arrived = receiver.arrived()?;
    let counted = nodes.metric(metric::DELIVERED)? - delivered;
    anyhow::ensure!(
        arrived.requests == deliveries && counted == deliveries,
        "{deliveries} deliveries expected: the nodes counted {counted}, the receiver {}",
        arrived.requests
    );
    let scheduled = nodes.metric(metric::SCHEDULED)? - scheduled;
    let commits = nodes.metric(metric::COMMITS)? - commits;
    let took = ended - begun;
    Ok(Taken { events, deliveries, took, costs, load, arrived, scheduled, commits, done })
}
