//! (c) End to end: from the first event posted until the last delivery is recorded, beside (a) in every round.
//!
//! Counts are checked on both sides: what the server says it delivered, and what the receiver got. One too many or too
//! few is a failure of the run, not a figure.
//!
//! Beside the ratio of the rates stands the ratio of the processor time that a delivery takes, all processes together:
//! on a machine that does other work at the same time it moves much less.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use crate::limit::{self, Shape};
use crate::load::{self, Until};
use crate::options::{Options, Part};
use crate::outside::cpu_seconds;
use crate::payload::EVENT;
use crate::receiver::Receiver;
use crate::report::{Row, Wanted};
use crate::samples::Samples;
use crate::server::{Binary, Server, metric};

/// What the ratio to the limit has to be with so many subscriptions per event.
const WANTED: [(u64, f64); 2] = [(1, 0.25), (10, 0.50)];
/// Each round must end within.
const LONGEST_ROUND: Duration = Duration::from_secs(120);

/// The figures of one number of subscriptions.
#[derive(Debug, Default)]
struct Fan {
    subscriptions: u64,
    wanted: Option<f64>,
    rates: Samples,
    ratios: Samples,
    cpu_ratios: Samples,
    accepting: Samples,
    scheduled: Samples,
    per_commit: Samples,
    connections: Samples,
    server_us: Samples,
    load_us: Samples,
    receiver_us: Samples,
    request_bytes: Samples,
}

/// The figures of the limit.
#[derive(Debug, Default)]
struct Limit {
    rates: Samples,
    client_us: Samples,
    receiver_us: Samples,
    request_bytes: Samples,
}

/// One round of the limit.
#[derive(Debug, Clone, Copy)]
struct Bare {
    rate: f64,
    cpu_us: f64,
}

/// Measures (a), and (c) if it is wanted.
pub(crate) fn measure(binary: &Binary, options: &Options) -> anyhow::Result<Vec<Row>> {
    let mut receiver = Receiver::start()?;
    let target = SocketAddr::from((Ipv4Addr::LOCALHOST, receiver.port));
    eprintln!("(a) trying shapes of the limit");
    let shape = limit::best_shape(target)?;
    let mut server = match options.wants(Part::C) {
        true => Some(prepared(binary, options, &receiver)?),
        false => None,
    };
    let mut limit = Limit::default();
    let mut fans: Vec<Fan> = options.subscriptions.iter().copied().map(Fan::new).collect();
    for round in 1..=options.rounds {
        let mut line = format!("(a) and (c), round {round} of {}:", options.rounds);
        let bare = limit_round(&mut limit, &mut receiver, target, shape)?;
        line += &format!(" limit {:.0}/s", bare.rate);
        for fan in &mut fans {
            let Some(server) = &mut server else { continue };
            let ratio = fan.round(server, &mut receiver, options, bare)?;
            line += &format!(", {} subscriptions {ratio:.3} of it", fan.subscriptions);
        }
        eprintln!("{line}");
    }
    let mut rows = limit_rows(&limit, shape);
    if server.is_some() {
        rows.extend(fans.iter().flat_map(|fan| fan.rows(options.connections)));
    }
    Ok(rows)
}

/// A server with an account for each number of subscriptions.
fn prepared(binary: &Binary, options: &Options, receiver: &Receiver) -> anyhow::Result<Server> {
    let mut server = Server::start(binary, options)?;
    for subscriptions in &options.subscriptions {
        let account = account(*subscriptions);
        for number in 0..*subscriptions {
            server.subscribe(&account, EVENT, &receiver.url(&format!("{account}-{number}")))?;
        }
    }
    Ok(server)
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
    let cpu = Processors::now(&[std::process::id(), receiver.pid()])?;
    let round = limit::round(target, shape)?;
    let [client, receiving] = cpu.micros_per(round.answered)?;
    let arrived = receiver.arrived()?;
    let (sent, got) = (round.answered, arrived.requests);
    anyhow::ensure!(got == sent, "the limit's client had {sent} answers, the receiver {got} requests");
    limit.rates.push(round.rate());
    limit.client_us.push(client);
    limit.receiver_us.push(receiving);
    limit.request_bytes.push(arrived.bytes as f64 / got as f64);
    Ok(Bare { rate: round.rate(), cpu_us: client + receiving })
}

fn limit_rows(limit: &Limit, shape: Shape) -> Vec<Row> {
    vec![
        Row::new('a', format!("limit: signed POSTs, {shape}"), "deliveries/s", &limit.rates),
        Row::new('a', "   processor, client", "µs/delivery", &limit.client_us),
        Row::new('a', "   processor, receiver", "µs/delivery", &limit.receiver_us),
        Row::new('a', "   bytes of a request", "B", &limit.request_bytes),
    ]
}

impl Fan {
    fn new(subscriptions: u64) -> Self {
        let wanted = WANTED.iter().find(|(of, _)| *of == subscriptions).map(|(_, ratio)| *ratio);
        Self { subscriptions, wanted, ..Self::default() }
    }

    /// One round; answers the ratio to the limit of the same round.
    fn round(
        &mut self,
        server: &mut Server,
        receiver: &mut Receiver,
        options: &Options,
        limit: Bare,
    ) -> anyhow::Result<f64> {
        let events = (options.events / self.subscriptions).max(1);
        let deliveries = events * self.subscriptions;
        let template = server.single(&account(self.subscriptions), EVENT);
        receiver.reset()?;
        let (delivered, scheduled) = (server.metric(metric::DELIVERED)?, server.metric(metric::SCHEDULED)?);
        let commits = server.metric(metric::COMMITS)?;
        let cpu = Processors::now(&[server.pid(), std::process::id(), receiver.pid()])?;
        let begun = Instant::now();
        let outcome = load::run(server.address, &template, options.connections, Until::Count(events))?;
        let ended = server.wait_for(metric::DELIVERED, delivered + deliveries, LONGEST_ROUND)?;
        let [serving, loading, receiving] = cpu.micros_per(deliveries)?;
        let arrived = receiver.arrived()?;
        let counted = server.metric(metric::DELIVERED)? - delivered;
        anyhow::ensure!(
            arrived.requests == deliveries && counted == deliveries,
            "{deliveries} deliveries expected: the server counted {counted}, the receiver {}",
            arrived.requests
        );
        let rate = deliveries as f64 / (ended - begun).as_secs_f64();
        self.rates.push(rate);
        self.ratios.push(rate / limit.rate);
        self.cpu_ratios.push(limit.cpu_us / (serving + loading + receiving));
        self.accepting.push(outcome.rate());
        let scheduled = server.metric(metric::SCHEDULED)? - scheduled;
        self.scheduled.push(scheduled as f64 / deliveries as f64 * 100.0);
        let commits = server.metric(metric::COMMITS)? - commits;
        self.per_commit.push(events as f64 / commits as f64);
        self.connections.push(arrived.connections as f64 / deliveries as f64 * 1000.0);
        self.server_us.push(serving);
        self.load_us.push(loading);
        self.receiver_us.push(receiving);
        self.request_bytes.push(arrived.bytes as f64 / deliveries as f64);
        Ok(rate / limit.rate)
    }

    fn rows(&self, connections: u32) -> Vec<Row> {
        let many = if self.subscriptions == 1 { "subscription" } else { "subscriptions" };
        let ratio = Row::new('c', "   of the limit", "×", &self.ratios);
        let ratio = match self.wanted {
            Some(bound) => ratio.wanted(Wanted::AtLeast(bound)),
            None => ratio,
        };
        let name = format!("end to end, {} {many}, {connections} connections in", self.subscriptions);
        vec![
            Row::new('c', name, "deliveries/s", &self.rates),
            ratio,
            Row::new('c', "   of the limit, by processor time alone", "×", &self.cpu_ratios),
            Row::new('c', "   accepted meanwhile", "events/s", &self.accepting),
            Row::new('c', "   went through the store's queue", "%", &self.scheduled),
            Row::new('c', "   events in a commit", "events", &self.per_commit),
            Row::new('c', "   connections opened to targets", "/1000", &self.connections),
            Row::new('c', "   processor, server", "µs/delivery", &self.server_us),
            Row::new('c', "   processor, load generator", "µs/delivery", &self.load_us),
            Row::new('c', "   processor, receiver", "µs/delivery", &self.receiver_us),
            Row::new('c', "   bytes of a request", "B", &self.request_bytes),
        ]
    }
}

/// The processor time of some processes at a moment.
struct Processors<const N: usize> {
    pids: [u32; N],
    seconds: [f64; N],
}

impl<const N: usize> Processors<N> {
    fn now(pids: &[u32; N]) -> anyhow::Result<Self> {
        let mut seconds = [0.0; N];
        for (pid, at) in pids.iter().zip(&mut seconds) {
            *at = cpu_seconds(*pid)?;
        }
        Ok(Self { pids: *pids, seconds })
    }

    /// Microseconds since then for each of so many things.
    fn micros_per(&self, things: u64) -> anyhow::Result<[f64; N]> {
        let now = Self::now(&self.pids)?;
        let mut micros = now.seconds;
        for (at, before) in micros.iter_mut().zip(self.seconds) {
            *at = (*at - before) * 1e6 / things as f64;
        }
        Ok(micros)
    }
}
