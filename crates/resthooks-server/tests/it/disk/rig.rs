//! A server whose disk can be broken and mended.

use std::path::PathBuf;
use std::process::Command;

use rlimit::{INFINITY, Resource, prlimit};

use crate::support::{Server, Setup};

/// A way in which a disk can refuse its service, and be mended.
#[derive(Debug, Clone, Copy)]
pub(super) enum Fault {
    FileSize,
    FullDisk,
    FailingSync,
}

/// A server whose disk can be broken.
pub(super) struct Rig {
    pub(super) setup: Setup,
    fault: Fault,
}

impl Rig {
    pub(super) fn new(fault: Fault) -> Self {
        let setup =
            Setup::new().flag("--retry-schedule=100ms,200ms,500ms,1s,1s,1s,1s,1s,1s,1s,1s,1s,1s,1s,1s,1s");
        let setup = match fault {
            // A file that would grow too large is an error for the server, not the end of its process.
            Fault::FileSize => setup.wrapped(&["sh", "-c", "trap '' XFSZ; exec \"$@\"", "sh"]),
            Fault::FullDisk | Fault::FailingSync => {
                let library = compile(&setup);
                let flag = |name| setup.dir().join(name).display().to_string();
                let (sync, write) = (flag("fail-sync"), flag("fail-write"));
                setup
                    .variable("LD_PRELOAD", library)
                    .variable("FAIL_SYNC", sync)
                    .variable("FAIL_WRITE", write)
            }
        };
        Self { setup, fault }
    }

    pub(super) fn flag(&self) -> PathBuf {
        let name = if matches!(self.fault, Fault::FullDisk) { "fail-write" } else { "fail-sync" };
        self.setup.dir().join(name)
    }

    pub(super) fn break_disk(&self, server: &Server) {
        match self.fault {
            Fault::FileSize => {
                let sizes =
                    ["", "-wal"].map(|ending| server.store(ending).metadata().map_or(0, |file| file.len()));
                // Room for a page and a part of the next one: that write is cut short.
                let room = sizes.into_iter().max().unwrap() + 6_000;
                limit(server, room);
            }
            Fault::FullDisk | Fault::FailingSync => std::fs::write(self.flag(), "").unwrap(),
        }
    }

    pub(super) fn mend_disk(&self, server: &Server) {
        match self.fault {
            Fault::FileSize => limit(server, INFINITY),
            Fault::FullDisk | Fault::FailingSync => std::fs::remove_file(self.flag()).unwrap(),
        }
    }
}

impl Rig {
    /// A limit ends with its process; a flag does not.
    pub(super) fn mend_after_kill(&self) {
        if !matches!(self.fault, Fault::FileSize) {
            std::fs::remove_file(self.flag()).unwrap();
        }
    }
}

fn limit(server: &Server, bytes: u64) {
    let pid = i32::try_from(server.pid()).unwrap();
    prlimit(pid, Resource::FSIZE, Some((bytes, INFINITY)), None).unwrap();
}

fn compile(setup: &Setup) -> String {
    let source = setup.dir().join("failing_disk.c");
    let library = setup.dir().join("failing_disk.so").display().to_string();
    std::fs::write(&source, include_str!("failing_disk.c")).unwrap();
    let compiled = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-o", &library])
        .arg(&source)
        .arg("-ldl")
        .output()
        .expect("a C compiler, which building SQLite needs too");
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
    library
}
