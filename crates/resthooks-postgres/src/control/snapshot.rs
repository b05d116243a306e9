//! Everything that a node keeps in memory, and how subscriptions stand.

use resthooks::model::{Health, Progress, SubscriptionNo};
use resthooks::store::{ChangeNo, Error, Snapshot, Standing};
use tokio_postgres::Row;
use tokio_postgres::types::Type;

use super::account::all_settings;
use super::deletion::deletions;
use super::subscription::subscription_in;
use super::{event_type, key};
use crate::database::Database;
use crate::event_row::{count, get, time_or_none};
use crate::store::Inner;

const LIVE: &str = "SELECT s.no, s.version, s.document, p.* FROM @.subscription s \
                    JOIN @.progress p ON p.subscription = s.no WHERE s.status < 4 ORDER BY s.no";

const STANDING: &str = "SELECT p.*, (SELECT count(*) FROM @.delivery d \
                        WHERE d.subscription = p.subscription AND d.status IN (1, 2) AND d.status <> 0) AS waiting \
                        FROM @.progress p WHERE p.subscription = ANY ($1)";

/// The number of the last change comes first: what changes meanwhile is told again.
pub(crate) async fn snapshot(inner: &Inner) -> Result<Snapshot, Error> {
    let database = &inner.database;
    let last = database.read("SELECT coalesce(max(no), 0) AS no FROM @.change", &[]).await?;
    let change = ChangeNo(last.first().map_or(Ok(0), |row| get(row, "no"))?);
    let live = database.read(LIVE, &[]).await?;
    let one = |row: &Row| Ok((subscription_in(row, &inner.vault)?, progress(row)?));
    let subscriptions = live.iter().map(one).collect::<Result<_, Error>>()?;
    Ok(Snapshot {
        subscriptions,
        event_types: event_type::all(database).await?,
        keys: key::all(database).await?,
        accounts: all_settings(database).await?,
        deletions: deletions(database).await?,
        change,
    })
}

fn progress(row: &Row) -> Result<Progress, Error> {
    Ok(Progress {
        sequence: get::<i64>(row, "sequence")?.cast_unsigned(),
        health: Health {
            last_success_at: time_or_none(row, "last_success_at")?,
            last_failure_at: time_or_none(row, "last_failure_at")?,
            failing_since: time_or_none(row, "failing_since")?,
            consecutive_failures: count(row, "consecutive_failures")?,
        },
    })
}

/// How these subscriptions stand on all nodes; those that don't exist are left out.
pub(crate) async fn standing(
    database: &Database,
    numbers: &[SubscriptionNo],
) -> Result<Vec<Standing>, Error> {
    if numbers.is_empty() {
        return Ok(Vec::new());
    }
    let numbers: Vec<i64> = numbers.iter().map(|no| no.0).collect();
    let rows = database.read(STANDING, &[(&numbers, Type::INT8_ARRAY)]).await?;
    let standing = |row: &Row| {
        Ok(Standing {
            subscription: SubscriptionNo(get(row, "subscription")?),
            progress: progress(row)?,
            waiting: count(row, "waiting")?,
        })
    };
    rows.iter().map(standing).collect()
}
