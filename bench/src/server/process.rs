//! Starting one node, and ending it.

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

/// The development mode's key.
pub(super) const KEY: &str = "dev";
/// The server must be ready within.
const LONGEST_START: Duration = Duration::from_secs(20);
/// Between two looks at something that is waited for.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// A running node. Ends when dropped.
#[derive(Debug)]
pub(super) struct Server {
    child: Child,
    // Kept open: a server that prints a line later must not be ended by it.
    _stdout: BufReader<ChildStdout>,
    folder: TempDir,
    pub(super) control: Control,
    /// Where it listens.
    pub(super) address: SocketAddr,
    /// From the start of the process to the first `/readyz` that says yes.
    pub(super) started_in: Duration,
}

impl Server {
    /// Starts the binary on a store (relative to its own folder, if it is a file) and waits until it is ready.
    pub(super) fn start(binary: &Binary, options: &Options, store: &str) -> anyhow::Result<Self> {
        let folder = options.folder("resthooks-bench-")?;
        let log = File::create(folder.path().join("server.log"))?;
        let mut command = Command::new(binary.path());
        command.args(["serve", "--dev", "--listen", "127.0.0.1:0", "--store", store]);
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

    /// Kills it. It may have ended by itself already.
    pub(super) fn end(&mut self) {
        let _killed = self.child.kill();
        let _ended = self.child.wait();
    }

    /// Its process.
    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its own folder, with the store in it when that is a file.
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Its log so far, for a failure's message.
    pub(super) fn log(&self) -> PathBuf {
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
        self.end();
    }
}
