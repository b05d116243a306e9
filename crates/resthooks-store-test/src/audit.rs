//! The audit trail: with each change, for good, found by what it tells of.

use resthooks::model::{
    AccountSettings, Actor, ApiKey, AuditAction, AuditEntry, AuditId, Intent, KeyRole, Subscription,
    Timestamp, Uid,
};
use resthooks::store::{AuditFilter, Error, Page};

use crate::account::delete_rest;
use crate::key::key;
use crate::lab::{Lab, account, after, at, first};
use crate::shared::change::event_type;

/// All of it, newest first.
async fn trail(lab: &Lab) -> Vec<AuditEntry> {
    lab.store().list_audit(&AuditFilter::default(), first(1_000)).await.unwrap()
}

/// Written together with what it tells of, and there after a restart, with all that it says.
pub async fn an_entry_is_written_with_each_change(mut lab: Lab) {
    use AuditAction as Did;
    let mut written = Vec::new();
    let mut entry = |lab: &Lab, action| {
        let full = AuditEntry {
            at: at(7),
            actor: Actor::new("jwt", &"tenant é \"7\""),
            account: Some(account("a")),
            changed: vec!["target_url".to_owned(), "headers".to_owned()],
            reason: Some("the target said 410 \u{1f980}".to_owned()),
            ..lab.entry(action, format!("object-{}", written.len()))
        };
        let one = if written.len() % 2 == 0 { full } else { lab.entry(action, "contact.create") };
        written.insert(0, one.clone());
        one
    };
    let store = lab.share();
    let mut one = lab.subscription("a");
    let created = entry(&lab, Did::SubscriptionCreated);
    one.no = store.insert_subscription(&one, Some(&created)).await.unwrap();
    store.update_subscription(&one, Some(&entry(&lab, Did::SubscriptionUpdated))).await.unwrap();
    let kind = event_type("contact.create");
    for action in [Did::EventTypeCreated, Did::EventTypeUpdated] {
        store.put_event_type(&kind, Some(&entry(&lab, action))).await.unwrap();
    }
    assert!(store.delete_event_type(&kind.name, Some(&entry(&lab, Did::EventTypeDeleted))).await.unwrap());
    let key = key(&lab, KeyRole::Provider);
    store.insert_key(&key, Some(&entry(&lab, Did::ApiKeyCreated))).await.unwrap();
    assert!(store.delete_key(key.id, Some(&entry(&lab, Did::ApiKeyRevoked))).await.unwrap());
    let settings = AccountSettings { intent: Some(Intent::Echo) };
    let updated = entry(&lab, Did::AccountUpdated);
    store.put_account(&account("a"), &settings, at(1), Some(&updated)).await.unwrap();
    let deleted = entry(&lab, Did::AccountDeleted);
    assert!(store.begin_delete_account(&account("a"), at(2), Some(&deleted)).await.unwrap().is_some());
    drop(store);
    for _ in 0..2 {
        assert_eq!(trail(&lab).await, written);
        lab.reopen().await;
    }
}

/// What was refused, or found nothing to change, is not told of.
pub async fn what_changes_nothing_leaves_no_entry(lab: Lab) {
    let store = lab.store();
    let former = lab.subscribe("a").await;
    lab.update(former.clone()).await;
    let consumer = key(&lab, KeyRole::Consumer(account("a")));
    store.insert_key(&consumer, None).await.unwrap();
    let settings = AccountSettings { intent: Some(Intent::Challenge) };
    store.put_account(&account("a"), &settings, at(1), None).await.unwrap();

    let entry = |action| lab.entry(action, "nothing");
    let updated = store.update_subscription(&former, Some(&entry(AuditAction::SubscriptionUpdated))).await;
    assert!(matches!(updated, Err(Error::Overtaken)), "{updated:?}");
    let again = Subscription { no: former.no, ..former };
    let created = store.insert_subscription(&again, Some(&entry(AuditAction::SubscriptionCreated))).await;
    assert!(matches!(created, Err(Error::Exists)), "{created:?}");
    let same_hash = ApiKey { hash: consumer.hash, ..key(&lab, KeyRole::Provider) };
    let made = store.insert_key(&same_hash, Some(&entry(AuditAction::ApiKeyCreated))).await;
    assert!(matches!(made, Err(Error::Exists)), "{made:?}");
    assert!(!store.delete_key(same_hash.id, Some(&entry(AuditAction::ApiKeyRevoked))).await.unwrap());
    let unknown = event_type("contact.create").name;
    assert!(!store.delete_event_type(&unknown, Some(&entry(AuditAction::EventTypeDeleted))).await.unwrap());
    let put = entry(AuditAction::AccountUpdated);
    store.put_account(&account("a"), &settings, at(2), Some(&put)).await.unwrap();
    store.put_account(&account("b"), &AccountSettings::default(), at(2), Some(&put)).await.unwrap();
    let deleted = entry(AuditAction::AccountDeleted);
    assert!(store.begin_delete_account(&account("b"), at(3), Some(&deleted)).await.unwrap().is_none());
    assert_eq!(trail(&lab).await, []);
}

/// An entry made at this time; the nth of that moment.
fn entry_at(millis: i64, n: u128) -> AuditEntry {
    AuditEntry {
        id: AuditId(Uid::new(at(millis), n)),
        at: at(millis),
        actor: Actor::system(),
        action: AuditAction::SubscriptionGone,
        object: "sub_1".to_owned(),
        account: None,
        changed: Vec::new(),
        reason: None,
    }
}

/// Puts these into the trail, whatever they tell of.
async fn write(lab: &Lab, entries: &[AuditEntry]) {
    for entry in entries {
        lab.store().put_event_type(&event_type("contact.create"), Some(entry)).await.unwrap();
    }
}

/// By each filter alone and by all together; times from the first on and before the second.
pub async fn entries_are_listed_by_filters(lab: Lab) {
    let by = |n: i64, actor: &Actor, action, object: &str, of: Option<&str>| AuditEntry {
        actor: actor.clone(),
        action,
        object: object.to_owned(),
        account: of.map(account),
        ..entry_at(n, 1)
    };
    let (one, other) = (Actor::application(), Actor::new("key", &"key_1"));
    let (made, gone) = (AuditAction::SubscriptionCreated, AuditAction::SubscriptionDeleted);
    let all = [
        by(1, &one, made, "sub_1", Some("a")),
        by(2, &other, made, "sub_2", Some("a")),
        by(3, &other, gone, "sub_1", Some("a")),
        by(4, &other, made, "sub_3", Some("b")),
        by(5, &one, made, "sub_1", None),
    ];
    write(&lab, &all).await;
    let filter = AuditFilter::default;
    let since = |millis| Some(at(millis));
    for (filter, expected) in [
        (filter(), vec![5, 4, 3, 2, 1]),
        (AuditFilter { account: Some(account("a")), ..filter() }, vec![3, 2, 1]),
        (AuditFilter { account: Some(account("c")), ..filter() }, vec![]),
        (AuditFilter { object: Some("sub_1".to_owned()), ..filter() }, vec![5, 3, 1]),
        (AuditFilter { object: Some("sub_".to_owned()), ..filter() }, vec![]),
        (AuditFilter { actor: Some(other.clone()), ..filter() }, vec![4, 3, 2]),
        (AuditFilter { action: Some(gone), ..filter() }, vec![3]),
        (AuditFilter { since: since(2), ..filter() }, vec![5, 4, 3, 2]),
        (AuditFilter { until: since(4), ..filter() }, vec![3, 2, 1]),
        (AuditFilter { since: since(2), until: since(2), ..filter() }, vec![]),
        (AuditFilter { since: Some(Timestamp::from_millis(-1)), ..filter() }, vec![5, 4, 3, 2, 1]),
        (
            AuditFilter { account: Some(account("a")), object: Some("sub_1".to_owned()), ..filter() },
            vec![3, 1],
        ),
        (
            AuditFilter {
                account: Some(account("a")),
                actor: Some(other),
                action: Some(gone),
                object: Some("sub_1".to_owned()),
                since: since(3),
                until: since(4),
            },
            vec![3],
        ),
    ] {
        let listed = lab.store().list_audit(&filter, first(10)).await.unwrap();
        let places: Vec<i64> = listed.iter().map(|entry| entry.at.as_millis() - at(0).as_millis()).collect();
        assert_eq!(places, expected, "{filter:?}");
    }
}

/// Newest first, each once, within a filter and without one, though many are of one moment.
pub async fn entries_are_listed_page_by_page(lab: Lab) {
    let entries: Vec<AuditEntry> = (0..90)
        .map(|n| AuditEntry {
            account: (n % 3 == 0).then(|| account("a")),
            ..entry_at(n / 10, u128::from(n.unsigned_abs()))
        })
        .collect();
    write(&lab, &entries).await;
    for of in [None, Some(account("a"))] {
        let filter = AuditFilter { account: of.clone(), ..AuditFilter::default() };
        let mut seen = Vec::new();
        let mut page: Page<AuditId> = first(7);
        loop {
            let listed = lab.store().list_audit(&filter, page).await.unwrap();
            assert!(listed.len() <= 7);
            let Some(last) = listed.last() else { break };
            page = after(last.id, 7);
            seen.extend(listed);
        }
        let expected: Vec<&AuditEntry> =
            entries.iter().rev().filter(|entry| of.is_none() || entry.account == of).collect();
        assert_eq!(seen.iter().collect::<Vec<_>>(), expected);
    }
}

/// Entries of an account that is deleted stay, to the end of the deletion and when another one begins under its name.
pub async fn the_trail_outlives_its_account(mut lab: Lab) {
    let of_account = |action| AuditEntry { account: Some(account("a")), ..lab.entry(action, "a") };
    let created = of_account(AuditAction::SubscriptionCreated);
    lab.store().insert_subscription(&lab.subscription("a"), Some(&created)).await.unwrap();
    lab.emit("a", &[]).await;
    let gone = of_account(AuditAction::AccountDeleted);
    let deleted = lab.store().begin_delete_account(&account("a"), at(5), Some(&gone)).await.unwrap().unwrap();
    delete_rest(&lab, &deleted, 100).await;
    assert_eq!(lab.store().account(&account("a")).await.unwrap(), None);
    let filter = AuditFilter { account: Some(account("a")), ..AuditFilter::default() };
    for _ in 0..2 {
        assert_eq!(lab.store().list_audit(&filter, first(9)).await.unwrap(), [gone.clone(), created.clone()]);
        lab.subscribe("a").await;
        lab.reopen().await;
    }
}
