//! The write path and what a restart needs, as functions over a connection. Mirrors the interface's `Log`.

mod append;
#[cfg(test)]
mod cost;
mod due;
mod find;
mod planned;
mod record;
mod recovery;
mod reopen;
mod settle;

use resthooks::store::{Batch, Committed, Error};

pub(crate) use due::lease_due;
pub(crate) use find::find_ids;
pub(crate) use planned::lease_planned;
pub(crate) use recovery::{backlog, position, unrecorded};
pub(crate) use reopen::reopen;
pub(crate) use settle::settle;

use crate::writer::Work;

/// One batch: its events, records, watermark and progress.
pub(crate) fn commit(work: &mut Work<'_>, batch: &Batch) -> Result<Committed, Error> {
    if !batch.emitted.is_empty() || !batch.refused.is_empty() {
        return Err(Error::Corrupt(
            "events emitted in transactions, of which this store has none".to_owned(),
        ));
    }
    let numbers = append::events(work, batch)?;
    planned::write(work, batch, &numbers)?;
    record::records(work, batch)?;
    record::progress(work.connection, batch)?;
    if let Some(watermark) = batch.watermark {
        record::watermark(work.connection, watermark)?;
    }
    Ok(Committed { numbers, shifts: Vec::new(), elsewhere: Vec::new() })
}
