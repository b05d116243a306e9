//! What the command line and the environment give: [`table()`](super::table()) as clap's arguments.

use std::path::PathBuf;

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};

use super::{Kind, Setting, Source, table};

/// One setting that was given.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// Which.
    pub setting: &'static Setting,
    /// Its values.
    pub values: Vec<String>,
    /// [`Source::Flag`] or [`Source::Variable`].
    pub source: Source,
}

/// All settings, as arguments.
#[derive(Debug, Clone, Default)]
pub(crate) struct Given {
    /// The file to read the others from.
    pub(super) config: Option<PathBuf>,
    pub(super) entries: Vec<Entry>,
}

/// The few settings that a command needs which works on a store and doesn't serve.
#[derive(Debug, Clone, Default)]
pub(crate) struct GivenStore(pub(crate) Given);

const STORE_SETTINGS: [&str; 5] = ["store", "schema", "admin-key", "secret-key", "secret-key-file"];

impl Args for Given {
    fn augment_args(command: Command) -> Command {
        augment(command, table())
    }
    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Given {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        Ok(Self {
            config: matches.get_one::<PathBuf>("config").filter(|path| !path.as_os_str().is_empty()).cloned(),
            entries: table().filter_map(|setting| entry(matches, setting)).collect(),
        })
    }
    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for GivenStore {
    fn augment_args(command: Command) -> Command {
        augment(command, table().filter(|setting| STORE_SETTINGS.contains(&setting.name)))
    }
    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for GivenStore {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        Given::from_arg_matches(matches).map(Self)
    }
    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        self.0.update_from_arg_matches(matches)
    }
}

fn augment(command: Command, settings: impl Iterator<Item = &'static Setting>) -> Command {
    let config = Arg::new("config")
        .long("config")
        .env("RESTHOOKS_CONFIG")
        .value_name("FILE")
        .value_parser(clap::value_parser!(PathBuf))
        .help("A TOML file with settings: keys are the flags' names with _ for -");
    settings.fold(command.arg(config), |command, setting| command.arg(argument(setting)))
}

fn argument(setting: &'static Setting) -> Arg {
    let default = match setting.default {
        _ if setting.kind == Kind::Switch => String::new(),
        [] => String::new(),
        values => format!(" [default: {}]", values.join(",")),
    };
    let arg = Arg::new(setting.name)
        .long(setting.name)
        .env(setting.variable())
        .hide_env_values(setting.secret || setting.masked.is_some())
        .value_name(setting.value)
        .allow_hyphen_values(false)
        .help(format!("{}{default}", setting.help));
    match setting.kind {
        Kind::Switch => arg
            .action(ArgAction::Set)
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("true")
            .hide_possible_values(true),
        Kind::List => arg.action(ArgAction::Append).value_delimiter(','),
        Kind::Text | Kind::Count => arg.action(ArgAction::Set),
    }
}

/// What was given for a setting. An empty variable counts as none: that is how many tools unset one.
fn entry(matches: &ArgMatches, setting: &'static Setting) -> Option<Entry> {
    let values = matches.try_get_many::<String>(setting.name).ok().flatten()?;
    let values: Vec<String> = values.map(|value| value.trim().to_owned()).collect();
    let source = match matches.value_source(setting.name)? {
        ValueSource::CommandLine => Source::Flag,
        ValueSource::EnvVariable if values.iter().all(String::is_empty) => return None,
        ValueSource::EnvVariable => Source::Variable,
        _ => return None,
    };
    Some(Entry { setting, values, source })
}
