//! Writes a batch: one statement, one transaction.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use resthooks::model::{AccountId, EventSeq, SubscriptionNo};
use resthooks::store::{Batch, Committed, Error, Shift};
use tokio_postgres::Row;
use tokio_postgres::types::Type;

use super::columns::{Events, Healths, Ids, Planned, Records, Sequences};
use crate::database::Parameter;
use crate::event_row::get;
use crate::failure::Trouble;
use crate::store::Inner;
use crate::value::readable;

/// How often a batch is tried that met another node's, that found no partition, or whose numbers were too low.
const TRIES: usize = 8;

/// The most accounts that are remembered; then they are forgotten and said again.
const ACCOUNTS: usize = 65_536;
/// After so long they are forgotten as well: a deletion by another node is remembered by the database much longer.
const FRESH: Duration = Duration::from_secs(3_600);

/// The accounts that are known to have a row.
#[derive(Debug, Default)]
pub(crate) struct Seen(Mutex<(HashSet<AccountId>, Duration)>);

impl Seen {
    /// The accounts of a batch that are not among them, each once.
    fn unknown<'a>(&self, batch: &'a Batch, now: Duration) -> Vec<&'a AccountId> {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if now.saturating_sub(seen.1) > FRESH || seen.0.len() > ACCOUNTS {
            *seen = (HashSet::new(), now);
        }
        let mut unknown: HashSet<&AccountId> = HashSet::new();
        unknown.extend(batch.events.iter().map(|event| &event.account).filter(|id| !seen.0.contains(*id)));
        unknown.into_iter().collect()
    }

    fn learn(&self, accounts: &[&AccountId]) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.0.extend(accounts.iter().map(|id| (*id).clone()));
    }

    /// An account is being deleted.
    pub(crate) fn forget(&self, account: &AccountId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).0.remove(account);
    }
}

/// Writes it, with new numbers for its events.
pub(crate) async fn commit(inner: &Inner, batch: &Batch) -> Result<Committed, Error> {
    // Only who has the connection gives numbers, so that they are in the order of commits.
    let mut lent = inner.database.commits.lend().await?;
    let identity = inner.numbers.identity(batch.node)?;
    let unknown = inner.seen.unknown(batch, inner.database.clock.monotonic());
    let accounts: Vec<&str> = unknown.iter().map(|id| id.as_str()).collect();
    let sequences = Sequences::of(batch);
    let mut events = Events::of(batch).thin();
    let mut ids = Ids::of(batch);
    let first = Records::of(batch, false)?;
    let later = Records::of(batch, true)?;
    let healths = Healths::of(batch);
    let mut planned = Planned::of(batch)?;
    let emitted: Vec<i64> = batch.emitted.iter().map(|no| no.0).collect();
    let (refused, reasons): (Vec<i64>, Vec<_>) =
        batch.refused.iter().map(|(no, why)| (no.0, readable(why))).unzip();
    let reasons: Vec<&str> = reasons.iter().map(AsRef::as_ref).collect();
    let (now, watermark) = (batch.now.as_millis(), batch.watermark.map(|seq| seq.0));
    let mut careful = false;
    let mut tries = 0;
    loop {
        let numbers = inner.numbers.give(batch.node, batch.now, batch.events.len())?;
        inner.partitions.make_for(&inner.database, &numbers).await?;
        ids.number(&numbers);
        planned.number(&numbers);
        events.seq.clone_from(&numbers);
        let mut parameters: Vec<Parameter<'_>> = vec![
            (&identity.node, Type::INT8),
            (&identity.slot, Type::INT4),
            (&identity.epoch, Type::INT8),
            (&now, Type::INT8),
            (&careful, Type::BOOL),
            (&watermark, Type::INT8),
        ];
        parameters.extend(sequences.parameters());
        parameters.push((&accounts, Type::TEXT_ARRAY));
        parameters.extend(events.parameters());
        parameters.extend(ids.parameters());
        parameters.extend(first.first());
        parameters.extend(later.later());
        parameters.extend(healths.parameters());
        parameters.extend([
            (&emitted as &(dyn tokio_postgres::types::ToSql + Sync), Type::INT8_ARRAY),
            (&refused, Type::INT8_ARRAY),
            (&reasons, Type::TEXT_ARRAY),
        ]);
        parameters.extend(planned.parameters());
        let trouble = match inner.database.send(lent, &inner.commit_sql, &parameters).await {
            Ok(rows) => {
                inner.seen.learn(&unknown);
                return committed(&rows, numbers);
            }
            Err(trouble) if tries >= TRIES => return Err(trouble.told()),
            Err(trouble) => trouble,
        };
        tries += 1;
        match trouble {
            Trouble::Again(_) => {}
            Trouble::NoPartition => {
                inner.partitions.forget();
                // A record may be of a day that was dropped meanwhile: it must not hold up what is written with it.
                let days =
                    batch.records.iter().filter(|record| !record.has_row).map(|record| record.key.event.0);
                inner.partitions.make_each(&inner.database, days).await?;
            }
            Trouble::TooLow(above) => inner.numbers.rise(batch.node, above),
            // A first record whose row is there, or an attempt's place that is taken.
            Trouble::Taken if !careful => careful = true,
            other => return Err(other.told()),
        }
        lent = inner.database.commits.lend().await?;
    }
}

fn committed(rows: &[Row], numbers: Vec<i64>) -> Result<Committed, Error> {
    let row = rows.first().ok_or_else(|| Error::Corrupt("a commit without an answer".to_owned()))?;
    let pairs: Vec<i64> = get::<Option<Vec<i64>>>(row, "shifts")?.unwrap_or_default();
    let shift = |pair: &[i64]| match *pair {
        [subscription, by] => Some(Shift { subscription: SubscriptionNo(subscription), by }),
        _ => None,
    };
    Ok(Committed {
        numbers: numbers.into_iter().map(EventSeq).collect(),
        shifts: pairs.chunks_exact(2).filter_map(shift).collect(),
        elsewhere: get::<Option<Vec<i64>>>(row, "elsewhere")?
            .unwrap_or_default()
            .into_iter()
            .map(SubscriptionNo)
            .collect(),
    })
}

/// The call, with as many parameters as the function has.
pub(crate) fn statement() -> String {
    let places: Vec<String> = (1..=66).map(|place| format!("${place}")).collect();
    format!("SELECT shifts, elsewhere FROM @.commit_batch({})", places.join(", "))
}
