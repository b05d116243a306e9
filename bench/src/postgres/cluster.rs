//! The running server, on the loopback address alone, and its end.

use std::fmt::Write as _;
use std::fs::{File, Permissions};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use ring::rand::{SecureRandom as _, SystemRandom};
use tempfile::TempDir;

use super::database::Database;
use super::programs::Programs;
use super::session::Session;
use crate::options::Options;

/// The module that counts statements; it comes with the server's package on most systems, and is not needed.
pub(crate) const COUNTING: &str = "pg_stat_statements";
/// The server must answer within.
const LONGEST_START: Duration = Duration::from_secs(30);
/// Between two looks at whether it does.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// A port that is free now may be another's a moment later.
const TRIES: usize = 5;

/// A PostgreSQL server. Stopped, and its folder removed, when dropped.
#[derive(Debug)]
pub(crate) struct Cluster {
    process: Process,
    password: String,
    port: u16,
    databases: AtomicU32,
    /// Whether it counts statements.
    pub counts_statements: bool,
    /// Its name and version.
    pub version: String,
}

impl Cluster {
    /// Makes a cluster and starts it.
    pub(crate) fn start(options: &Options) -> anyhow::Result<Self> {
        eprintln!("starting PostgreSQL …");
        let programs = Programs::find()?;
        let folder = options.folder("resthooks-bench-postgres-")?;
        // Whoever runs the programs must be able to come through; the data's own folder is closed to others.
        std::fs::set_permissions(folder.path(), Permissions::from_mode(0o755))?;
        programs.give(folder.path())?;
        let password = password()?;
        make(&programs, folder.path(), &password)?;
        let mut process = Process { programs, folder, child: None };
        let mut counts_statements = true;
        for _ in 0..TRIES {
            let port = free_port()?;
            process.configure(port, counts_statements, options)?;
            process.begin()?;
            match process.answers(&url(&password, port, "postgres")) {
                Ok(version) => {
                    let databases = AtomicU32::new(0);
                    let cluster = Self { process, password, port, databases, counts_statements, version };
                    cluster.prepare()?;
                    return Ok(cluster);
                }
                Err(error) => match process.said_at_its_end() {
                    Some(said) if counts_statements && said.contains(COUNTING) => counts_statements = false,
                    Some(said) if said.contains("Address already in use") => {}
                    said => return Err(error.context(format!("PostgreSQL did not start: {said:?}"))),
                },
            }
        }
        bail!("PostgreSQL found no free port");
    }

    fn prepare(&self) -> anyhow::Result<()> {
        if self.counts_statements {
            self.session()?.run(&format!("CREATE EXTENSION {COUNTING}"))?;
        }
        Ok(())
    }

    /// An empty database.
    pub(crate) fn database(&self) -> anyhow::Result<Database<'_>> {
        let number = self.databases.fetch_add(1, Ordering::Relaxed);
        Database::make(self, format!("bench_{number}"))
    }

    /// A connection to the database that belongs to no store.
    pub(crate) fn session(&self) -> anyhow::Result<Session> {
        Session::open(&self.url("postgres"))
    }

    /// How to reach a database of it.
    pub(crate) fn url(&self, database: &str) -> String {
        url(&self.password, self.port, database)
    }

    /// Its first process, the parent of all others.
    pub(crate) fn pid(&self) -> anyhow::Result<u32> {
        Ok(self.process.child.as_ref().context("PostgreSQL is not running")?.id())
    }
}

/// The server's first process, and the folder with everything of it.
#[derive(Debug)]
struct Process {
    programs: Programs,
    folder: TempDir,
    child: Option<Child>,
}

impl Process {
    fn data(&self) -> PathBuf {
        data(self.folder.path())
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("server.log")
    }

    fn configure(&self, port: u16, counting: bool, options: &Options) -> anyhow::Result<()> {
        let mut text = format!(
            "listen_addresses = '127.0.0.1'\nport = {port}\nunix_socket_directories = ''\nshared_buffers = 256MB\n"
        );
        if counting {
            let track = if options.profile { "all" } else { "top" };
            writeln!(text, "shared_preload_libraries = '{COUNTING}'\n{COUNTING}.track = {track}")?;
        }
        // The last of several lines for the same setting holds.
        for line in &options.postgres_conf {
            writeln!(text, "{line}")?;
        }
        // Keeps its owner, who is the only one to read it.
        std::fs::write(self.data().join("postgresql.auto.conf"), text)?;
        Ok(())
    }

    /// Starts it as a child of the bench itself, so that what ends the bench's group of processes ends it too.
    fn begin(&mut self) -> anyhow::Result<()> {
        let file = File::create(self.log())?;
        let mut command = self.programs.command("postgres", self.folder.path());
        command.arg("-D").arg(self.data()).stdout(file.try_clone()?).stderr(file);
        self.child = Some(command.spawn().context("starting PostgreSQL")?);
        Ok(())
    }

    /// Waits until it answers; its version.
    fn answers(&mut self, url: &str) -> anyhow::Result<String> {
        let begun = Instant::now();
        loop {
            // Asked first: another server on the same port would have answered in its place.
            anyhow::ensure!(!self.has_ended()?, "it ended");
            match Session::open(url)
                .and_then(|session| Ok(session.row("SHOW server_version", &[])?.try_get(0)?))
            {
                Ok(version) => return Ok(format!("PostgreSQL {}", first_word(version))),
                Err(error) if begun.elapsed() > LONGEST_START => return Err(error),
                Err(_) => std::thread::sleep(LOOK_EVERY),
            }
        }
    }

    fn has_ended(&mut self) -> anyhow::Result<bool> {
        Ok(match &mut self.child {
            Some(child) => child.try_wait()?.is_some(),
            None => true,
        })
    }

    /// What it said, if it has ended by itself.
    fn said_at_its_end(&mut self) -> Option<String> {
        let has_ended = self.has_ended().ok()?;
        has_ended.then(|| std::fs::read_to_string(self.log()).unwrap_or_default())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let Some(child) = &mut self.child else { return };
        let mut stop = self.programs.command("pg_ctl", self.folder.path());
        stop.args(["stop", "--silent", "--mode=immediate", "--pgdata"]).arg(data(self.folder.path()));
        // Its children end with it whichever way; killed, it leaves shared memory behind.
        if self.programs.run(&mut stop, &self.folder.path().join("stop.log")).is_err() {
            drop(child.kill());
        }
        drop(child.wait());
    }
}

fn url(password: &str, port: u16, database: &str) -> String {
    format!("postgres://postgres:{password}@127.0.0.1:{port}/{database}")
}

fn data(folder: &Path) -> PathBuf {
    folder.join("data")
}

/// Other users of the machine must not get in while the bench runs.
fn password() -> anyhow::Result<String> {
    let mut bytes = [0; 16];
    SystemRandom::new().fill(&mut bytes).map_err(|_| anyhow::anyhow!("no randomness"))?;
    let mut text = String::new();
    bytes.iter().try_for_each(|byte| write!(text, "{byte:02x}"))?;
    Ok(text)
}

fn make(programs: &Programs, folder: &Path, password: &str) -> anyhow::Result<()> {
    let file = folder.join("password");
    File::create(&file)?.set_permissions(Permissions::from_mode(0o600))?;
    std::fs::write(&file, password)?;
    programs.give(&file)?;
    let mut command = programs.command("initdb", folder);
    command.args(["--username=postgres", "--auth=password", "--encoding=UTF8", "--no-locale"]);
    command.arg("--pwfile").arg(&file).arg("--pgdata").arg(data(folder));
    programs.run(&mut command, &folder.join("initdb.log"))
}

fn first_word(text: String) -> String {
    text.split_whitespace().next().unwrap_or_default().to_owned()
}

fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}
