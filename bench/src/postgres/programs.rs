//! PostgreSQL's programs, and the user who may run them.

use std::fs::File;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};

/// Who runs it when the bench runs as root, which PostgreSQL refuses to be.
const USER: &str = "postgres";

/// Where the programs are, and who runs them.
#[derive(Debug, Clone)]
pub(crate) struct Programs {
    folder: PathBuf,
    owner: Option<Owner>,
}

/// Another user than the bench's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Owner {
    uid: u32,
    gid: u32,
}

impl Programs {
    /// The newest that are installed: Debian keeps them out of `PATH`.
    pub(crate) fn find() -> anyhow::Result<Self> {
        let folder =
            folder().context("there is no PostgreSQL server here: install the package postgresql")?;
        let is_root = std::fs::metadata("/proc/self")?.uid() == 0;
        let owner = match is_root {
            true => Some(Owner::find(USER)?),
            false => None,
        };
        Ok(Self { folder, owner })
    }

    /// One of them, with neither input nor a folder that it may not enter.
    pub(crate) fn command(&self, name: &str, folder: &Path) -> Command {
        let mut command = Command::new(self.folder.join(name));
        command.stdin(Stdio::null()).current_dir(folder);
        if let Some(owner) = self.owner {
            command.uid(owner.uid).gid(owner.gid);
        }
        command
    }

    /// Runs one to its end, with what it says in a file.
    pub(crate) fn run(&self, command: &mut Command, log: &Path) -> anyhow::Result<()> {
        let file = File::create(log)?;
        let status = command.stdout(file.try_clone()?).stderr(file).status()?;
        let said = || std::fs::read_to_string(log).unwrap_or_default();
        ensure!(status.success(), "{} failed: {}", command.get_program().display(), said().trim());
        Ok(())
    }

    /// Makes a file or folder belong to whoever runs the programs.
    pub(crate) fn give(&self, path: &Path) -> anyhow::Result<()> {
        if let Some(owner) = self.owner {
            chown(path, Some(owner.uid), Some(owner.gid))?;
        }
        Ok(())
    }
}

fn folder() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let version = |path: &Path| path.file_name()?.to_str()?.parse::<u32>().ok();
    let debian = versions
        .filter_map(|entry| Some((version(&entry.path())?, entry.path().join("bin"))))
        .filter(|(_, bin)| bin.join("initdb").is_file())
        .max();
    if let Some((_, bin)) = debian {
        return Some(bin);
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).find(|bin| bin.join("initdb").is_file())
}

impl Owner {
    fn find(name: &str) -> anyhow::Result<Self> {
        let users = std::fs::read_to_string("/etc/passwd")?;
        named(&users, name)
            .with_context(|| format!("PostgreSQL must not run as root, and there is no user {name}"))
    }
}

/// The user of that name in the lines of `/etc/passwd`.
fn named(users: &str, name: &str) -> Option<Owner> {
    let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
    let mut words = line.split(':').skip(2);
    Some(Owner { uid: words.next()?.parse().ok()?, gid: words.next()?.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_found_by_name() {
        let users = "root:x:0:0:root:/root:/bin/sh\npostgres:x:107:110::/var/lib/postgresql:/bin/sh\n";
        assert_eq!(named(users, "postgres"), Some(Owner { uid: 107, gid: 110 }));
        assert_eq!(named(users, "post"), None);
        assert_eq!(named("postgres:x:no:1:", "postgres"), None);
    }
}
