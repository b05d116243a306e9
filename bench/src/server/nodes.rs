//! One node, or several on one database, as the parts of a run see them: counted together, load spread over all.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context as _;

use super::process::{KEY, Server};
use crate::outside::{family_written_bytes, written_bytes};
use crate::payload::Template;
use crate::postgres::{Database, Done};
use crate::setup::Setup;

/// Between two looks at something that is waited for.
const LOOK_EVERY: Duration = Duration::from_millis(2);
/// A change must be known to all nodes within.
const LONGEST_CHANGE: Duration = Duration::from_secs(10);
/// The store of a node without a database.
const FILE: &str = "bench.db";

/// Where requests go, and what they are.
#[derive(Debug, Clone)]
pub(crate) struct Aim {
    pub address: SocketAddr,
    pub template: Template,
}

/// Running nodes. They end, and their store with them, when dropped: the nodes first.
#[derive(Debug)]
pub(crate) struct Nodes<'a> {
    first: Server,
    others: Vec<Server>,
    database: Option<Database<'a>>,
    changes: u32,
}

impl<'a> Nodes<'a> {
    /// Starts so many on an empty store, one after another.
    pub(crate) fn start(setup: &'a Setup, count: u32) -> anyhow::Result<Self> {
        let database = setup.postgres.as_ref().map(|cluster| cluster.database()).transpose()?;
        let store = database.as_ref().map_or_else(|| format!("sqlite:{FILE}"), Database::url);
        let start = || Server::start(&setup.binary, &setup.options, &store);
        let first = start()?;
        let others = (1..count).map(|_| start()).collect::<anyhow::Result<_>>()?;
        database.as_ref().map_or(Ok(()), Database::settle)?;
        Ok(Self { first, others, database, changes: 0 })
    }

    /// Kills the first node and starts another on the same store; answers how long that took to be ready.
    pub(crate) fn start_again(&mut self, setup: &Setup) -> anyhow::Result<Duration> {
        let store = self.database.as_ref().context("a file goes with its node's folder")?.url();
        self.first.end();
        self.first = Server::start(&setup.binary, &setup.options, &store)?;
        Ok(self.first.started_in)
    }

    /// From the start of the first one's process to the first `/readyz` that says yes.
    pub(crate) fn started_in(&self) -> Duration {
        self.first.started_in
    }

    fn all(&self) -> impl Iterator<Item = &Server> {
        std::iter::once(&self.first).chain(&self.others)
    }

    fn all_mut(&mut self) -> impl Iterator<Item = &mut Server> {
        std::iter::once(&mut self.first).chain(&mut self.others)
    }

    /// Their processes.
    pub(crate) fn pids(&self) -> impl Iterator<Item = u32> {
        self.all().map(Server::pid)
    }

    /// The first one's process.
    pub(crate) fn pid(&self) -> u32 {
        self.first.pid()
    }

    /// Their database, unless the store is a file.
    pub(crate) fn database(&self) -> Option<&Database<'a>> {
        self.database.as_ref()
    }

    /// What their database has done; nothing without one.
    pub(crate) fn done(&self) -> anyhow::Result<Option<Done>> {
        self.database.as_ref().map(Database::done).transpose()
    }

    /// The first one's folder, on the disk of the store.
    pub(crate) fn folder(&self) -> &Path {
        self.first.folder()
    }

    /// The first one's log so far, for a failure's message.
    pub(crate) fn log(&self) -> PathBuf {
        self.first.log()
    }

    /// Bytes of the store's files.
    pub(crate) fn store_bytes(&self) -> anyhow::Result<u64> {
        if let Some(database) = &self.database {
            return database.bytes();
        }
        let mut sum = 0;
        for file in std::fs::read_dir(self.folder())? {
            let file = file?;
            let is_store = file.file_name().to_string_lossy().starts_with(FILE);
            sum += if is_store { file.metadata()?.len() } else { 0 };
        }
        Ok(sum)
    }

    /// Bytes that nodes and database have caused to be written to the disk.
    pub(crate) fn written_bytes(&self) -> anyhow::Result<u64> {
        let mut sum = match &self.database {
            Some(database) => family_written_bytes(database.pid()?)?,
            None => 0,
        };
        for pid in self.pids() {
            sum += written_bytes(pid)?;
        }
        Ok(sum)
    }

    /// Requests that emit one event each, to every node.
    pub(crate) fn single(&self, account: &str, event: &str) -> Vec<Aim> {
        self.aims(|authority| Template::single(authority, KEY, account, event))
    }

    /// Requests that emit many events each, to every node.
    pub(crate) fn batch(&self, account: &str, event: &str, events: usize) -> Vec<Aim> {
        self.aims(|authority| Template::batch(authority, KEY, account, event, events))
    }

    fn aims(&self, template: impl Fn(&str) -> Template) -> Vec<Aim> {
        let aim = |server: &Server| {
            let address = server.address;
            Aim { address, template: template(&address.to_string()) }
        };
        self.all().map(aim).collect()
    }

    /// Subscribes a target to an account's events of a type.
    pub(crate) fn subscribe(&mut self, account: &str, event: &str, target: &str) -> anyhow::Result<()> {
        self.first.control.subscribe(account, event, target)
    }

    /// Waits until every node knows what was changed through the first: changes are learnt in their order, and the last
    /// of them is an event type made for this.
    pub(crate) fn agree(&mut self) -> anyhow::Result<()> {
        self.changes += 1;
        let name = format!("bench.agreed.{}", self.changes);
        self.first.control.add_event_type(&name)?;
        let begun = Instant::now();
        for server in &mut self.others {
            while !server.control.has_event_type(&name)? {
                anyhow::ensure!(begun.elapsed() < LONGEST_CHANGE, "a node does not learn of a change");
                std::thread::sleep(LOOK_EVERY);
            }
        }
        Ok(())
    }

    /// A counter or gauge of `/metrics`, all of its labels and all nodes together.
    pub(crate) fn metric(&mut self, name: &str) -> anyhow::Result<u64> {
        let mut sum = 0;
        for server in self.all_mut() {
            sum += server.control.metric(name)?;
        }
        Ok(sum)
    }

    /// Waits until a counter has reached a figure; says when that was seen. Fails after `longest`.
    pub(crate) fn wait_for(
        &mut self,
        metric: &str,
        at_least: u64,
        longest: Duration,
    ) -> anyhow::Result<Instant> {
        let begun = Instant::now();
        loop {
            let value = self.metric(metric)?;
            let now = Instant::now();
            if value >= at_least {
                return Ok(now);
            }
            let waited = now - begun;
            anyhow::ensure!(
                waited < longest,
                "{metric} stands at {value} of {at_least} after {} s",
                waited.as_secs()
            );
            // Looked at seldom while much is missing: each look costs the server a little.
            let pause = if at_least - value > 3000 { 20 } else { 1 };
            std::thread::sleep(LOOK_EVERY * pause);
        }
    }
}
