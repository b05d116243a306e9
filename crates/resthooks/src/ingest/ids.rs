//! Producers' own ids: the same event again is answered as the first time, another one with its id is refused.

use std::collections::HashMap;

use super::{Append, Origin};
use crate::core::Core;
use crate::error::Error;
use crate::events::Accepted;
use crate::model::{AccountId, Event, EventId};
use crate::store::Prior;

/// What is left to append.
#[derive(Debug, Default)]
pub(super) struct Sorted {
    pub appends: Vec<Append>,
}

/// Answers the appends whose ids are taken, and leaves those that are new. Those that share an id with one before
/// them in the same transaction are put back: the next transaction sees what became of it. Only this node's writer
/// appends, one transaction at a time, so that what is free here is free until the commit.
pub(super) async fn sort_out(core: &Core, appends: Vec<Append>) -> Sorted {
    let ids: Vec<(AccountId, EventId)> = appends
        .iter()
        .flat_map(|append| &append.events)
        .filter(|event| event.digest.is_some())
        .map(|event| (event.account.clone(), event.id.clone()))
        .collect();
    if ids.is_empty() {
        return Sorted { appends };
    }
    let found = match core.store.find_ids(&ids).await {
        Ok(found) => found,
        Err(error) => {
            let detail = error.to_string();
            appends.into_iter().for_each(|append| drop(append.reply.send(Err(store_error(&detail)))));
            return Sorted::default();
        }
    };
    let mut known: HashMap<(AccountId, EventId), Option<Prior>> = ids.into_iter().zip(found).collect();
    let mut sorted = Sorted::default();
    let mut later = Vec::new();
    let mut taken = std::collections::HashSet::new();
    for append in appends {
        let keys: Vec<_> = with_ids(&append).map(|event| (event.account.clone(), event.id.clone())).collect();
        if keys.iter().any(|key| taken.contains(key)) {
            later.push(append);
            continue;
        }
        if let Some(append) = answer_known(core, append, &mut known) {
            taken.extend(keys);
            sorted.appends.push(append);
        }
    }
    core.writer.put_back_appends(later);
    sorted
}

fn with_ids(append: &Append) -> impl Iterator<Item = &Event> {
    append.events.iter().filter(|event| event.digest.is_some())
}

fn store_error(detail: &str) -> Error {
    Error::Unavailable { retry_after: std::time::Duration::from_secs(1), detail: detail.to_owned() }
}

/// Gives back an append that has something new in it. One of which all is known is answered here; one of which
/// something contradicts what is known is refused; of one that is known in part, only the new events are appended.
fn answer_known(
    core: &Core,
    append: Append,
    known: &mut HashMap<(AccountId, EventId), Option<Prior>>,
) -> Option<Append> {
    let prior =
        |event: &Event| known.get(&(event.account.clone(), event.id.clone())).and_then(Option::as_ref);
    let priors: Vec<Option<&Prior>> =
        append.events.iter().map(|event| event.digest.and_then(|_| prior(event))).collect();
    let conflict = append
        .events
        .iter()
        .zip(&priors)
        .find(|(event, prior)| prior.is_some_and(|prior| Some(prior.digest) != event.digest));
    if let Some((event, _)) = conflict {
        let detail = format!("the id {} was used for another event of this account", event.id);
        if let Origin::Emitted(no) = append.origin {
            tracing::error!(id = %event.id, "an event emitted in a transaction was refused and set aside: {detail}");
            return Some(Append {
                events: Vec::new(),
                origin: Origin::Refused(no, detail),
                reply: append.reply,
            });
        }
        drop(append.reply.send(Err(Error::Conflict { code: "idempotency_conflict", detail })));
        return None;
    }
    if priors.iter().all(Option::is_none) {
        return Some(append);
    }
    let repeated = priors.iter().filter(|prior| prior.is_some()).count();
    core.stats.events_repeated.fetch_add(repeated as u64, std::sync::atomic::Ordering::Relaxed);
    if repeated == append.events.len() {
        if matches!(append.origin, Origin::Emitted(_)) {
            // It was accepted before; what stands in the outbox goes.
            return Some(Append { events: Vec::new(), ..append });
        }
        let answers = append.events.iter().zip(&priors);
        let answers = answers.filter_map(|(event, prior)| prior.map(|prior| Accepted::again(event, prior)));
        let answers = answers.collect();
        drop(append.reply.send(Ok(answers)));
        return None;
    }
    Some(partly_known(append, &priors))
}

/// Splits an append: what is new is appended, what is known is answered from the store, in the caller's order.
fn partly_known(append: Append, priors: &[Option<&Prior>]) -> Append {
    let answers: Vec<Option<Accepted>> = append
        .events
        .iter()
        .zip(priors)
        .map(|(event, prior)| prior.map(|prior| Accepted::again(event, prior)))
        .collect();
    let is_new: Vec<bool> = answers.iter().map(Option::is_none).collect();
    let mut is_new = is_new.into_iter();
    let events = append.events.into_iter().filter(|_| is_new.next().unwrap_or(true)).collect();
    let (reply, committed) = tokio::sync::oneshot::channel::<Result<Vec<Accepted>, Error>>();
    let caller = append.reply;
    tokio::spawn(async move {
        let Ok(result) = committed.await else { return };
        let merged = result.map(|new| {
            let mut new = new.into_iter();
            answers.into_iter().filter_map(|known| known.or_else(|| new.next())).collect()
        });
        drop(caller.send(merged));
    });
    Append { events, origin: append.origin, reply }
}
