//! Where the server's binary is; built by cargo when it is not beside the bench.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};

/// The binary's file name.
const NAME: &str = "resthooks";

/// The binary to be measured.
#[derive(Debug, Clone)]
pub(crate) struct Binary(PathBuf);

impl Binary {
    /// The one that was named, else the one that cargo builds beside this executable from the sources at hand.
    pub(crate) fn find(named: Option<&Path>) -> anyhow::Result<Self> {
        if let Some(path) = named {
            ensure!(path.is_file(), "--server: {} is not a file", path.display());
            return Ok(Self(path.to_owned()));
        }
        let own = std::env::current_exe()?;
        let beside = own.with_file_name(NAME);
        // Always asked, so that what is measured is what the sources say; it takes a moment when nothing has changed.
        build(&own)?;
        ensure!(beside.is_file(), "cargo built no {}", beside.display());
        Ok(Self(beside))
    }

    /// Its file.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Its size.
    pub(crate) fn bytes(&self) -> anyhow::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    /// Its size without what only debuggers read; nothing where there is no `strip`.
    pub(crate) fn stripped_bytes(&self) -> anyhow::Result<Option<u64>> {
        let folder = tempfile::tempdir()?;
        let stripped = folder.path().join(NAME);
        let mut command = Command::new("strip");
        command.arg("-o").arg(&stripped).arg(&self.0).stdin(Stdio::null()).stderr(Stdio::null());
        match command.status() {
            Ok(status) if status.success() => Ok(Some(stripped.metadata()?.len())),
            _ => Ok(None),
        }
    }
}

fn build(own: &Path) -> anyhow::Result<()> {
    let profile = own.parent().context("an executable has a folder")?;
    let target = profile.parent().context("the profile's folder is inside the target folder")?;
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("Cargo.toml");
    if !manifest.is_file() {
        return Ok(());
    }
    eprintln!("building the server …");
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(["build", "--quiet", "--package", "resthooks-server", "--bin", NAME]);
    command.arg("--manifest-path").arg(manifest).arg("--target-dir").arg(target);
    if profile.ends_with("release") {
        command.arg("--release");
    }
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).status().context("running cargo")?;
    ensure!(status.success(), "the server could not be built");
    Ok(())
}
