//! After a start: what an earlier run accepted and did not record is fanned out again.

use std::sync::Arc;

use super::fan_out;
use crate::core::Core;
use crate::error::Error;
use crate::store::Position;

/// Events that are looked at in one step.
const PAGE: usize = 500;
/// With so many records waiting to be written, recovery waits too.
const CROWDED: usize = 10_000;

/// Takes up the events above the watermark: first their sequence numbers, so that new events go on behind them, then
/// their missing deliveries. Answers how many deliveries were missing.
pub(crate) async fn recover(core: &Arc<Core>, position: Position) -> Result<usize, Error> {
    let mut after = position.watermark;
    let mut total = 0;
    while after < position.last {
        let page = core.store.unrecorded(after, position.last, PAGE).await?;
        let Some(last) = page.last().map(|found| found.event.seq) else { break };
        for found in &page {
            found.event.event.matched.iter().for_each(|given| core.index.seen(*given));
            core.writer.tracker().found(found.event.seq, found.missing.len());
            total += found.missing.len();
        }
        fan_out(core, page.into_iter().map(|found| (found.event, found.missing)));
        after = last;
        while core.writer.records_waiting() > CROWDED {
            core.options.clock.sleep(std::time::Duration::from_millis(5)).await;
        }
    }
    core.writer.tracker().nothing_unknown();
    Ok(total)
}
