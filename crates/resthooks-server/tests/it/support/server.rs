//! The tested binary, as a process that can be stopped, killed and started again on the same files.

use std::fmt::Debug;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use super::api::Api;
use super::patience::{eventually, within};

/// How a server is started, each time.
#[derive(Debug, Clone)]
pub(crate) struct Setup {
    dir: Arc<TempDir>,
    wrapper: Vec<String>,
    flags: Vec<String>,
    variables: Vec<(String, String)>,
    /// What goes with the last copy of this.
    kept: Option<Arc<dyn Debug + Send + Sync>>,
}

impl Setup {
    /// Development mode, any free port, this store, and a directory that goes with the last copy of this.
    pub(crate) fn on(store: &str) -> Self {
        let flags = ["--dev".to_owned(), "--listen=127.0.0.1:0".to_owned(), format!("--store={store}")];
        Self {
            dir: Arc::new(tempfile::tempdir().unwrap()),
            wrapper: Vec::new(),
            flags: flags.to_vec(),
            // Names that don't exist are told apart at once, whatever the machine asks about them.
            variables: vec![("RES_OPTIONS".to_owned(), "timeout:1 attempts:1".to_owned())],
            kept: None,
        }
    }

    /// With a further flag, `--name=value`.
    pub(crate) fn flag(mut self, flag: impl Into<String>) -> Self {
        self.flags.push(flag.into());
        self
    }

    /// With an environment variable.
    pub(crate) fn variable(mut self, name: &str, value: impl Into<String>) -> Self {
        self.variables.push((name.to_owned(), value.into()));
        self
    }

    /// With something that is dropped with the last copy of this.
    pub(crate) fn keeping(mut self, kept: Arc<dyn Debug + Send + Sync>) -> Self {
        self.kept = Some(kept);
        self
    }

    /// The flags by which another command finds the same store.
    pub(crate) fn store_flags(&self) -> Vec<&str> {
        let named = |flag: &&str| flag.starts_with("--store=") || flag.starts_with("--schema=");
        self.flags.iter().map(String::as_str).filter(named).collect()
    }

    /// Run by this command line, which gets the binary and its arguments as its own last arguments.
    pub(crate) fn wrapped(mut self, wrapper: &[&str]) -> Self {
        self.wrapper = wrapper.iter().map(ToString::to_string).collect();
        self
    }

    /// Where the server runs and keeps its store.
    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Starts it and waits until it listens.
    #[track_caller]
    pub(crate) fn start(&self) -> Server {
        let mut server = self.spawn();
        eventually(|| server.poll_address());
        server
    }

    /// Starts it and does not wait.
    pub(crate) fn spawn(&self) -> Server {
        let own = [env!("CARGO_BIN_EXE_resthooks"), "serve"].map(str::to_owned);
        let words: Vec<&String> = self.wrapper.iter().chain(&own).chain(&self.flags).collect();
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).current_dir(self.dir.path()).stdin(Stdio::null());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("RESTHOOKS_") {
                command.env_remove(name);
            }
        }
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let out = Collected::from(child.stdout.take().unwrap());
        let log = Collected::from(child.stderr.take().unwrap());
        Server { setup: self.clone(), child, out, log, address: None, ended: None }
    }
}

/// A running server. Dropped, it is killed; when its test fails, what it logged is printed.
#[derive(Debug)]
pub(crate) struct Server {
    setup: Setup,
    child: Child,
    out: Collected,
    log: Collected,
    address: Option<SocketAddr>,
    ended: Option<ExitStatus>,
}

impl Server {
    /// Where it listens; an error with the reason as long as it doesn't.
    pub(crate) fn poll_address(&mut self) -> Result<SocketAddr, String> {
        if let Some(address) = self.address {
            return Ok(address);
        }
        if let Some(status) = self.poll_exit() {
            return Err(format!("the server has ended: {status}\n{}", self.log.text()));
        }
        let out = self.out.text();
        let found = out.lines().find_map(|line| line.strip_prefix("listening on "));
        let address = found.and_then(|url| url.split_once("://")?.1.trim().parse().ok());
        self.address = address;
        address.ok_or_else(|| format!("the server does not listen yet; so far it said: {out}"))
    }

    #[track_caller]
    pub(crate) fn address(&self) -> SocketAddr {
        self.address.expect("the server listens")
    }

    /// A client on a connection of its own.
    #[track_caller]
    pub(crate) fn api(&self) -> Api {
        Api::new(self.address())
    }

    /// What it has logged so far.
    pub(crate) fn log(&self) -> String {
        self.log.text()
    }

    /// What it has printed so far.
    pub(crate) fn out(&self) -> String {
        self.out.text()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its memory: a line of `/proc/PID/status` such as `VmRSS`, in KiB.
    pub(crate) fn memory_kib(&self, line: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let found = status.lines().find_map(|l| l.strip_prefix(line)?.strip_prefix(':'));
        let number = found.and_then(|value| value.trim().trim_end_matches(" kB").parse().ok());
        number.unwrap_or_else(|| panic!("no {line} in {status}"))
    }

    /// SIGKILL, and the end of the process.
    pub(crate) fn kill(&mut self) {
        if self.ended.is_none() {
            // It may have ended by itself, which is as good.
            let _ = self.child.kill();
            self.ended = self.child.wait().ok();
        }
    }

    /// SIGTERM.
    pub(crate) fn terminate(&self) {
        self.signal(Signal::SIGTERM);
    }

    /// Any signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(i32::try_from(self.pid()).unwrap()), signal).unwrap();
    }

    pub(crate) fn poll_exit(&mut self) -> Option<ExitStatus> {
        if self.ended.is_none() {
            self.ended = self.child.try_wait().unwrap();
        }
        self.ended
    }

    /// Its exit code, once it has ended by itself.
    #[track_caller]
    pub(crate) fn exit_code(&mut self, limit: Duration) -> Option<i32> {
        let status = within(limit, || self.poll_exit().ok_or_else(|| "the server runs on".to_owned()));
        status.code()
    }

    /// Killed and started again on the same files.
    #[track_caller]
    pub(crate) fn killed_and_restarted(mut self) -> Self {
        self.kill();
        self.setup.start()
    }

    /// The store's file, or one beside it.
    pub(crate) fn store(&self, ending: &str) -> PathBuf {
        self.setup.dir().join(format!("hooks.db{ending}"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("--- the server's log ---\n{}---", self.log.last_lines(200));
        }
    }
}

/// What a process writes, gathered by a thread so that it never has to wait.
#[derive(Debug, Clone)]
struct Collected(Arc<Mutex<String>>);

impl Collected {
    fn from(stream: impl Read + Send + 'static) -> Self {
        let text = Arc::<Mutex<String>>::default();
        let gathered = Arc::clone(&text);
        std::thread::spawn(move || {
            let mut stream = BufReader::new(stream);
            let mut line = Vec::new();
            while stream.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
                gathered.lock().unwrap().push_str(&String::from_utf8_lossy(&line));
                line.clear();
            }
        });
        Self(text)
    }

    fn text(&self) -> String {
        self.0.lock().unwrap().clone()
    }

    fn last_lines(&self, count: usize) -> String {
        let text = self.text();
        let skipped = text.lines().count().saturating_sub(count);
        text.lines().skip(skipped).map(|line| format!("{line}\n")).collect()
    }
}
