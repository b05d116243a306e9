//! The tables and functions, and how a schema made by an earlier version gets them.
//!
//! Migrations go forward only, each in a transaction of its own under a lock of the schema's, so that any number of nodes
//! may start at once. Each is written so that the version before goes on accepting and delivering; what else it can do by then
//! is said where it can't do all. Functions are made anew whenever they have changed; one that takes other arguments than
//! before stays beside the former one for as long as that is called. A schema that a newer version has migrated is refused before anything in it is changed.

use std::time::Duration;

use resthooks::store::Error;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Row};

use crate::database::{Database, Schema};
use crate::event_row::get;
use crate::failure::{Trouble, from_postgres};

/// Every migration, in order; a schema's version is how many of them it has had. None is ever changed or removed.
const MIGRATIONS: &[(&str, &str)] = &[
    ("initial", include_str!("../migrations/0001_initial.sql")),
    ("emit", include_str!("../migrations/0002_emit.sql")),
    ("trust", include_str!("../migrations/0003_trust.sql")),
    ("planned", include_str!("../migrations/0004_planned.sql")),
];

/// Raised with every change of a function: an older program that starts while a newer one is at work leaves that one's
/// functions alone.
const FUNCTIONS_VERSION: i64 = 4;

/// The functions, made anew when one of them has changed.
const FUNCTIONS: &[&str] = &[
    include_str!("../sql/locks.sql"),
    include_str!("../sql/partitions.sql"),
    include_str!("../sql/retention.sql"),
    include_str!("../sql/planned.sql"),
    include_str!("../sql/commit.sql"),
    include_str!("../sql/waiting.sql"),
    include_str!("../sql/nodes.sql"),
    include_str!("../sql/trust.sql"),
    include_str!("../sql/control.sql"),
    include_str!("../sql/former.sql"),
    include_str!("../sql/emit.sql"),
    include_str!("../sql/watch.sql"),
    include_str!("../sql/watching.sql"),
    include_str!("../sql/transfer.sql"),
];

/// The least version of PostgreSQL.
const SERVER: i32 = 130_000;

const BOOKS: &str = "CREATE TABLE IF NOT EXISTS migration (version bigint PRIMARY KEY, name text NOT NULL, \
                     checksum text NOT NULL, applied_at bigint NOT NULL); \
                     CREATE TABLE IF NOT EXISTS functions (one boolean PRIMARY KEY DEFAULT true CHECK (one), \
                     version bigint NOT NULL, checksum text NOT NULL)";

/// What a schema has had.
#[derive(Debug, Default, PartialEq, Eq)]
struct Found {
    /// Checksums of migrations, in order.
    migrations: Vec<String>,
    functions: Option<(i64, String)>,
}

/// What this version has.
struct Known {
    migrations: &'static [(&'static str, &'static str)],
    checksums: Vec<String>,
    functions: String,
}

impl Known {
    fn new() -> Self {
        Self {
            migrations: MIGRATIONS,
            checksums: MIGRATIONS.iter().map(|(_, sql)| checksum(sql)).collect(),
            functions: checksum(&FUNCTIONS.concat()),
        }
    }

    /// Refuses what this version must not touch.
    fn judge(&self, schema: &Schema, found: &Found) -> Result<(), Error> {
        let name = &schema.quoted;
        if found.migrations.len() > self.checksums.len() {
            return Err(Error::Unusable(format!(
                "the schema {name} was migrated by a newer version of resthooks (its tables have version {}, this one \
                 knows {}): run that version",
                found.migrations.len(),
                self.checksums.len()
            )));
        }
        match found.migrations.iter().zip(&self.checksums).position(|(found, known)| found != known) {
            Some(place) => Err(Error::Unusable(format!(
                "the schema {name} was made by another build of resthooks: its migration {} is not the one that this \
                 one knows",
                place + 1
            ))),
            None => Ok(()),
        }
    }

    fn is_met_by(&self, found: &Found) -> bool {
        found.migrations.len() == self.checksums.len() && !self.functions_are_due(found)
    }

    fn functions_are_due(&self, found: &Found) -> bool {
        found.functions.as_ref().is_none_or(|(version, checksum)| {
            *version < FUNCTIONS_VERSION || (*version == FUNCTIONS_VERSION && *checksum != self.functions)
        })
    }
}

fn checksum(text: &str) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
    digest.as_ref().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// Refuses a schema that is not of this version. Changes nothing.
pub(crate) async fn check(database: &Database) -> Result<(), Error> {
    let known = Known::new();
    let found = look(database).await?;
    known.judge(&database.schema, &found)?;
    if known.is_met_by(&found) {
        return Ok(());
    }
    Err(Error::Unusable(format!(
        "the tables in the schema {} have version {} and this version of resthooks needs {}: run `resthooks migrate`",
        database.schema.quoted,
        found.migrations.len(),
        known.checksums.len()
    )))
}

/// Brings the schema to this version; how many migrations were made.
pub(crate) async fn migrate(database: &Database, within: Duration) -> Result<usize, Error> {
    let known = Known::new();
    let found = look(database).await?;
    known.judge(&database.schema, &found)?;
    if known.is_met_by(&found) {
        return Ok(0);
    }
    tokio::select! {
        made = apply(database, &known) => made,
        () = database.clock.sleep(within) => {
            Err(Error::Unavailable("migrating took too long; it was undone and can be tried again".to_owned()))
        }
    }
}

/// Reads what is there, without changing anything.
async fn look(database: &Database) -> Result<Found, Error> {
    let server = database
        .read("SELECT current_setting('server_version_num')::int AS version, current_setting('server_encoding') AS encoding, \
               to_regclass($1) IS NOT NULL AS known",
            &[(&format!("{}.functions", database.schema.quoted), Type::TEXT)])
        .await?;
    let row = server.first().ok_or_else(|| Error::Corrupt("the server has no version".to_owned()))?;
    if get::<i32>(row, "version")? < SERVER {
        return Err(Error::Unusable("PostgreSQL 13 or later is needed".to_owned()));
    }
    if get::<&str>(row, "encoding")? != "UTF8" {
        return Err(Error::Unusable("the database's encoding has to be UTF8".to_owned()));
    }
    if !get::<bool>(row, "known")? {
        return Ok(Found::default());
    }
    let migrations = database.read("SELECT checksum FROM @.migration ORDER BY version", &[]).await?;
    let functions = database.read("SELECT version, checksum FROM @.functions", &[]).await?;
    found(&migrations, &functions)
}

fn found(migrations: &[Row], functions: &[Row]) -> Result<Found, Error> {
    let migrations = migrations.iter().map(|row| get(row, "checksum")).collect::<Result<_, _>>()?;
    let functions =
        functions.first().map(|row| Ok((get(row, "version")?, get(row, "checksum")?))).transpose()?;
    Ok(Found { migrations, functions })
}

async fn apply(database: &Database, known: &Known) -> Result<usize, Error> {
    let client = database.connector.connect().await?;
    // However it ends, the connection goes with it, and what was not committed is undone.
    steps(&client, database, known).await.map_err(|failure| match failure {
        Failure::Store(error) => error,
        Failure::Driver(error) => match from_postgres(&error) {
            Trouble::Lost(why) | Trouble::Again(why) => Error::Unavailable(why),
            trouble => match (trouble.told(), error.as_db_error()) {
                (Error::Corrupt(_) | Error::Exists, Some(db)) => {
                    Error::Unusable(format!("migrating failed and was undone: {}", db.message()))
                }
                (told, _) => told,
            },
        },
    })
}

enum Failure {
    Store(Error),
    Driver(tokio_postgres::Error),
}

impl From<tokio_postgres::Error> for Failure {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Driver(error)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

async fn steps(client: &Client, database: &Database, known: &Known) -> Result<usize, Failure> {
    let schema = &database.schema;
    let now = database.clock.now().as_millis();
    let mut made = 0;
    loop {
        begin(client, schema).await?;
        client.batch_execute(BOOKS).await?;
        let migrations = client.query_typed("SELECT checksum FROM migration ORDER BY version", &[]).await?;
        let functions = client.query_typed("SELECT version, checksum FROM functions", &[]).await?;
        let found = found(&migrations, &functions)?;
        // Another node may have been here meanwhile.
        known.judge(schema, &found)?;
        let next = found.migrations.len();
        if let (Some((name, sql)), Some(checksum)) = (known.migrations.get(next), known.checksums.get(next)) {
            client.batch_execute(sql).await?;
            let version = i64::try_from(next + 1).unwrap_or(i64::MAX);
            client
                .query_typed(
                    "INSERT INTO migration (version, name, checksum, applied_at) VALUES ($1, $2, $3, $4)",
                    &[(&version, Type::INT8), (name, Type::TEXT), (checksum, Type::TEXT), (&now, Type::INT8)],
                )
                .await?;
            client.batch_execute("COMMIT").await?;
            made += 1;
            continue;
        }
        if known.functions_are_due(&found) {
            make_functions(client, known).await?;
        }
        client.batch_execute("COMMIT").await?;
        return Ok(made);
    }
}

/// A transaction that nobody else can be in for this schema, which is there and the one that names are looked up in.
async fn begin(client: &Client, schema: &Schema) -> Result<(), tokio_postgres::Error> {
    // Without a limit of the server's: whoever waits for another node's migration waits as long as that takes.
    client.batch_execute("BEGIN; SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0").await?;
    client
        .query_typed(
            "SELECT pg_advisory_xact_lock(hashtextextended('resthooks migration ' || $1, 0))",
            &[(&schema.name, Type::TEXT)],
        )
        .await?;
    let there = client
        .query_typed("SELECT FROM pg_namespace WHERE nspname = $1", &[(&schema.name, Type::TEXT)])
        .await?;
    if there.is_empty() {
        // Only when it is missing: who may not create schemas may still use one that was given.
        client.batch_execute(&format!("CREATE SCHEMA {}", schema.quoted)).await?;
    }
    client.batch_execute(&format!("SET LOCAL search_path = {}, pg_temp", schema.quoted)).await
}

async fn make_functions(client: &Client, known: &Known) -> Result<(), tokio_postgres::Error> {
    for sql in FUNCTIONS {
        client.batch_execute(sql).await?;
    }
    client
        .query_typed(
            "INSERT INTO functions (version, checksum) VALUES ($1, $2) \
             ON CONFLICT (one) DO UPDATE SET version = excluded.version, checksum = excluded.checksum",
            &[(&FUNCTIONS_VERSION, Type::INT8), (&known.functions, Type::TEXT)],
        )
        .await?;
    Ok(())
}

/// Refuses a name that can't be a schema's, or that PostgreSQL would cut.
pub(crate) fn check_name(name: &str) -> Result<(), Error> {
    let reserved = name.starts_with("pg_") || name == "information_schema";
    if name.is_empty() || name.len() > 63 || name.contains('\0') || reserved {
        return Err(Error::Unusable(format!(
            "{name:?} can't be the name of a schema: 1 to 63 bytes, not beginning with pg_"
        )));
    }
    Ok(())
}
