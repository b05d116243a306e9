//! `resthooks completions SHELL`: a script that completes this program's words.

use clap::{Args, CommandFactory as _};

use crate::failure::Failure;
use crate::terminal;

/// The command's words.
#[derive(Debug, Args)]
pub(super) struct Completions {
    /// The shell to complete in
    shell: clap_complete::Shell,
}

impl Completions {
    pub(super) fn run(self) -> Result<(), Failure> {
        let mut script = Vec::new();
        let mut command = super::CommandLine::command();
        clap_complete::generate(self.shell, &mut command, "resthooks", &mut script);
        terminal::line(String::from_utf8_lossy(&script).trim_end());
        Ok(())
    }
}
