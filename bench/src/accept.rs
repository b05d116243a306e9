//! (b) Accepted events per second: nobody has subscribed, so that this is the way in alone, up to the commit.
//!
//! On several nodes the connections are spread over all of them.

use std::time::Duration;

use crate::costs::Costs;
use crate::load::{self, Until};
use crate::payload::EVENT;
use crate::report::Row;
use crate::samples::Samples;
use crate::server::{Nodes, metric};
use crate::setup::Setup;

/// Connections that post one event at a time.
const SINGLES: [u32; 5] = [1, 8, 32, 128, 256];
/// Events per call and connections of the batch route.
const BATCHES: [(usize, u32); 2] = [(100, 4), (1000, 4)];
/// How long each round takes.
const ROUND: Duration = Duration::from_millis(1500);

/// One way to post.
#[derive(Debug, Default)]
struct Way {
    events: usize,
    connections: u32,
    rates: Samples,
    answers_ms: Samples,
    statements: Samples,
    commits: Samples,
    nodes_us: Samples,
    database_us: Samples,
    load_us: Samples,
}

/// Measures all ways in turn, in every round, for each number of nodes.
pub(crate) fn measure(setup: &Setup) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for count in setup.options.nodes()? {
        let mut nodes = setup.start(count)?;
        let ways = SINGLES.map(|connections| (1, connections)).into_iter().chain(BATCHES);
        let way = |(events, connections)| Way { events, connections, ..Way::default() };
        let mut ways: Vec<Way> = ways.map(way).collect();
        for round in 1..=setup.options.rounds {
            eprintln!("(b) accepting, nodes: {count}, round {round} of {}", setup.options.rounds);
            for way in &mut ways {
                way.round(&mut nodes)?;
            }
        }
        rows.extend(ways.iter().flat_map(Way::rows).map(|row| row.of_nodes(count)));
    }
    Ok(rows)
}

impl Way {
    fn round(&mut self, nodes: &mut Nodes<'_>) -> anyhow::Result<()> {
        let aims = match self.events {
            1 => nodes.single("nobody", EVENT),
            events => nodes.batch("nobody", EVENT, events),
        };
        let (before, done) = (nodes.metric(metric::ACCEPTED)?, nodes.done()?);
        let costs = Costs::now(Some(nodes), None)?;
        let outcome = load::run(&aims, self.connections, Until::Time(ROUND))?;
        let sent = outcome.accepted * self.events as u64;
        let costs = Costs::now(Some(nodes), None)?.micros_since(costs, sent);
        let done = nodes.done()?.zip(done).map(|(now, before)| now.since(before));
        let accepted = nodes.metric(metric::ACCEPTED)? - before;
        anyhow::ensure!(accepted == sent, "{sent} events were answered with 202, but {accepted} counted");
        self.rates.push(outcome.rate() * self.events as f64);
        self.answers_ms.push(outcome.answers_ms.median());
        self.nodes_us.push(costs.nodes);
        self.load_us.push(costs.load);
        if let Some(done) = done {
            let thousands = sent as f64 / 1000.0;
            self.database_us.push(costs.database);
            self.commits.push(done.commits as f64 / thousands);
            self.statements.extend(done.statements.map(|statements| statements as f64 / thousands));
        }
        Ok(())
    }

    fn rows(&self) -> Vec<Row> {
        let Self { events, connections, .. } = self;
        let name = match events {
            1 => format!("accepted, {connections} connections"),
            _ => format!("accepted in batches of {events}, {connections} connections"),
        };
        let mut rows = vec![
            Row::new('b', name, "events/s", &self.rates),
            Row::new('b', "   answered in, median", "ms", &self.answers_ms),
            Row::new('b', "   processor, nodes", "µs/event", &self.nodes_us),
            Row::new('b', "   processor, load generator", "µs/event", &self.load_us),
        ];
        if self.commits.len() > 0 {
            rows.extend([
                Row::new('b', "   processor, database", "µs/event", &self.database_us),
                Row::new('b', "   commits", "/1000 events", &self.commits),
            ]);
        }
        if self.statements.len() > 0 {
            rows.push(Row::new('b', "   statements", "/1000 events", &self.statements));
        }
        rows
    }
}
