//! A PostgreSQL server of a test's own, which it may stop and break.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

/// PostgreSQL must not run as root.
const USER: &str = "postgres";

/// A server with an empty database, in a temporary directory. Dropped, it is stopped.
#[derive(Debug)]
pub(crate) struct Postgres {
    dir: TempDir,
    bin: PathBuf,
    port: u16,
}

impl Postgres {
    pub(crate) fn start() -> Self {
        Self::start_with("")
    }

    /// With further lines of configuration.
    pub(crate) fn start_with(configuration: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o755)).unwrap();
        hand_over(dir.path());
        let server = Self { bin: binaries(), port: free_port(), dir };
        run(server
            .command("initdb")
            .args(["-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8", "-D"])
            .arg(server.data()));
        let settings = format!(
            "listen_addresses = '127.0.0.1'\nport = {}\nunix_socket_directories = '{}'\nmax_connections = 100\n{configuration}\n",
            server.port,
            server.dir.path().display(),
        );
        let file = server.data().join("postgresql.auto.conf");
        run(server.shell().arg(format!("cat > '{}' <<'END'\n{settings}END", file.display())));
        server.begin();
        server
    }

    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    /// How nodes reach it.
    pub(crate) fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    /// Starts it after a stop.
    pub(crate) fn begin(&self) {
        run(self.control("start").arg("-l").arg(self.dir.path().join("log")));
    }

    /// Stops it as a crash does: nobody is waited for, and the next start recovers.
    pub(crate) fn crash(&self) {
        run(self.control("stop").args(["-m", "immediate"]));
    }

    /// Crashes it and starts it again.
    pub(crate) fn crash_and_restart(&self) {
        self.crash();
        self.begin();
    }

    /// What a query answers, one row a line.
    pub(crate) fn query(&self, sql: &str) -> String {
        let mut command = Command::new(self.bin.join("psql"));
        let output = command
            .arg(self.url())
            .args(["-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", sql])
            .output()
            .unwrap();
        assert!(output.status.success(), "{sql}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Keeps a connection until it is dropped; nothing when there is none to be had.
    pub(crate) fn hold_connection(&self) -> Option<Held> {
        let mut command = Command::new(self.bin.join("psql"));
        command.arg(self.url()).args(["-X", "-A", "-t"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut held = Held(command.stderr(Stdio::null()).spawn().unwrap());
        writeln!(held.0.stdin.as_mut()?, "SELECT 'held';").ok()?;
        let mut line = String::new();
        let read = BufReader::new(held.0.stdout.as_mut()?).read_line(&mut line).ok()?;
        (read > 0).then_some(held)
    }

    fn control(&self, verb: &str) -> Command {
        let mut command = self.command("pg_ctl");
        command.arg(verb).arg("-w").arg("-D").arg(self.data());
        command
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    fn command(&self, program: &str) -> Command {
        user_command(&self.bin.join(program))
    }

    fn shell(&self) -> Command {
        let mut command = user_command(Path::new("/bin/sh"));
        command.arg("-c");
        command
    }
}

/// A connection that somebody else keeps.
#[derive(Debug)]
pub(crate) struct Held(Child);

impl Drop for Held {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let mut stop = self.control("stop");
        // It may be stopped already.
        let _ = stop.args(["-m", "immediate"]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    }
}

/// Makes a directory the server's user's.
pub(crate) fn hand_over(dir: &Path) {
    if is_root() {
        run(Command::new("chown").arg("-R").arg(USER).arg(dir));
    }
}

fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// A program run by the server's user.
pub(crate) fn user_command(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("runuser");
    command.args(["-u", USER, "--"]).arg(program);
    command
}

/// Debian keeps the server's programs out of the path.
fn binaries() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = versions.map(|version| version.path().join("bin")).collect();
    found.sort();
    found.reverse();
    let path = std::env::var_os("PATH").unwrap_or_default();
    found.extend(std::env::split_paths(&path));
    let has_all = |dir: &PathBuf| ["initdb", "pg_ctl", "psql"].iter().all(|name| dir.join(name).exists());
    found.into_iter().find(has_all).expect("PostgreSQL's programs are needed: ./test.sh installs them")
}

pub(crate) fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

#[track_caller]
fn run(command: &mut Command) {
    // Not through pipes: the server would keep them open.
    let status = command.current_dir("/").stdin(Stdio::null()).stdout(Stdio::null()).status().unwrap();
    assert!(status.success(), "{command:?}: {status}");
}
