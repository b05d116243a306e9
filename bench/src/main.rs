//! Measures `resthooks serve`, the real binary, on loopback: `cargo run --release -p bench`.
//!
//! The bench starts the server as a process of its own on a store of its own in a temporary folder, and a receiver of
//! hooks as another process (this executable again). With `--store postgres` it starts a PostgreSQL server too, and up to
//! sixteen nodes on one of its databases. Load generator (`load`) and the bare client of the limit (`limit`)
//! run inside the bench. Everything is bounded in count and in time, and every process ends with the bench.
//!
//! | part | file |
//! |---|---|
//! | (a) the limit: the same signed POSTs by a bare client | `limit`, `signed` |
//! | (b) accepted events per second, on one node and on several | `accept` |
//! | (c) end to end, in turns with (a), on one node and on several | `end_to_end`, `costs` |
//! | (d) latency at a low rate, beside the disk's own | `latency`, `disk` |
//! | (e) memory, bytes written, start, size | `memory`, `outside` |
//! | (f) a target that hangs beside another | `isolation` |
//!
//! Linux only: processes are read through `/proc`.

#![expect(
    clippy::disallowed_methods,
    reason = "a benchmark lives by the real clock and connects to the server under test"
)]

mod accept;
mod costs;
mod disk;
mod end_to_end;
mod fan;
mod http1;
mod isolation;
mod latency;
mod limit;
mod load;
mod memory;
mod options;
mod outside;
mod payload;
mod postgres;
mod receiver;
mod report;
mod samples;
mod server;
mod setup;
mod signed;

use clap::Parser as _;

use options::{Options, Part, Role};
use report::{Report, Row};
use setup::Setup;

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    if options.role == Some(Role::Receive) {
        return receiver::run();
    }
    let json = options.json;
    let report = measure(options)?;
    if json {
        println!("{}", report.json()?);
    } else {
        print!("{}", report.table());
    }
    Ok(())
}

/// One part, or two that are measured in turns.
type Measure = fn(&Setup) -> anyhow::Result<Vec<Row>>;

fn measure(options: Options) -> anyhow::Result<Report> {
    let parts: [(&[Part], Measure); 5] = [
        (&[Part::A, Part::C], end_to_end::measure),
        (&[Part::B], accept::measure),
        (&[Part::D], latency::measure),
        (&[Part::E], memory::measure),
        (&[Part::F], isolation::measure),
    ];
    options.nodes()?;
    let setup = Setup::new(options)?;
    let mut report = Report::new(setup.store());
    for (of, part) in parts {
        if of.iter().any(|part| setup.options.wants(*part)) {
            report.extend(part(&setup)?);
        }
    }
    Ok(report)
}
