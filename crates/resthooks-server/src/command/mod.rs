//! The command line: one file per command. A command reads its words, does its work through what stands in the other
//! modules, and prints; it decides nothing about hooks.

mod completions;
mod config;
mod demo;
mod key;
mod listen;
mod migrate;
mod nodes;
mod rotate;
mod serve;
mod transfer;
mod watch;

use std::ffi::OsString;
use std::io::Write as _;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::failure::Failure;

/// REST Hooks for any HTTP API: webhook subscriptions through the API itself, with signed, retried, never-lost
/// delivery
#[derive(Debug, Parser)]
#[command(name = "resthooks", version, propagate_version = false, arg_required_else_help = true)]
#[command(after_help = "Exit codes: 0 done, 1 failed while running, 2 bad usage or configuration.")]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server
    #[command(after_help = SETTINGS_HELP)]
    Serve(serve::Serve),
    /// Print the settings as they result from flags, environment and file
    #[command(after_help = SETTINGS_HELP)]
    Config(config::Config),
    /// Show the whole thing at work: a server, three targets, signed and retried deliveries
    Demo(demo::Demo),
    /// Make, list and revoke API keys
    #[command(subcommand)]
    Key(key::Key),
    /// Show the nodes that work on a store
    Nodes(nodes::Nodes),
    /// Bring a PostgreSQL store's tables to this version, apart from any server
    Migrate(migrate::Migrate),
    /// Let a table of a PostgreSQL database emit an event for each row that changes
    Watch(watch::Watch),
    /// Let a watched table emit no more events
    Unwatch(watch::Unwatch),
    /// Show the tables that are watched
    Watched(watch::Watched),
    /// Seal the secrets of a store with another key
    RotateSecretKey(rotate::Rotate),
    /// Write everything that a store holds into a file
    Export(transfer::Export),
    /// Add what an export holds to a store
    Import(transfer::Import),
    /// Receive hooks on this machine, verify their signatures and print them
    Listen(listen::Listen),
    /// Print completions for a shell
    Completions(completions::Completions),
}

const SETTINGS_HELP: &str = "\
Every setting is a flag, an environment variable and a key of the TOML file given by --config (max_in_flight for \
--max-in-flight), in this order of precedence. Durations have a unit: 250ms, 5s, 10m, 2h, 30d. `resthooks config` \
prints what results.";

/// Does what a command line says, the program's name in front. Answers the exit code: 0 done, 1 failed while running,
/// 2 bad usage or configuration. Errors are printed to stderr.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let line = match CommandLine::try_parse_from(arguments) {
        Ok(line) => line,
        Err(error) => {
            // Nothing can be done about a stderr that is closed.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let result = match line.command {
        Command::Serve(command) => command.run(),
        Command::Config(command) => command.run(),
        Command::Demo(command) => command.run(),
        Command::Key(command) => command.run(),
        Command::Nodes(command) => command.run(),
        Command::Migrate(command) => command.run(),
        Command::Listen(command) => command.run(),
        Command::RotateSecretKey(command) => command.run(),
        Command::Export(command) => command.run(),
        Command::Import(command) => command.run(),
        Command::Watch(command) => command.run(),
        Command::Unwatch(command) => command.run(),
        Command::Watched(command) => command.run(),
        Command::Completions(command) => command.run(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => report(&failure),
    }
}

fn report(failure: &Failure) -> ExitCode {
    // Not eprintln, which panics when stderr is closed.
    let _ = writeln!(std::io::stderr(), "error: {failure}");
    failure.exit_code()
}

/// Does what a command waits for.
fn wait_for<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let result = runtime.block_on(work);
    // A lookup of a name can't be called off, and its name server may never answer: the end doesn't wait for it.
    runtime.shutdown_background();
    result
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_sound() {
        super::CommandLine::command().debug_assert();
    }
}
