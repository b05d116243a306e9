//! After a start: what an earlier run accepted and did not record is fanned out again.

use std::sync::Arc;
use std::time::Duration;

use crate::core::Core;
use crate::error::Error;
use crate::store::Position;

/// Events that are looked at in one step.
const PAGE: usize = 500;
/// How long it waits for the writer before it looks again.
const PAUSE: Duration = Duration::from_millis(2);

/// Takes up the events above the watermark: first their sequence numbers, so that new events go on behind them, then
/// their missing deliveries. Answers how many deliveries were missing.
pub(crate) async fn recover(core: &Arc<Core>, position: Position) -> Result<usize, Error> {
    let mut after = position.watermark;
    let mut total = 0;
    while after < position.last {
        let page = core.store.unrecorded(after, position.last, PAGE).await?;
        let Some(last) = page.last().map(|found| found.event.seq) else { break };
        for found in page {
            found.event.event.matched.iter().for_each(|given| core.index.seen(*given));
            core.writer.tracker().found(found.event.seq, found.missing.len());
            total += found.missing.len();
            core.writer.fan_out_later(found.event, found.missing);
        }
        after = last;
        while core.writer.is_crowded() {
            core.options.clock.sleep(PAUSE).await;
        }
    }
    core.writer.tracker().nothing_unknown();
    Ok(total)
}
