//! Fetching what is due from the store, and moving what waits there when a subscription has changed.

use std::sync::Arc;
use std::time::Duration;

use super::queue::Due;
use super::runner::unsent;
use super::start_runners;
use crate::core::Core;
use crate::ingest::Recorded;
use crate::model::{DeliveryStatus, SubscriptionNo, SubscriptionStatus};
use crate::store::{LeaseDue, LeasePlanned, Settle};

/// The longest wait for something due, so that a wall clock that is set forward is noticed.
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// After the store failed.
const AFTER_FAILURE: Duration = Duration::from_secs(1);
/// Deliveries that are moved in one transaction: short enough not to hold up commits.
const SETTLE_STEP: usize = 500;

/// Fetches what is due until the engine stops. Several may run at once.
pub(crate) async fn pump(core: Arc<Core>) {
    loop {
        let changed = core.dispatch.due_changed.notified();
        start_runners(&core);
        match core.dispatch.due(core.node, core.options.clock.now()) {
            Due::Lease(ask) => {
                // The others look whether there is more.
                core.dispatch.due_changed.notify_one();
                lease(&core, ask).await;
            }
            Due::Planned(ask) => {
                core.dispatch.due_changed.notify_one();
                lease_planned(&core, ask).await;
            }
            Due::Wait(for_long) => {
                let wait = for_long.unwrap_or(LONGEST_WAIT).min(LONGEST_WAIT);
                tokio::select! {
                    () = changed => {}
                    () = core.options.clock.sleep(wait) => {}
                    () = core.stopping.cancelled() => return,
                }
            }
        }
    }
}

/// Moves what waits in the store after changes to subscriptions, until the engine stops. Apart from the pumps, so that
/// a long backlog that is moved holds up nobody's retries.
pub(crate) async fn settler(core: Arc<Core>) {
    loop {
        let changed = core.dispatch.settle_changed.notified();
        if let Some(no) = core.dispatch.next_settle() {
            settle(&core, no).await;
            continue;
        }
        tokio::select! {
            () = changed => {}
            () = core.stopping.cancelled() => return,
        }
    }
}

async fn lease(core: &Arc<Core>, ask: LeaseDue) {
    let no = ask.subscription;
    let leased = core.store.lease_due(ask).await;
    if let Err(error) = &leased {
        tracing::warn!(%error, "due deliveries could not be fetched; trying again");
    }
    let clock = &core.options.clock;
    let retry = clock.now().plus(AFTER_FAILURE);
    core.dispatch.leased(no, leased.ok(), clock.monotonic(), retry);
    start_runners(core);
}

async fn lease_planned(core: &Arc<Core>, ask: LeasePlanned) {
    let no = ask.subscription;
    let read = core.store.lease_planned(ask).await;
    let clock = &core.options.clock;
    if let Err(error) = &read {
        tracing::warn!(%error, "planned deliveries could not be read; trying again");
        tokio::select! {
            () = clock.sleep(AFTER_FAILURE) => {}
            () = core.stopping.cancelled() => {}
        }
    }
    core.dispatch.planned_leased(no, read.ok(), clock.monotonic(), clock.now());
    start_runners(core);
}

/// Moves a subscription's waiting deliveries to the state that its status asks for.
async fn settle(core: &Arc<Core>, no: SubscriptionNo) {
    let (ok, ended) = match core.status_of(no).await {
        Ok(status) => (settle_to(core, no, status).await, status.is_ended()),
        Err(error) => {
            tracing::warn!(%error, "waiting deliveries can't be moved: their subscription can't be read; trying again");
            (false, false)
        }
    };
    if !ok {
        tokio::select! {
            () = core.options.clock.sleep(AFTER_FAILURE) => {}
            () = core.stopping.cancelled() => {}
        }
    }
    core.dispatch.settle_ended(no, ok, ended);
}

/// Whether all of them were moved.
async fn settle_to(core: &Arc<Core>, no: SubscriptionNo, status: SubscriptionStatus) -> bool {
    let moves: &[(DeliveryStatus, DeliveryStatus)] = match status {
        SubscriptionStatus::Active => &[(DeliveryStatus::Held, DeliveryStatus::Scheduled)],
        SubscriptionStatus::Gone | SubscriptionStatus::Deleted => &[
            (DeliveryStatus::Scheduled, DeliveryStatus::Cancelled),
            (DeliveryStatus::Held, DeliveryStatus::Cancelled),
        ],
        _ => &[(DeliveryStatus::Scheduled, DeliveryStatus::Held)],
    };
    let mut ok = true;
    for (from, to) in moves {
        let reason = (*to != DeliveryStatus::Scheduled).then(|| unsent(status).1);
        ok &= settle_all(core, no, *from, *to, reason).await;
    }
    ok
}

async fn settle_all(
    core: &Arc<Core>,
    subscription: SubscriptionNo,
    from: DeliveryStatus,
    to: DeliveryStatus,
    reason: Option<String>,
) -> bool {
    while !core.stopping.is_cancelled() {
        let now = core.options.clock.now();
        let except = core.dispatch.in_hand(subscription);
        let node = core.node;
        let ask =
            Settle { node, subscription, from, to, reason: reason.clone(), now, limit: SETTLE_STEP, except };
        match core.store.settle(ask).await {
            Ok(moved) => {
                core.dispatch.settled(subscription, moved, to, now);
                if moved < SETTLE_STEP {
                    return true;
                }
            }
            Err(error) => {
                tracing::warn!(%error, "waiting deliveries could not be moved; trying again");
                // It may have happened without its answer: then some are due.
                core.dispatch.settled(subscription, 0, to, now);
                return false;
            }
        }
    }
    false
}

/// Sends to the store what has waited in memory for longer than the engine's patience, until the engine stops.
pub(crate) async fn sweep(core: Arc<Core>) {
    let patience = core.options.queue_patience;
    loop {
        tokio::select! {
            () = core.options.clock.sleep(patience / 4) => {}
            () = core.stopping.cancelled() => return,
        }
        let Some(before) = core.options.clock.monotonic().checked_sub(patience) else { continue };
        let now = core.options.clock.now();
        for (no, job) in core.dispatch.take_stale(before) {
            let record = job.record(no, DeliveryStatus::Scheduled, None, Some(now));
            core.writer.record(Recorded { record, was_waiting: false, done: None });
        }
    }
}
