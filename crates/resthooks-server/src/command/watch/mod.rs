//! `resthooks watch`, `unwatch` and `watched`: tables of the application's that emit by themselves. What a trigger does is
//! the store's; here are the words for it.

use clap::Args;
use resthooks::model::Timestamp;
use resthooks_postgres::PostgresStore;
use resthooks_postgres::watch::{Watch as Wanted, Watched as Found};
use serde_json::{Value, json};

use super::wait_for;
use crate::failure::Failure;
use crate::lifecycle::{named, postgres_options};
use crate::settings::{GivenStore, Resolved, Settings, StoreAt};
use crate::terminal;

/// The words of `watch`.
#[derive(Debug, Args)]
#[command(after_help = "\
Each row that is created, updated or deleted emits an event in the same transaction: PREFIX.create with the row as JSON, \
PREFIX.update, when a watched column has changed, with the row and \"changed\", the list of those columns' names, and \
PREFIX.delete with the row as it was. A row whose account changes is deleted for the one and created for the other. Rows \
without an account emit nothing. The three event types are registered when they are not there.

Needs the rights of the schema's owner, and TRIGGER on the table.")]
pub(crate) struct Watch {
    /// The table, with its schema unless that is in the search path; as SQL writes it, so that names with capital letters
    /// need double quotes
    #[arg(value_name = "TABLE")]
    table: String,
    /// What the events' names begin with
    #[arg(long, value_name = "PREFIX")]
    event_prefix: String,
    /// The column that says which account a row belongs to
    #[arg(long, value_name = "COLUMN")]
    account_column: String,
    /// The columns that are sent, and whose changes are; all of them when left out. Those that identify a row always are
    #[arg(long, value_name = "COLUMN,…", value_delimiter = ',')]
    columns: Option<Vec<String>>,
    /// The column that identifies a row, with a unique index; the primary key when left out
    #[arg(long, value_name = "COLUMN")]
    id: Option<String>,
    /// Print the SQL that does it, and change nothing
    #[arg(long)]
    print: bool,
    #[command(flatten)]
    given: GivenStore,
}

/// The words of `unwatch`.
#[derive(Debug, Args)]
pub(crate) struct Unwatch {
    /// The table, as `resthooks watched` shows it
    #[arg(value_name = "TABLE")]
    table: String,
    /// Print the SQL that does it, and change nothing
    #[arg(long)]
    print: bool,
    #[command(flatten)]
    given: GivenStore,
}

/// The words of `watched`.
#[derive(Debug, Args)]
pub(crate) struct Watched {
    /// Print the SQL that is asked, and ask nothing
    #[arg(long, conflicts_with = "json")]
    print: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    given: GivenStore,
}

impl Watch {
    pub(super) fn run(self) -> Result<(), Failure> {
        let settings = Resolved::load(&self.given.0)?.settings;
        let wanted = Wanted {
            table: self.table,
            event_prefix: self.event_prefix,
            account_column: self.account_column,
            columns: self.columns,
            id_column: self.id,
        };
        wait_for(async {
            let store = open(&settings).await?;
            if self.print {
                let script = store.watch_script(&wanted).await.map_err(anyhow::Error::new)?;
                terminal::line(script.trim_end());
                return Ok(());
            }
            let replaced = store.watch(&wanted).await.map_err(anyhow::Error::new)?;
            let (table, prefix) = (&wanted.table, &wanted.event_prefix);
            let how = if replaced { " from now on, in place of how it was watched before" } else { "" };
            terminal::line(format_args!(
                "{table} emits {prefix}.create, {prefix}.update and {prefix}.delete{how}"
            ));
            Ok(())
        })
    }
}

impl Unwatch {
    pub(super) fn run(self) -> Result<(), Failure> {
        let settings = Resolved::load(&self.given.0)?.settings;
        wait_for(async {
            let store = open(&settings).await?;
            if self.print {
                let script = store.unwatch_script(&self.table).await.map_err(anyhow::Error::new)?;
                terminal::line(script.trim_end());
                return Ok(());
            }
            store.unwatch(&self.table).await.map_err(anyhow::Error::new)?;
            terminal::line(format_args!(
                "{} is not watched any more; what it has emitted is delivered",
                self.table
            ));
            Ok(())
        })
    }
}

impl Watched {
    pub(super) fn run(self) -> Result<(), Failure> {
        let settings = Resolved::load(&self.given.0)?.settings;
        if self.print {
            terminal::line(PostgresStore::watched_statement(&settings.schema));
            return Ok(());
        }
        let found = wait_for(async {
            let store = open(&settings).await?;
            Ok(store.watched().await.map_err(anyhow::Error::new)?)
        })?;
        if self.json {
            terminal::line(found.iter().map(shown).collect::<Value>());
            return Ok(());
        }
        let head =
            ["TABLE", "EVENTS", "ACCOUNT", "ID", "COLUMNS", "SINCE", "TROUBLE"].map(str::to_owned).to_vec();
        let rows: Vec<_> = std::iter::once(head).chain(found.into_iter().map(row)).collect();
        terminal::aligned(&rows).iter().for_each(terminal::line);
        Ok(())
    }
}

async fn open(settings: &Settings) -> Result<PostgresStore, Failure> {
    let StoreAt::Postgres(url) = &settings.store else {
        let why = "is a file: only tables of the PostgreSQL database that the store is in can be watched";
        return Err(Failure::Usage(format!("--store: {} {why}", settings.store)));
    };
    let options = resthooks_postgres::Options { migrate: false, ..postgres_options(settings) };
    Ok(PostgresStore::open(url, options).await.map_err(|error| anyhow::Error::new(named(error)))?)
}

fn row(found: Found) -> Vec<String> {
    vec![
        found.table,
        format!("{}.*", found.event_prefix),
        found.account_column,
        found.id_columns.join(","),
        found.columns.map_or_else(|| "(all)".to_owned(), |columns| columns.join(",")),
        found.since.to_string(),
        found.trouble.unwrap_or_default(),
    ]
}

fn shown(found: &Found) -> Value {
    let Found { table, event_prefix, account_column, columns, id_columns, since, trouble } = found;
    let since: &Timestamp = since;
    json!({
        "table": table,
        "event_prefix": event_prefix,
        "account_column": account_column,
        "columns": columns,
        "id": id_columns,
        "since": since,
        "trouble": trouble,
    })
}
