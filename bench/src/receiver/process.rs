//! The handle on the receiver's process.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::Context as _;

use crate::samples::Samples;

/// A running receiver. Ends when dropped.
#[derive(Debug)]
pub(crate) struct Receiver {
    child: Child,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
    /// The port that answers.
    pub port: u16,
    /// The port that never does.
    pub hanging_port: u16,
}

/// What has arrived since the last reset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Arrived {
    /// Requests, whole.
    pub requests: u64,
    /// Their bytes, heads with them.
    pub bytes: u64,
    /// Connections that were opened.
    pub connections: u64,
}

impl Receiver {
    /// Starts this executable again as a receiver.
    pub(crate) fn start() -> anyhow::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("receive").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().context("starting the receiver")?;
        let commands = child.stdin.take().context("no pipe to the receiver")?;
        let mut answers = BufReader::new(child.stdout.take().context("no pipe from the receiver")?);
        let mut line = String::new();
        answers.read_line(&mut line)?;
        let ports = line.trim().split_once(' ').context("the receiver did not start")?;
        Ok(Self { child, commands, answers, port: ports.0.parse()?, hanging_port: ports.1.parse()? })
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// A target that answers.
    pub(crate) fn url(&self, name: &str) -> String {
        format!("http://127.0.0.1:{}/hooks/{name}", self.port)
    }

    /// A target that never answers.
    pub(crate) fn hanging_url(&self) -> String {
        format!("http://127.0.0.1:{}/hooks/hung", self.hanging_port)
    }

    /// Counts from zero.
    pub(crate) fn reset(&mut self) -> anyhow::Result<()> {
        self.ask("reset").map(drop)
    }

    /// Counts from zero, and notes how long each event took from its sending.
    pub(crate) fn reset_timed(&mut self) -> anyhow::Result<()> {
        self.ask("time").map(drop)
    }

    /// What has arrived.
    pub(crate) fn arrived(&mut self) -> anyhow::Result<Arrived> {
        let answer = self.ask("count")?;
        let mut words = answer.split(' ');
        let mut next =
            || words.next().context("the receiver answered nonsense")?.parse::<u64>().context("no number");
        Ok(Arrived { requests: next()?, bytes: next()?, connections: next()? })
    }

    /// Milliseconds from the sending of each event to its arrival.
    pub(crate) fn latencies_ms(&mut self) -> anyhow::Result<Samples> {
        let answer = self.ask("latencies")?;
        let figure = |word: &str| Ok(word.parse::<f64>()? / 1000.0);
        answer.split_whitespace().map(figure).collect::<anyhow::Result<Samples>>()
    }

    fn ask(&mut self, command: &str) -> anyhow::Result<String> {
        writeln!(self.commands, "{command}")?;
        self.commands.flush()?;
        let mut line = String::new();
        self.answers.read_line(&mut line).context("the receiver is gone")?;
        anyhow::ensure!(line.ends_with('\n'), "the receiver is gone");
        Ok(line.trim().to_owned())
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        // It may have ended by itself already.
        let _killed = self.child.kill();
        let _ended = self.child.wait();
    }
}
