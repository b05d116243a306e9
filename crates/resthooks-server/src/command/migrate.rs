//! `resthooks migrate`: brings the schema of a PostgreSQL store to this version, apart from any server.

use clap::Args;
use resthooks_postgres::PostgresStore;

use super::wait_for;
use crate::failure::Failure;
use crate::lifecycle::postgres_options;
use crate::settings::{GivenStore, Resolved, StoreAt};
use crate::terminal;

/// The command's words.
#[derive(Debug, Args)]
pub(super) struct Migrate {
    #[command(flatten)]
    given: GivenStore,
}

impl Migrate {
    pub(super) fn run(self) -> Result<(), Failure> {
        let settings = Resolved::load(&self.given.0)?.settings;
        let StoreAt::Postgres(url) = &settings.store else {
            let why = "is a file: the next start of its server brings it to this version";
            return Err(Failure::Usage(format!("--store: {} {why}", settings.store)));
        };
        wait_for(async {
            let options = postgres_options(&settings);
            let made = PostgresStore::migrate(url, &options).await.map_err(anyhow::Error::new)?;
            let place = format!("the schema {} in {}", settings.schema, settings.store);
            terminal::line(match made {
                0 => format!("{place} is at this version already"),
                1 => format!("{place} is at this version now: 1 migration was made"),
                made => format!("{place} is at this version now: {made} migrations were made"),
            });
            Ok(())
        })
    }
}
