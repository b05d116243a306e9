//! Group commit: everything that waits goes into one transaction, then the next.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::batch::prepared;
use super::fanout::fan_out;
use super::line::Taken;
use super::outcome::{accepted, failed, overtaken, recorded, refuse};
use super::recover::recover_doubt;
use crate::core::Core;
use crate::dispatch::start_runners;
use crate::model::EventSeq;
use crate::store;

/// After a failed transaction the next one is tried after so long.
const AFTER_FAILURE: Duration = Duration::from_millis(250);

/// The writer's loop: one transaction after another, until it is told to end and everything is written.
pub(crate) async fn write(core: Arc<Core>) {
    let clock = Arc::clone(&core.options.clock);
    let _stands_down = StandsDown(&core);
    let mut saved = Saved { watermark: core.writer.tracker().watermark(), at: clock.monotonic() };
    loop {
        let woken = core.writer.wake.notified();
        if core.fenced.is_cancelled() {
            return;
        }
        let ending = core.writer.is_ending();
        // Once it ends nothing is sent any more: what has no lane is found again at the next start.
        let fans_out = !ending && !core.writer.fan_out().is_empty();
        if fans_out && !core.writer.queue().is_full() {
            fan_out(&core);
            core.writer.calmed.notify_waiters();
        }
        let taken = core.writer.take();
        let save_due = saved.is_due(&core, ending);
        if taken.is_none() && !save_due {
            if ending {
                return;
            }
            if fans_out {
                tokio::task::yield_now().await;
                continue;
            }
            tokio::select! {
                () = woken => {}
                () = clock.sleep(core.options.checkpoint_interval) => {}
            }
            continue;
        }
        let ok = transaction(&core, taken.unwrap_or_default(), save_due, &mut saved).await;
        core.writer.transaction_ended();
        if core.fenced.is_cancelled() {
            return;
        }
        core.dispatch.set_gate(core.writer.may_send());
        if ok {
            start_runners(&core);
        } else {
            clock.sleep(AFTER_FAILURE).await;
        }
    }
}

/// However the writer ends, nobody goes on waiting for it.
struct StandsDown<'a>(&'a Core);

impl Drop for StandsDown<'_> {
    fn drop(&mut self) {
        let mut queue = self.0.writer.queue();
        queue.closed = true;
        queue.ended = true;
        queue.appends.clear();
        queue.records.clear();
        let broke_off = !queue.ending && !self.0.fenced.is_cancelled();
        drop(queue);
        if broke_off {
            tracing::error!("the writer broke off: nothing is accepted and nothing is sent any more");
            self.0.dispatch.close();
        }
    }
}

/// What was saved of the watermark, and when.
struct Saved {
    watermark: EventSeq,
    at: Duration,
}

impl Saved {
    /// Whether counters and watermark are to be saved now. After a failure: to find out whether it works again.
    fn is_due(&self, core: &Core, ending: bool) -> bool {
        let waited =
            core.options.clock.monotonic().saturating_sub(self.at) >= core.options.checkpoint_interval;
        let changed = core.index.is_dirty() || core.writer.tracker().watermark() != self.watermark;
        let failed = !core.writer.healthy.load(Ordering::Relaxed);
        ((waited || ending) && changed) || (waited && failed)
    }
}

/// Writes what was taken, and makes known what came of it. Whether the store is fit to take more at once.
async fn transaction(core: &Arc<Core>, taken: Taken, save: bool, saved: &mut Saved) -> bool {
    if let Err(error) = end_doubt(core).await {
        refuse(core, taken, &error);
        return false;
    }
    let Some((batch, sides)) = prepared(core, taken, save).await else { return true };
    let begun = core.options.clock.monotonic();
    let committed = core.store.commit(Arc::clone(&batch)).await;
    let took = core.options.clock.monotonic().saturating_sub(begun);
    core.stats.commit_time.observe(took);
    core.stats.commits.fetch_add(1, Ordering::Relaxed);
    match committed {
        Ok(committed) => {
            if let Some(watermark) = batch.watermark {
                *saved = Saved { watermark, at: core.options.clock.monotonic() };
            }
            if !core.writer.healthy.swap(true, Ordering::Relaxed) {
                tracing::info!("the store takes writes again");
            }
            let batch = Arc::try_unwrap(batch).unwrap_or_else(|shared| (*shared).clone());
            core.stats.emitted_refused.fetch_add(batch.refused.len() as u64, Ordering::Relaxed);
            accepted(core, sides.appends, batch.events, batch.planned, &committed);
            recorded(core, &batch.records, sides.records);
            true
        }
        Err(store::Error::Overtaken) => {
            overtaken(core, sides, batch);
            true
        }
        Err(error) => {
            failed(core, sides, batch, &error);
            saved.at = core.options.clock.monotonic();
            false
        }
    }
}

/// Finds out what became of a transaction whose outcome is not known.
async fn end_doubt(core: &Arc<Core>) -> Result<(), store::Error> {
    if core.writer.in_doubt.load(Ordering::Relaxed) {
        recover_doubt(core).await?;
        core.writer.in_doubt.store(false, Ordering::Relaxed);
    }
    Ok(())
}
