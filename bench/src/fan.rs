//! The figures of (c) for one number of subscriptions per event.

use crate::end_to_end::{Bare, Taken};
use crate::options::Store;
use crate::report::{Row, Wanted};
use crate::samples::Samples;
use crate::setup::Setup;

/// What the ratio to the limit has to be on one node with so many subscriptions per event.
const WANTED_SQLITE: [(u64, f64); 2] = [(1, 0.25), (10, 0.50)];
/// The same with PostgreSQL, whose processes share the machine with all others.
const WANTED_POSTGRES: [(u64, f64); 2] = [(1, 0.12), (10, 0.35)];

/// Over all rounds.
#[derive(Debug, Default)]
pub(crate) struct Fan {
    pub subscriptions: u64,
    rates: Samples,
    ratios: Samples,
    cpu_ratios: Samples,
    accepting: Samples,
    scheduled: Samples,
    per_commit: Samples,
    connections: Samples,
    nodes_us: Samples,
    load_us: Samples,
    receiver_us: Samples,
    others: Samples,
    request_bytes: Samples,
    database_us: Samples,
    statements: Samples,
    commits: Samples,
    wal_bytes: Samples,
}

impl Fan {
    pub(crate) fn new(subscriptions: u64) -> Self {
        Self { subscriptions, ..Self::default() }
    }

    /// Adds a round; answers the ratio to the limit of the same round.
    pub(crate) fn push(&mut self, taken: &Taken, limit: Bare) -> f64 {
        let (events, deliveries) = (taken.events as f64, taken.deliveries as f64);
        let rate = deliveries / taken.took.as_secs_f64();
        let ratio = rate / limit.rate;
        self.rates.push(rate);
        self.ratios.push(ratio);
        self.cpu_ratios.push(limit.cpu_us / taken.costs.sum());
        self.accepting.push(taken.load.rate());
        self.scheduled.push(taken.scheduled as f64 / deliveries * 100.0);
        self.per_commit.push(events / taken.commits as f64);
        self.connections.push(taken.arrived.connections as f64 / deliveries * 1000.0);
        self.nodes_us.push(taken.costs.nodes);
        self.load_us.push(taken.costs.load);
        self.receiver_us.push(taken.costs.receiver);
        self.others.push(taken.costs.others());
        self.request_bytes.push(taken.arrived.bytes as f64 / deliveries);
        if let Some(done) = taken.done {
            self.database_us.push(taken.costs.database);
            self.statements.extend(done.statements.map(|statements| statements as f64 / events * 1000.0));
            self.commits.push(done.commits as f64 / events * 1000.0);
            self.wal_bytes.push(done.wal_bytes as f64 / events);
        }
        ratio
    }

    /// All figures, taken on so many nodes.
    pub(crate) fn rows(&self, setup: &Setup, nodes: u32) -> Vec<Row> {
        let many = if self.subscriptions == 1 { "subscription" } else { "subscriptions" };
        let connections = setup.options.connections;
        let name = format!("end to end, {} {many}, {connections} connections in", self.subscriptions);
        let ratio = Row::new('c', "   of the limit", "×", &self.ratios);
        let ratio = match wanted(setup.options.store, self.subscriptions).filter(|_| nodes == 1) {
            Some(bound) => ratio.wanted(Wanted::AtLeast(bound)),
            None => ratio,
        };
        let mut rows = vec![
            Row::new('c', name, "deliveries/s", &self.rates),
            ratio,
            Row::new('c', "   of the limit, by processor time alone", "×", &self.cpu_ratios),
            Row::new('c', "   accepted meanwhile", "events/s", &self.accepting),
            Row::new('c', "   went through the store's queue", "%", &self.scheduled),
            Row::new('c', "   events in a commit", "events", &self.per_commit),
            Row::new('c', "   connections opened to targets", "/1000", &self.connections),
            Row::new('c', "   processor, nodes", "µs/delivery", &self.nodes_us),
            Row::new('c', "   processor, load generator", "µs/delivery", &self.load_us),
            Row::new('c', "   processor, receiver", "µs/delivery", &self.receiver_us),
            Row::new('c', "   taken by others on the machine", "%", &self.others),
            Row::new('c', "   bytes of a request", "B", &self.request_bytes),
        ];
        if self.commits.len() > 0 {
            rows.extend([
                Row::new('c', "   processor, database", "µs/delivery", &self.database_us),
                Row::new('c', "   commits", "/1000 events", &self.commits),
                Row::new('c', "   write-ahead log", "B/event", &self.wal_bytes),
            ]);
        }
        if self.statements.len() > 0 {
            rows.push(Row::new('c', "   statements", "/1000 events", &self.statements));
        }
        rows.into_iter().map(|row| row.of_nodes(nodes)).collect()
    }
}

fn wanted(store: Store, subscriptions: u64) -> Option<f64> {
    let wanted = match store {
        Store::Sqlite => WANTED_SQLITE,
        Store::Postgres => WANTED_POSTGRES,
    };
    wanted.iter().find(|(of, _)| *of == subscriptions).map(|(_, ratio)| *ratio)
}
