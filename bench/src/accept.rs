//! (b) Accepted events per second: nobody has subscribed, so that this is the way in alone, up to the commit.

use std::time::Duration;

use crate::load::{self, Until};
use crate::options::Options;
use crate::report::Row;
use crate::samples::Samples;
use crate::server::{Binary, Server, metric};

/// Connections that post one event at a time.
const SINGLES: [u32; 5] = [1, 8, 32, 128, 256];
/// Events per call and connections of the batch route.
const BATCHES: [(usize, u32); 2] = [(100, 4), (1000, 4)];
/// How long each round takes.
const ROUND: Duration = Duration::from_millis(1500);

/// One way to post.
struct Way {
    events: usize,
    connections: u32,
    rates: Samples,
    answers_ms: Samples,
}

/// Measures all ways in turn, in every round.
pub(crate) fn measure(binary: &Binary, options: &Options) -> anyhow::Result<Vec<Row>> {
    let mut server = Server::start(binary, options)?;
    let ways = SINGLES.map(|connections| (1, connections)).into_iter().chain(BATCHES);
    let way = |(events, connections)| Way {
        events,
        connections,
        rates: Samples::default(),
        answers_ms: Samples::default(),
    };
    let mut ways: Vec<Way> = ways.map(way).collect();
    for round in 1..=options.rounds {
        eprintln!("(b) accepting, round {round} of {}", options.rounds);
        for way in &mut ways {
            let template = match way.events {
                1 => server.single("nobody", crate::payload::EVENT),
                events => server.batch("nobody", crate::payload::EVENT, events),
            };
            let before = server.metric(metric::ACCEPTED)?;
            let outcome = load::run(server.address, &template, way.connections, Until::Time(ROUND))?;
            let accepted = server.metric(metric::ACCEPTED)? - before;
            let sent = outcome.accepted * way.events as u64;
            anyhow::ensure!(accepted == sent, "{sent} events were answered with 202, but {accepted} counted");
            way.rates.push(outcome.rate() * way.events as f64);
            way.answers_ms.push(outcome.answers_ms.median());
        }
    }
    Ok(ways.iter().flat_map(rows).collect())
}

fn rows(way: &Way) -> [Row; 2] {
    let Way { events, connections, .. } = way;
    let name = match events {
        1 => format!("accepted, {connections} connections"),
        _ => format!("accepted in batches of {events}, {connections} connections"),
    };
    [
        Row::new('b', name, "events/s", &way.rates),
        Row::new('b', "   answered in, median", "ms", &way.answers_ms),
    ]
}
