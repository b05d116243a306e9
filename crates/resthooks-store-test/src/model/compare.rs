//! Asks the store and the model the same questions.

use std::collections::BTreeMap;

use resthooks::model::{
    Delivery, DeliveryKey, DeliveryStatus, EventSeq, SequencedEvent, Subscription, SubscriptionNo,
    SubscriptionStatus, Timestamp,
};
use resthooks::store::{
    AccountSummary, AuditFilter, DeliveryFilter, EventFilter, LeaseDue, Page, SubscriptionFilter, Unrecorded,
};

use super::work::{ACCOUNTS, NAMES, PATTERNS, TARGETS, Trial};
use crate::lab::{Lab, account, at, first, name};

const ALL: usize = 100_000;

/// All there is, and some questions at random.
pub(super) async fn all(trial: &mut Trial, lab: &Lab) {
    recovery(trial, lab).await;
    control(trial, lab).await;
    audit(trial, lab).await;
    lease(trial, lab).await;
    events(trial, lab).await;
    for _ in 0..3 {
        deliveries(trial, lab).await;
        subscriptions(trial, lab).await;
    }
    attempts(trial, lab).await;
}

async fn recovery(trial: &Trial, lab: &Lab) {
    let plain = &trial.plain;
    assert_eq!(lab.position().await.watermark, plain.watermark());
    let numbers: Vec<SubscriptionNo> = plain.subscriptions.keys().copied().collect();
    let mut standing = lab.store().standing(&numbers).await.unwrap();
    standing.sort_by_key(|one| one.subscription);
    assert_eq!(standing, plain.standing());
    let all: Vec<Unrecorded> = plain
        .events
        .iter()
        .map(|(seq, event)| Unrecorded {
            event: SequencedEvent { seq: *seq, event: event.clone() },
            missing: plain.missing(*seq),
        })
        .collect();
    let open = |of: Vec<Unrecorded>| of.into_iter().filter(|one| !one.missing.is_empty()).collect::<Vec<_>>();
    let own = |one: &&Unrecorded| one.event.seq > plain.watermark();
    assert_eq!(lab.unrecorded_of(lab.node()).await, all.iter().filter(own).cloned().collect::<Vec<_>>());
    // Of nodes that were before this one, those alone that something is missing of: the others may be forgotten.
    assert_eq!(open(lab.unrecorded().await), open(all));
}

/// What the store said when it was last opened.
pub(super) fn reopened(trial: &Trial, lab: &Lab) {
    assert_eq!(lab.inherited(), trial.plain.backlog());
}

async fn control(trial: &Trial, lab: &Lab) {
    let plain = &trial.plain;
    let mut snapshot = lab.store().snapshot().await.unwrap();
    snapshot.subscriptions.sort_by_key(|(one, _)| one.no);
    let live: Vec<_> =
        plain.subscriptions.values().filter(|(one, _)| !one.status.is_ended()).cloned().collect();
    assert_eq!(snapshot.subscriptions, live);
    snapshot.event_types.sort_by(|a, b| a.name.cmp(&b.name));
    assert_eq!(snapshot.event_types, plain.event_types.values().cloned().collect::<Vec<_>>());
    snapshot.keys.sort_by_key(|key| key.id);
    let mut keys = plain.keys.clone();
    keys.sort_by_key(|key| key.id);
    assert_eq!(snapshot.keys, keys);
    assert!(snapshot.deletions.is_empty());
    let settings: BTreeMap<_, _> = snapshot.accounts.into_iter().collect();
    assert_eq!(settings, plain.settings);
    let accounts = lab.store().list_accounts(None, ALL).await.unwrap();
    let accounts: Vec<_> =
        accounts.into_iter().map(|one| AccountSummary { created_at: Timestamp::EPOCH, ..one }).collect();
    assert_eq!(accounts, plain.accounts());
}

async fn audit(trial: &mut Trial, lab: &Lab) {
    let any = trial.dice.pick(&trial.plain.audit).cloned();
    let filter = AuditFilter {
        account: maybe(trial, &ACCOUNTS, 3).map(account),
        actor: any.as_ref().filter(|_| trial.dice.once_in(3)).map(|entry| entry.actor.clone()),
        action: any.as_ref().filter(|_| trial.dice.once_in(3)).map(|entry| entry.action),
        object: any.filter(|_| trial.dice.once_in(3)).map(|entry| entry.object),
        ..AuditFilter::default()
    };
    let listed = lab.store().list_audit(&filter, first(ALL)).await.unwrap();
    assert_eq!(listed, trial.plain.list_audit(&filter), "{filter:?}");
}

async fn lease(trial: &mut Trial, lab: &Lab) {
    let Some(subscription) = trial.any_subscription() else { return };
    let ask = LeaseDue {
        node: lab.node(),
        subscription,
        now: at(trial.dice.millis(2_500)),
        limit: 1 + trial.dice.below(4),
        except: trial.some_events(),
    };
    let leased = lab.store().lease_due(ask.clone()).await.unwrap();
    let (taken, next_due) = trial.plain.lease(&ask);
    assert_eq!(leased.deliveries.iter().map(|one| one.event.seq).collect::<Vec<_>>(), taken, "{ask:?}");
    assert_eq!(leased.next_due, next_due, "{ask:?}");
    for one in leased.deliveries {
        let row = &trial.plain.rows[&DeliveryKey { event: one.event.seq, subscription }].record;
        assert_eq!((one.sequence, one.attempts, one.automatic), (row.sequence, row.attempts, row.automatic));
        assert_eq!(one.event.event, trial.plain.events[&one.event.seq]);
    }
}

/// One of these, or none.
fn maybe<T: Clone>(trial: &mut Trial, from: &[T], times: usize) -> Option<T> {
    trial.dice.once_in(times).then(|| trial.dice.pick(from).cloned()).flatten()
}

fn times(trial: &mut Trial) -> (Option<Timestamp>, Option<Timestamp>) {
    let mut time = || trial.dice.once_in(4).then(|| at(trial.dice.millis(2_000)));
    (time(), time())
}

async fn events(trial: &mut Trial, lab: &Lab) {
    let (since, until) = times(trial);
    let filter = EventFilter {
        account: maybe(trial, &ACCOUNTS, 2).map(account),
        event: maybe(trial, &NAMES, 2).map(name),
        since,
        until,
    };
    let expected = trial.plain.list_events(&filter);
    let page =
        |place: Option<&SequencedEvent>, limit| Page { after: place.map(|event| event.event.uid), limit };
    assert_eq!(lab.store().list_events(&filter, page(None, ALL)).await.unwrap(), expected, "{filter:?}");
    let (cut, limit) = (trial.dice.below(expected.len()), 1 + trial.dice.below(5));
    if let Some(cursor) = expected.get(cut) {
        let listed = lab.store().list_events(&filter, page(Some(cursor), limit)).await.unwrap();
        assert!(expected.iter().skip(cut + 1).take(limit).eq(&listed), "{filter:?} after {cursor:?}");
        let (of, id) = (&cursor.event.account, &cursor.event.id);
        assert_eq!(lab.store().events_by_id(Some(of), id).await.unwrap(), std::slice::from_ref(cursor));
        let found = lab.store().find_ids(&[(of.clone(), id.clone())]).await.unwrap();
        let prior = found.first().unwrap().clone().unwrap();
        assert_eq!(prior.digest, cursor.event.digest.unwrap_or_default());
        assert_eq!((prior.created_at, prior.matched), (cursor.event.created_at, cursor.event.matched.len()));
    }
}

async fn deliveries(trial: &mut Trial, lab: &Lab) {
    let (since, until) = times(trial);
    let events: Vec<EventSeq> = trial.plain.events.keys().copied().collect();
    let subscription = if trial.dice.once_in(4) { trial.any_subscription() } else { None };
    let filter = DeliveryFilter {
        account: maybe(trial, &ACCOUNTS, 2).map(account),
        subscription,
        event: maybe(trial, &events, 6),
        event_type: maybe(trial, &NAMES, 3).map(name),
        status: maybe(trial, &DeliveryStatus::ALL, 2),
        since,
        until,
    };
    let expected = trial.plain.list_deliveries(&filter);
    let listed = lab.store().list_deliveries(&filter, first(ALL)).await.unwrap();
    assert_eq!(listed, expected, "{filter:?}");
    let (cut, limit) = (trial.dice.below(expected.len()), 1 + trial.dice.below(5));
    if let Some(cursor) = expected.get(cut) {
        let page = Page { after: Some(cursor.id), limit };
        let listed = lab.store().list_deliveries(&filter, page).await.unwrap();
        let rest: Vec<&Delivery> = expected.iter().skip(cut + 1).take(limit).collect();
        assert_eq!(listed.iter().collect::<Vec<_>>(), rest, "{filter:?} after {cursor:?}");
    }
}

async fn subscriptions(trial: &mut Trial, lab: &Lab) {
    let filter = SubscriptionFilter {
        account: maybe(trial, &ACCOUNTS, 2).map(account),
        status: maybe(trial, &SubscriptionStatus::SHOWN, 3),
        target_url: maybe(trial, &TARGETS, 3).map(|url| url.parse().unwrap()),
        event: maybe(trial, &PATTERNS, 3).map(|pattern| pattern.parse().unwrap()),
    };
    let expected = trial.plain.list_subscriptions(&filter);
    let listed = lab.store().list_subscriptions(&filter, first(ALL)).await.unwrap();
    assert_eq!(listed, expected, "{filter:?}");
    let (cut, limit) = (trial.dice.below(expected.len()), 1 + trial.dice.below(3));
    if let Some(cursor) = expected.get(cut) {
        let page = Page { after: Some(cursor.id), limit };
        let listed = lab.store().list_subscriptions(&filter, page).await.unwrap();
        let rest: Vec<&Subscription> = expected.iter().skip(cut + 1).take(limit).collect();
        assert_eq!(listed.iter().collect::<Vec<_>>(), rest, "{filter:?} after {cursor:?}");
        assert_eq!(lab.store().subscription(cursor.id).await.unwrap().as_ref(), Some(cursor));
    }
}

async fn attempts(trial: &mut Trial, lab: &Lab) {
    let keys: Vec<DeliveryKey> = trial.plain.rows.keys().copied().collect();
    for _ in 0..5 {
        let Some(key) = trial.dice.pick(&keys).copied() else { return };
        assert_eq!(lab.store().attempts(key).await.unwrap(), trial.plain.rows[&key].attempts, "{key:?}");
        let read = lab.store().deliveries(&[key]).await.unwrap();
        assert_eq!(read, trial.plain.delivery(key).into_iter().collect::<Vec<_>>());
    }
}
