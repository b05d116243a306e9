//! What was accepted and not recorded is fanned out again: by an earlier run, by a node that was taken over, or in a
//! transaction whose outcome was not known.

use std::sync::Arc;
use std::time::Duration;

use crate::core::Core;
use crate::error::Error;
use crate::model::{EventSeq, NodeNo};
use crate::store::{self, Unrecorded};

/// Events that are looked at in one step.
const PAGE: usize = 500;
/// How long it waits for the writer before it looks again.
const PAUSE: Duration = Duration::from_millis(2);

/// Takes up this node's events of an earlier run: first their sequence numbers, so that new events go on behind them,
/// then their missing deliveries. Answers how many deliveries were missing.
pub(crate) async fn recover(core: &Arc<Core>, watermark: EventSeq, last: EventSeq) -> Result<usize, Error> {
    let mut after = watermark;
    let mut total = 0;
    while after < last {
        let page = core.store.unrecorded(core.node, after, last, PAGE).await?;
        let Some(end) = page.last().map(|found| found.event.seq) else { break };
        for found in page {
            found.event.event.matched.iter().for_each(|given| core.index.seen(*given));
            core.writer.tracker().found(found.event.seq, found.missing.len());
            total += found.missing.len();
            core.writer.fan_out_later(found.event, found.missing);
        }
        after = end;
        until_calm(core).await;
    }
    core.writer.tracker().all_found();
    Ok(total)
}

/// Takes up some of the events of a node that was taken over, those above `after`. Answers the last one's number and
/// how many deliveries were missing; `None` when there are no more.
pub(crate) async fn recover_taken(
    core: &Arc<Core>,
    gone: NodeNo,
    after: EventSeq,
) -> Result<Option<(EventSeq, usize)>, Error> {
    let page = core.store.unrecorded(gone, after, EventSeq(i64::MAX), PAGE).await?;
    let Some(end) = page.last().map(|found| found.event.seq) else {
        core.writer.tracker().took_all(gone);
        return Ok(None);
    };
    let mut total = 0;
    for found in page {
        core.writer.tracker().took(gone, found.event.seq, found.missing.len());
        total += found.missing.len();
        core.writer.fan_out_later(found.event, found.missing);
    }
    until_calm(core).await;
    Ok(Some((end, total)))
}

/// After a transaction of which it is not known whether it was written: what it appended, if it was, goes the way of
/// all events. Its producers were told that it may not have been, and will give it again.
pub(super) async fn recover_doubt(core: &Arc<Core>) -> Result<(), store::Error> {
    // Waits for a transaction that may still be running.
    core.store.position(core.node).await?;
    loop {
        let after = core.writer.tracker().last();
        let page = core.store.unrecorded(core.node, after, EventSeq(i64::MAX), PAGE).await?;
        if page.is_empty() {
            return Ok(());
        }
        for found in page {
            found.event.event.matched.iter().for_each(|given| core.index.seen(*given));
            core.writer.tracker().appended(found.event.seq, found.missing.len());
            tell_planned(core, &found);
            core.writer.fan_out_later(found.event, found.missing);
        }
    }
}

/// Those of an event's deliveries that have their row by now are planned ones: their lanes do not know of them.
fn tell_planned(core: &Core, found: &Unrecorded) {
    let recorded = found.event.event.matched.iter().filter(|given| !found.missing.contains(given));
    for given in recorded {
        if let Some(live) = core.index.get(given.subscription) {
            let account = &live.subscription.account;
            core.dispatch.planned_came(given.subscription, account, &core.aim_of(&live), 1, false);
        }
    }
}

async fn until_calm(core: &Core) {
    loop {
        let calmed = core.writer.calmed.notified();
        if !core.writer.is_crowded() || core.stopping.is_cancelled() {
            return;
        }
        tokio::select! {
            () = calmed => {}
            () = core.options.clock.sleep(PAUSE) => {}
        }
    }
}
