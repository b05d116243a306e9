//! The program in the background, without the development mode that the other tests' server is in.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::place::Home;
use super::support::eventually;

/// The program in the background, with what it prints and logs in files.
pub(crate) struct Running {
    child: Child,
    files: tempfile::TempDir,
}

impl Running {
    /// A server on this home's store.
    pub(crate) fn serve(home: &Home, words: &[&str]) -> Self {
        let flags = home.flags();
        let words: Vec<&str> = ["serve"]
            .into_iter()
            .chain(flags.iter().map(String::as_str))
            .chain(words.iter().copied())
            .collect();
        Self::start(home.path(), &words)
    }

    pub(crate) fn start(dir: &Path, words: &[&str]) -> Self {
        let files = tempfile::tempdir().unwrap();
        let file = |name: &str| File::create(files.path().join(name)).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_resthooks"));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("RESTHOOKS_") {
                command.env_remove(name);
            }
        }
        command.args(words).current_dir(dir).stdin(Stdio::null()).stdout(file("out")).stderr(file("err"));
        Self { child: command.spawn().unwrap(), files }
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.files.path().join(name)).unwrap()
    }

    /// What it prints once it has printed this.
    pub(crate) fn printed(&self, wanted: &str) -> String {
        eventually(|| {
            let out = self.read("out");
            if out.contains(wanted) { Ok(out) } else { Err(format!("{out}{}", self.read("err"))) }
        })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        let out = self.printed("listening on http://");
        let address = out.lines().find_map(|line| line.strip_prefix("listening on http://")).unwrap();
        address.parse().unwrap()
    }

    fn signal(&self, signal: nix::sys::signal::Signal) {
        let pid = nix::unistd::Pid::from_raw(i32::try_from(self.child.id()).unwrap());
        nix::sys::signal::kill(pid, signal).unwrap();
    }

    pub(crate) fn exit_code(&mut self) -> i32 {
        let status = eventually(|| self.child.try_wait().unwrap().ok_or_else(|| "it runs on".to_owned()));
        status.code().unwrap()
    }

    /// The same once it listens.
    pub(crate) fn stop_when_started(mut self) {
        self.address();
        self.stop();
    }

    /// Ends it with SIGTERM, with success.
    pub(crate) fn stop(&mut self) {
        self.signal(nix::sys::signal::Signal::SIGTERM);
        assert_eq!(self.exit_code(), 0, "{}", self.read("err"));
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the test's side of the connection")]
pub(crate) fn connect(address: SocketAddr) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    Ok(stream)
}

/// The status that a key is answered with.
pub(crate) fn status_with(address: SocketAddr, key: &str) -> u16 {
    let mut stream = connect(address).unwrap();
    let request = format!(
        "GET /api/v1/api-key/ HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}
