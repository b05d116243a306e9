//! `resthooks config`: the settings that a start would run with.

use clap::Args;

use crate::failure::Failure;
use crate::settings::{Given, Resolved};
use crate::terminal;

/// The command's words.
#[derive(Debug, Args)]
pub(super) struct Config {
    #[command(flatten)]
    given: Given,
}

impl Config {
    pub(super) fn run(self) -> Result<(), Failure> {
        let resolved = Resolved::load(&self.given)?;
        terminal::line(resolved.to_toml().trim_end());
        Ok(())
    }
}
