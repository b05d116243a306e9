//! Starting the server, watching it from outside, and ending it.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tempfile::TempDir;

use super::binary::Binary;
use super::control::Control;
use crate::options::Options;
use crate::payload::Template;

/// The development mode's key.
const KEY: &str = "dev";
/// The server must be ready within.
const LONGEST_START: Duration = Duration::from_secs(20);
/// Between two looks at something that is waited for.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// A running server. Ends, and its store with it, when dropped.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    // Kept open: a server that prints a line later must not be ended by it.
    _stdout: BufReader<ChildStdout>,
    folder: TempDir,
    control: Control,
    /// Where it listens.
    pub address: SocketAddr,
    /// From the start of the process to the first `/readyz` that says yes.
    pub started_in: Duration,
}

impl Server {
    /// Starts the binary on an empty store and waits until it is ready.
    pub(crate) fn start(binary: &Binary, options: &Options) -> anyhow::Result<Self> {
        let mut builder = tempfile::Builder::new();
        builder.prefix("resthooks-bench-");
        let folder = match &options.dir {
            Some(dir) => builder.tempdir_in(dir),
            None => builder.tempdir(),
        }?;
        let log = File::create(folder.path().join("server.log"))?;
        let mut command = Command::new(binary.path());
        command.args(["serve", "--dev", "--listen", "127.0.0.1:0", "--store", "sqlite:bench.db"]);
        command.args(&options.serve_args).current_dir(folder.path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
        let begun = Instant::now();
        let mut child = command.spawn().with_context(|| format!("starting {}", binary.path().display()))?;
        match ready(&mut child, begun) {
            Ok((stdout, address, control)) => {
                let started_in = begun.elapsed();
                Ok(Self { child, _stdout: stdout, folder, control, address, started_in })
            }
            Err(error) => {
                let _killed = child.kill();
                let _ended = child.wait();
                let log = std::fs::read_to_string(folder.path().join("server.log")).unwrap_or_default();
                Err(error.context(format!("the server did not start: {}", log.trim())))
            }
        }
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The folder of its store.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Bytes of the store's files.
    pub(crate) fn store_bytes(&self) -> anyhow::Result<u64> {
        let mut sum = 0;
        for file in std::fs::read_dir(self.folder())? {
            let file = file?;
            let is_store = file.file_name().to_string_lossy().starts_with("bench.db");
            sum += if is_store { file.metadata()?.len() } else { 0 };
        }
        Ok(sum)
    }

    /// A request that emits one event.
    pub(crate) fn single(&self, account: &str, event: &str) -> Template {
        Template::single(&self.address.to_string(), KEY, account, event)
    }

    /// A request that emits many events.
    pub(crate) fn batch(&self, account: &str, event: &str, events: usize) -> Template {
        Template::batch(&self.address.to_string(), KEY, account, event, events)
    }

    /// Subscribes a target to an account's events of a type.
    pub(crate) fn subscribe(&mut self, account: &str, event: &str, target: &str) -> anyhow::Result<()> {
        self.control.subscribe(account, event, target)
    }

    /// A counter or gauge of `/metrics`, all of its labels together.
    pub(crate) fn metric(&mut self, name: &str) -> anyhow::Result<u64> {
        self.control.metric(name)
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

    /// Its log so far, for a failure's message.
    pub(crate) fn log(&self) -> PathBuf {
        self.folder().join("server.log")
    }
}

fn ready(child: &mut Child, begun: Instant) -> anyhow::Result<(BufReader<ChildStdout>, SocketAddr, Control)> {
    let mut stdout = BufReader::new(child.stdout.take().context("no pipe from the server")?);
    let mut line = String::new();
    let address: SocketAddr = loop {
        line.clear();
        anyhow::ensure!(stdout.read_line(&mut line)? > 0, "it ended");
        if let Some(address) = line.trim().strip_prefix("listening on http://") {
            break address.parse()?;
        }
    };
    let mut control = Control::new(address, KEY);
    loop {
        if control.is_ready() {
            return Ok((stdout, address, control));
        }
        anyhow::ensure!(begun.elapsed() < LONGEST_START, "not ready after {} s", LONGEST_START.as_secs());
        std::thread::sleep(LOOK_EVERY);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself already.
        let _killed = self.child.kill();
        let _ended = self.child.wait();
    }
}
