//! The command's words.

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};
use tempfile::TempDir;

/// Events that wait for dead targets, when nothing is said.
const BACKLOG: u64 = 100_000;
/// The same with `--full`.
const FULL_BACKLOG: u64 = 1_000_000;

/// Measures `resthooks serve` on loopback: several rounds in one run, medians and spread.
#[derive(Debug, Clone, Parser)]
#[command(name = "bench")]
pub(crate) struct Options {
    /// Rounds of (a), (b) and (c); they are interleaved, so that a machine that drifts does so for all.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub rounds: u32,
    /// Deliveries per round of (c).
    #[arg(long, default_value_t = 60_000, value_parser = clap::value_parser!(u64).range(100..=10_000_000))]
    pub events: u64,
    /// Subscriptions per event in (c): one run for each number.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 2, 10],
          value_parser = clap::value_parser!(u64).range(1..=1000))]
    pub subscriptions: Vec<u64>,
    /// Connections of the load generator in (c).
    #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..=2000))]
    pub connections: u32,
    /// Parts to run.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Part::A, Part::B, Part::C, Part::D, Part::E, Part::F])]
    pub only: Vec<Part>,
    /// Events that wait for dead targets in (e) [default: 100000, with --full 1000000].
    #[arg(long)]
    backlog: Option<u64>,
    /// Take the time for the large backlog.
    #[arg(long)]
    full: bool,
    /// The store of the server; for PostgreSQL a server of the bench's own is started.
    #[arg(long, value_enum, default_value_t = Store::Sqlite)]
    pub store: Store,
    /// Nodes on one database in (b) and (c): one run for each number [default: 1,3 with PostgreSQL].
    #[arg(long, value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..=16))]
    nodes: Vec<u32>,
    /// A further line of PostgreSQL's configuration; may be repeated.
    #[arg(long = "postgres-conf", value_name = "LINE")]
    pub postgres_conf: Vec<String>,
    /// Show on stderr, after (c), which statements PostgreSQL spent its time on; counting them costs some of it.
    #[arg(long)]
    pub profile: bool,
    /// Where the stores' temporary folders are made; on the disk to be measured [default: the system's].
    #[arg(long, value_name = "FOLDER")]
    pub dir: Option<PathBuf>,
    /// The server's binary [default: beside this one, built by cargo if it is not there].
    #[arg(long, value_name = "FILE")]
    pub server: Option<PathBuf>,
    /// A further argument for `resthooks serve`; may be repeated.
    #[arg(long = "serve-arg", value_name = "ARG", allow_hyphen_values = true)]
    pub serve_args: Vec<String>,
    /// Print JSON instead of the table.
    #[arg(long)]
    pub json: bool,
    #[command(subcommand)]
    pub role: Option<Role>,
}

/// What this process is, when it is not the one that measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Subcommand)]
pub(crate) enum Role {
    /// The process that answers hooks; started by the bench itself.
    #[command(hide = true)]
    Receive,
}

/// A part of the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// The limit: signed POSTs by a bare client, no store.
    A,
    /// Accepted events per second.
    B,
    /// End to end; runs (a) beside it.
    C,
    /// Latency at 50 events a second.
    D,
    /// Memory, bytes written, start and size.
    E,
    /// One target that hangs.
    F,
}

/// The stores that can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Store {
    /// The embedded one.
    Sqlite,
    /// The one that nodes share.
    Postgres,
}

impl Options {
    /// Whether a part is to run.
    pub(crate) fn wants(&self, part: Part) -> bool {
        self.only.contains(&part)
    }

    /// What the numbers of nodes are; a file has one.
    pub(crate) fn nodes(&self) -> anyhow::Result<Vec<u32>> {
        let is_shared = self.store == Store::Postgres;
        anyhow::ensure!(
            is_shared || self.nodes.iter().all(|nodes| *nodes == 1),
            "--nodes: SQLite has one node"
        );
        Ok(match (self.nodes.is_empty(), is_shared) {
            (false, _) => self.nodes.clone(),
            (true, true) => vec![1, 3],
            (true, false) => vec![1],
        })
    }

    /// A temporary folder on the disk that is measured.
    pub(crate) fn folder(&self, prefix: &str) -> anyhow::Result<TempDir> {
        let mut builder = tempfile::Builder::new();
        builder.prefix(prefix);
        Ok(match &self.dir {
            Some(dir) => builder.tempdir_in(std::path::absolute(dir)?),
            None => builder.tempdir(),
        }?)
    }

    /// Events that wait for dead targets in (e).
    pub(crate) fn backlog(&self) -> u64 {
        self.backlog.unwrap_or(if self.full { FULL_BACKLOG } else { BACKLOG })
    }
}
