//! Events emitted in applications' own transactions: taken from the store's outbox and accepted like any other.
//!
//! An event is accepted in the very transaction that takes it out of the outbox, so that it is neither lost nor accepted
//! twice, whichever nodes look at it. What can't be accepted is set aside with the reason.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::oneshot;

use super::{Append, Origin, emitted};
use crate::core::Core;
use crate::error::Error;
use crate::events::Accepted;
use crate::model::{Actor, EventName};
use crate::options::EventTypes;
use crate::store::{Emitted, EmittedAsk};

/// Events that are taken at once.
const PAGE: usize = 500;
/// How often the outbox is looked at when nothing is told.
const LOOK: Duration = Duration::from_millis(500);
/// After the store failed.
const AFTER_FAILURE: Duration = Duration::from_secs(1);

type Answer = oneshot::Receiver<Result<Vec<Accepted>, Error>>;

/// Accepts what is emitted in transactions, until the engine stops.
pub(crate) async fn collect(core: Arc<Core>) {
    let clock = Arc::clone(&core.options.clock);
    while !core.stopping.is_cancelled() {
        let told = core.told.notified();
        let pause = match collect_page(&core).await {
            Ok(0) => LOOK,
            // A page may be short because its events are large.
            Ok(_) => continue,
            Err(error) => {
                tracing::warn!(%error, "events emitted in transactions could not be taken; trying again");
                AFTER_FAILURE
            }
        };
        tokio::select! {
            () = told, if pause == LOOK => {}
            () = clock.sleep(pause) => {}
            () = core.stopping.cancelled() => {}
        }
    }
}

/// Accepts some; how many there were.
async fn collect_page(core: &Arc<Core>) -> Result<usize, Error> {
    let of = core.live_nodes.load(Ordering::Relaxed).max(1);
    let place = core.place.load(Ordering::Relaxed) % of;
    let found = core.store.emitted(EmittedAsk { of, place, limit: PAGE }).await?;
    let mut answers: Vec<Answer> = Vec::with_capacity(found.len());
    for row in &found {
        answers.push(hand_in(core, row).await?);
    }
    let mut refused = None;
    for answer in answers {
        // Another node may have been quicker, or nothing could be written: it is found again, or has gone.
        if let Ok(Err(error)) = answer.await {
            refused = Some(error);
        }
    }
    refused.map_or(Ok(found.len()), Err)
}

async fn hand_in(core: &Arc<Core>, row: &Emitted) -> Result<Answer, Error> {
    let mut registered = Ok(());
    if core.options.event_types == EventTypes::Auto
        && let Ok(name) = row.event.parse::<EventName>()
        && core.catalog.get(&name).is_none()
    {
        registered = match core.register_on_first_use(&name, &Arc::new(Actor::application())).await {
            Err(error @ (Error::Unavailable { .. } | Error::Internal(_))) => return Err(error),
            // What can't be registered must not hold up what stands behind it.
            other => other.map(drop).map_err(|error| error.to_string()),
        };
    }
    let now = core.options.clock.now();
    let judged = registered.and_then(|()| emitted(row, &core.catalog, &*core.options.random, now));
    let (reply, answer) = oneshot::channel();
    let (events, origin) = match judged {
        Ok(event) => (vec![event], Origin::Emitted(row.no)),
        Err(reason) => {
            tracing::error!(
                event = row.event,
                account = row.account,
                id = row.id,
                reason,
                "an event emitted in a transaction was refused and set aside"
            );
            (Vec::new(), Origin::Refused(row.no, reason))
        }
    };
    core.writer.append(Append { events, origin, reply })?;
    Ok(answer)
}
