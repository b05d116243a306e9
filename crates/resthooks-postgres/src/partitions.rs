//! Sees to it that there are partitions for the events to come.
//!
//! They are made ahead, so that a commit hardly ever waits for one, and on demand, because a number may lie anywhere.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use resthooks::store::Error;
use tokio_postgres::types::Type;

use crate::database::{Database, Way};
use crate::numbers::{day_at, day_of};

/// So many days are made ahead of the present one.
const AHEAD: i64 = 2;
/// More days than this are not made at once: a clock that is far off must not fill the database with tables.
const MOST: i64 = 4;

const MAKE: &str = "SELECT @.make_partitions($1, $2)";

/// The days that are known to have partitions.
#[derive(Debug, Default)]
pub(crate) struct Partitions(Mutex<BTreeSet<i64>>);

impl Partitions {
    fn known(&self) -> std::sync::MutexGuard<'_, BTreeSet<i64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Those of the next days.
    pub(crate) async fn make_ahead(&self, database: &Database) -> Result<(), Error> {
        let today = day_at(database.clock.now());
        self.make(database, today, today + AHEAD).await
    }

    /// Those of these numbers, which ascend.
    pub(crate) async fn make_for(&self, database: &Database, numbers: &[i64]) -> Result<(), Error> {
        let (Some(first), Some(last)) = (numbers.first(), numbers.last()) else { return Ok(()) };
        let (first, last) = (day_of(*first), day_of(*last));
        if (first..=last).all(|day| self.known().contains(&day)) {
            return Ok(());
        }
        self.make(database, first, last.min(first + MOST)).await
    }

    /// Those of the days of these numbers, in any order.
    pub(crate) async fn make_each(
        &self,
        database: &Database,
        numbers: impl Iterator<Item = i64>,
    ) -> Result<(), Error> {
        let days: BTreeSet<i64> = numbers.map(day_of).collect();
        for day in days {
            self.make(database, day, day).await?;
        }
        Ok(())
    }

    async fn make(&self, database: &Database, first: i64, last: i64) -> Result<(), Error> {
        database.repeat(Way::Any, MAKE, &[(&first, Type::INT8), (&last, Type::INT8)]).await?;
        self.known().extend(first..=last);
        Ok(())
    }

    /// Some were dropped: nothing is known any more.
    pub(crate) fn forget(&self) {
        self.known().clear();
    }
}
