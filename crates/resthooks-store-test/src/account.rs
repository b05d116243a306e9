//! Accounts: what they hold, and their end.

use resthooks::model::{
    AccountSettings, ApiKey, DeliveryStatus, Event, EventId, Intent, KeyHash, KeyId, KeyRole, Subscription,
    SubscriptionStatus,
};
use resthooks::store::{AccountSummary, Batch, DeletedAccount, DeliveryFilter, Error, EventFilter, Record};

use crate::lab::{Lab, account, at, attempt, delivered, first, key, record, scheduled};

async fn insert_key(lab: &Lab, of: &str) -> ApiKey {
    let id = KeyId(lab.uid());
    let hash = KeyHash::of(&id.to_string());
    let key = ApiKey {
        id,
        role: KeyRole::Consumer(account(of)),
        name: None,
        hash,
        created_at: at(3),
        access: resthooks::model::Access::Full,
        expires_at: None,
        last_used_at: None,
    };
    lab.store().insert_key(&key, None).await.unwrap();
    key
}

/// Deletes to the end; how many steps it took.
pub(crate) async fn delete_rest(lab: &Lab, deleted: &DeletedAccount, limit: usize) -> usize {
    for steps in 1..10_000 {
        if lab.store().delete_account_step(deleted, limit).await.unwrap() {
            return steps;
        }
    }
    panic!("the deletion comes to no end");
}

/// An account is there with the first thing of it, counted, ascending by id, page by page.
pub async fn accounts_are_listed_with_what_they_hold(mut lab: Lab) {
    lab.emit("m", &[]).await;
    lab.emit("m", &[]).await;
    insert_key(&lab, "z").await;
    lab.subscribe("A").await;
    lab.subscribe("A").await;
    lab.insert(Subscription { status: SubscriptionStatus::Gone, ..lab.subscription("A") }).await;
    lab.reopen().await;
    let summary = |id: &str, created, subscriptions, events, api_keys| AccountSummary {
        id: account(id),
        created_at: at(created),
        subscriptions,
        events,
        api_keys,
        settings: AccountSettings::default(),
    };
    let expected = [summary("A", 0, 2, 0, 0), summary("m", 0, 0, 2, 0), summary("z", 3, 0, 0, 1)];
    let store = lab.store();
    assert_eq!(store.list_accounts(None, 10).await.unwrap(), expected);
    assert_eq!(store.list_accounts(None, 2).await.unwrap(), expected[..2]);
    assert_eq!(store.list_accounts(Some(&account("A")), 1).await.unwrap(), expected[1..2]);
    assert_eq!(store.list_accounts(Some(&account("b")), 9).await.unwrap(), expected[1..]);
    assert!(store.list_accounts(Some(&account("z")), 9).await.unwrap().is_empty());
    for one in expected {
        assert_eq!(store.account(&one.id).await.unwrap(), Some(one));
    }
    assert_eq!(store.account(&account("nobody")).await.unwrap(), None);
}

fn wants(intent: Intent) -> AccountSettings {
    AccountSettings { intent: Some(intent) }
}

/// Settings are told with the account and at start, where there are any. They are something that an account holds.
pub async fn settings_are_kept_and_told(mut lab: Lab) {
    lab.subscribe("a").await;
    let store = lab.store();
    let [a, b] = [account("a"), account("b")];
    store.put_account(&a, &wants(Intent::Echo), at(1), None).await.unwrap();
    store.put_account(&b, &wants(Intent::None), at(2), None).await.unwrap();
    store.put_account(&a, &wants(Intent::Options), at(3), None).await.unwrap();
    store.put_account(&account("c"), &AccountSettings::default(), at(3), None).await.unwrap();
    lab.reopen().await;
    let store = lab.store();
    let told = |all: Vec<AccountSummary>| -> Vec<_> {
        all.into_iter().map(|one| (one.id, one.created_at, one.subscriptions, one.settings)).collect()
    };
    let expected =
        [(a.clone(), at(0), 1, wants(Intent::Options)), (b.clone(), at(2), 0, wants(Intent::None))];
    assert_eq!(told(store.list_accounts(None, 9).await.unwrap()), expected);
    assert_eq!(told(store.account(&b).await.unwrap().into_iter().collect()), expected[1..]);
    let mut known = store.snapshot().await.unwrap().accounts;
    known.sort_by(|one, other| one.0.cmp(&other.0));
    assert_eq!(known, [(a.clone(), wants(Intent::Options)), (b.clone(), wants(Intent::None))]);
    for id in [&a, &b] {
        store.put_account(id, &AccountSettings::default(), at(4), None).await.unwrap();
    }
    assert!(store.snapshot().await.unwrap().accounts.is_empty());
    assert_eq!(store.account(&a).await.unwrap().unwrap().settings, AccountSettings::default());
    assert_eq!(store.account(&b).await.unwrap(), None, "it holds nothing any more");
}

/// A deletion takes settings at once, and those alone that were there when it began.
pub async fn settings_go_with_their_account(mut lab: Lab) {
    let a = account("a");
    lab.emit("a", &[]).await;
    lab.store().put_account(&a, &wants(Intent::Echo), at(1), None).await.unwrap();
    let deleted = lab.store().begin_delete_account(&a, at(2), None).await.unwrap().unwrap();
    lab.reopen().await;
    assert!(lab.store().snapshot().await.unwrap().accounts.is_empty());
    lab.store().put_account(&a, &wants(Intent::Challenge), at(3), None).await.unwrap();
    delete_rest(&lab, &deleted, 100).await;
    lab.reopen().await;
    assert_eq!(lab.store().account(&a).await.unwrap().unwrap().settings, wants(Intent::Challenge));
    // With nothing but settings.
    let again = lab.store().begin_delete_account(&a, at(4), None).await.unwrap().unwrap();
    delete_rest(&lab, &again, 100).await;
    assert_eq!(lab.store().account(&a).await.unwrap(), None);
}

/// With its last thing an account goes out of sight.
pub async fn an_account_that_holds_nothing_is_none(lab: Lab) {
    let key = insert_key(&lab, "a").await;
    lab.store().delete_key(key.id, None).await.unwrap();
    assert_eq!(lab.store().account(&account("a")).await.unwrap(), None);
    assert!(lab.store().list_accounts(None, 10).await.unwrap().is_empty());
    for id in ["a", "nobody"] {
        assert_eq!(lab.store().begin_delete_account(&account(id), at(9), None).await.unwrap(), None);
    }
}

/// Keys and subscriptions go at once, events with all that is theirs in steps; nothing of it is left, and nothing
/// of anybody else's is touched.
pub async fn a_deleted_account_leaves_nothing(mut lab: Lab) {
    let [of_a, of_b] = [lab.subscribe("a").await, lab.subscribe("b").await];
    let [_, kept] = [insert_key(&lab, "a").await, insert_key(&lab, "b").await];
    let id: EventId = "order-1".parse().unwrap();
    let own = |to: &Subscription| Event {
        id: id.clone(),
        digest: Some([1; 32]),
        ..lab.event(to.account.as_str(), &[to])
    };
    let events =
        lab.append(vec![own(&of_a), own(&of_b), lab.event("a", &[&of_a]), lab.event("a", &[&of_a])]).await;
    lab.write(
        vec![delivered(&events[0], &of_a), delivered(&events[1], &of_b), scheduled(&events[2], &of_a, at(1))],
        at(1),
    )
    .await;
    let again = Record {
        has_row: true,
        attempts: 2,
        attempt: Some(attempt(2)),
        ..scheduled(&events[2], &of_a, at(9))
    };
    lab.write(vec![again], at(2)).await;
    let deleted = lab.store().begin_delete_account(&of_a.account, at(5), None).await.unwrap().unwrap();
    assert_eq!(deleted.account, of_a.account);
    assert!(deleted.through >= events[3].seq);
    lab.reopen().await;
    let snapshot = lab.store().snapshot().await.unwrap();
    assert_eq!(snapshot.deletions, std::slice::from_ref(&deleted));
    assert_eq!(snapshot.keys, [kept]);
    assert_eq!(snapshot.subscriptions.iter().map(|(one, _)| one).collect::<Vec<_>>(), [&of_b]);
    assert_eq!(lab.store().subscription(of_a.id).await.unwrap(), None);
    assert_eq!(delete_rest(&lab, &deleted, 1).await, 3);
    lab.reopen().await;
    let store = lab.store();
    assert!(store.snapshot().await.unwrap().deletions.is_empty());
    assert_eq!(store.account(&of_a.account).await.unwrap(), None);
    assert_eq!(store.list_events(&EventFilter::default(), first(10)).await.unwrap(), [events[1].clone()]);
    assert_eq!(store.list_deliveries(&DeliveryFilter::default(), first(10)).await.unwrap().len(), 1);
    assert!(store.attempts(key(&events[2], &of_a)).await.unwrap().is_empty());
    assert!(lab.inherited().is_empty());
    let found =
        store.find_ids(&[(of_a.account.clone(), id.clone()), (of_b.account.clone(), id)]).await.unwrap();
    assert!(found[0].is_none() && found[1].is_some());
    assert!(lab.emit("a", &[]).await.seq > deleted.through, "a deleted event's number is not given again");
}

/// What comes after the beginning of a deletion is a new account's and stays.
pub async fn a_deleted_account_may_begin_anew(mut lab: Lab) {
    lab.append((0..3).map(|_| lab.event("a", &[])).collect()).await;
    let deleted = lab.store().begin_delete_account(&account("a"), at(5), None).await.unwrap().unwrap();
    let new = lab.subscribe("a").await;
    let event = lab.emit("a", &[&new]).await;
    lab.write(vec![delivered(&event, &new)], at(6)).await;
    assert!(!lab.store().delete_account_step(&deleted, 2).await.unwrap());
    lab.reopen().await;
    delete_rest(&lab, &deleted, 100).await;
    let summary = lab.store().account(&account("a")).await.unwrap().unwrap();
    assert_eq!((summary.subscriptions, summary.events), (1, 1));
    assert_eq!(lab.store().deliveries(&[key(&event, &new)]).await.unwrap().len(), 1);
    assert_eq!(lab.store().snapshot().await.unwrap().subscriptions[0].0, new);
}

/// A second deletion before the first is done takes in what has come since.
pub async fn a_deletion_may_be_begun_again(lab: Lab) {
    let one = lab.emit("a", &[]).await;
    let earlier = lab.store().begin_delete_account(&account("a"), at(1), None).await.unwrap().unwrap();
    let other = lab.emit("a", &[]).await;
    let later = lab.store().begin_delete_account(&account("a"), at(2), None).await.unwrap().unwrap();
    assert!(one.seq <= earlier.through && earlier.through < other.seq && other.seq <= later.through);
    delete_rest(&lab, &earlier, 10).await;
    assert_eq!(lab.store().snapshot().await.unwrap().deletions, std::slice::from_ref(&later));
    delete_rest(&lab, &later, 10).await;
    assert!(lab.store().snapshot().await.unwrap().deletions.is_empty());
    assert_eq!(lab.store().account(&account("a")).await.unwrap(), None);
}

/// What was in flight when its account was deleted is recorded late: that must leave nothing behind, before and
/// after the last step.
pub async fn late_records_of_a_deleted_account_are_dropped(lab: Lab) {
    let to = lab.subscribe("a").await;
    let in_flight = lab.append((0..2).map(|_| lab.event("a", &[&to])).collect()).await;
    let known = lab.schedule(&to, at(1)).await;
    let deleted = lab.store().begin_delete_account(&to.account, at(5), None).await.unwrap().unwrap();
    let late = |has_row| Record { has_row, ..delivered(if has_row { &known } else { &in_flight[0] }, &to) };
    lab.write(vec![late(false), late(true)], at(6)).await;
    delete_rest(&lab, &deleted, 10).await;
    // Meanwhile the account has begun anew.
    let new = lab.emit("a", &[]).await;
    let records = vec![late(false), late(true), record(&in_flight[1], &to, DeliveryStatus::Dead)];
    let progress = vec![(to.no, resthooks::model::Progress { sequence: 3, ..Default::default() })];
    let batch = Batch { records, progress, watermark: Some(new.seq), now: at(7), ..Batch::default() };
    lab.commit(batch).await.unwrap();
    let late = lab.store().update_subscription(&to, None).await;
    assert!(matches!(late, Err(Error::Overtaken)), "{late:?}");
    let keys = [key(&in_flight[0], &to), key(&in_flight[1], &to), key(&known, &to)];
    assert!(lab.store().deliveries(&keys).await.unwrap().is_empty());
    for key in keys {
        assert!(lab.store().attempts(key).await.unwrap().is_empty());
    }
    assert!(lab.store().snapshot().await.unwrap().subscriptions.is_empty());
    assert_eq!(lab.store().subscription(to.id).await.unwrap(), None);
}

/// One event with thousands of deliveries, and thousands of events, go in steps that come to an end.
pub async fn a_large_account_goes_in_steps(lab: Lab) {
    let to = lab.subscribe("a").await;
    let events = lab.append((0..300).map(|_| lab.event("a", &[&to])).collect()).await;
    let mut records: Vec<Record> = events.iter().map(|event| delivered(event, &to)).collect();
    // One event to many; the subscriptions need not exist for that.
    records.extend((0..12_000).map(|n| {
        let mut one = delivered(&events[0], &to);
        one.key.subscription.0 = to.no.0 + 1 + n;
        one
    }));
    lab.write(records, at(1)).await;
    let deleted = lab.store().begin_delete_account(&to.account, at(5), None).await.unwrap().unwrap();
    let steps = delete_rest(&lab, &deleted, 100).await;
    assert!(steps >= 3, "{steps} steps of 100 events");
    assert_eq!(lab.store().account(&to.account).await.unwrap(), None);
    assert!(lab.emit("a", &[]).await.seq > events[299].seq);
}
