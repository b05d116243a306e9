//! How nodes hear of each other's changes.

use std::time::Duration;

use resthooks::model::{
    AccountSettings, ApiKey, EventType, Intent, KeyHash, KeyId, KeyRole, Subscription, SubscriptionStatus,
};
use resthooks::store::{Change, ChangeNo};

use crate::lab::{Lab, account, at, name};

pub(crate) fn event_type(kind: &str) -> EventType {
    EventType {
        name: name(kind),
        description: None,
        schema: None,
        sample: None,
        resource_url: None,
        archived: false,
        created_at: at(1),
        updated_at: at(2),
    }
}

fn key_of(lab: &Lab, whose: &str, secret: &str) -> ApiKey {
    let role = KeyRole::Consumer(account(whose));
    ApiKey {
        id: KeyId(lab.uid()),
        role,
        name: None,
        hash: KeyHash::of(secret),
        created_at: at(3),
        access: resthooks::model::Access::Full,
        expires_at: None,
        last_used_at: None,
    }
}

/// An account that has nothing any more.
fn gone(id: &str) -> Change {
    Change::Account {
        id: account(id),
        subscriptions: Vec::new(),
        keys: Vec::new(),
        settings: AccountSettings::default(),
    }
}

/// What one node sees after some point.
struct View<'a> {
    of: &'a Lab,
    through: ChangeNo,
}

impl<'a> View<'a> {
    async fn new(of: &'a Lab) -> Self {
        Self { of, through: of.store().snapshot().await.unwrap().change }
    }

    async fn next(&mut self, limit: usize) -> (Vec<Change>, bool) {
        let seen = self.of.store().changes(self.through, limit).await.unwrap();
        assert!(seen.through >= self.through && seen.changes.len() <= limit);
        self.through = seen.through;
        (seen.changes, seen.more)
    }
}

/// One change after the other, each as it stands; whoever made it hears of it as well, in case its answer was lost.
pub async fn all_see_changes_in_their_order(lab: Lab) {
    let other = lab.another().await;
    let (mut seen, mut own) = (View::new(&other).await, View::new(&lab).await);
    let mut expect = async |expected: Vec<Change>| {
        assert_eq!(seen.next(100).await, (expected.clone(), false));
        assert_eq!(own.next(100).await, (expected, false));
        let later = lab.store().snapshot().await.unwrap().change;
        assert_eq!((seen.through, own.through), (later, later));
    };
    let store = lab.store();
    expect(Vec::new()).await;

    let one = lab.subscribe("a").await;
    expect(vec![Change::Subscription(Box::new(one.clone()))]).await;
    let one = lab.update(Subscription { status: SubscriptionStatus::Paused, ..one }).await;
    expect(vec![Change::Subscription(Box::new(one.clone()))]).await;
    let one = lab.update(Subscription { status: SubscriptionStatus::Gone, ..one }).await;
    expect(vec![Change::Subscription(Box::new(one.clone()))]).await;

    let kind = event_type("contact.create");
    store.put_event_type(&kind, None).await.unwrap();
    expect(vec![Change::EventType(kind.name.clone(), Some(Box::new(kind.clone())))]).await;
    store.delete_event_type(&kind.name, None).await.unwrap();
    expect(vec![Change::EventType(kind.name, None)]).await;

    let key = key_of(&lab, "a", "secret");
    let id = key.id;
    store.insert_key(&key, None).await.unwrap();
    expect(vec![Change::Key(id, Some(Box::new(key)))]).await;
    store.delete_key(id, None).await.unwrap();
    expect(vec![Change::Key(id, None)]).await;

    store.begin_delete_account(&account("a"), at(5), None).await.unwrap().unwrap();
    expect(vec![gone("a")]).await;
    // What changes nothing is no change.
    let refused = store.update_subscription(&one, None).await;
    assert!(refused.is_err());
    assert!(!store.delete_key(id, None).await.unwrap());
    expect(Vec::new()).await;
}

/// A deletion that is heard of late takes only what went with it: it tells what the account has since, and nothing of
/// another's.
pub async fn an_account_that_began_anew_keeps_what_it_has(lab: Lab) {
    let other = lab.another().await;
    let (mut all, mut parts) = (View::new(&other).await, View::new(&lab).await);
    let store = lab.store();
    lab.subscribe("a").await;
    let former = key_of(&lab, "a", "former");
    store.insert_key(&former, None).await.unwrap();
    let beside = lab.subscribe("b").await;
    let key_beside = key_of(&lab, "b", "beside");
    store.insert_key(&key_beside, None).await.unwrap();
    other.store().begin_delete_account(&account("a"), at(5), None).await.unwrap().unwrap();
    let active = lab.subscribe("a").await;
    let paused = other.subscribe("a").await;
    let paused = other.update(Subscription { status: SubscriptionStatus::Paused, ..paused }).await;
    let ended = lab.subscribe("a").await;
    let ended = lab.update(Subscription { status: SubscriptionStatus::Gone, ..ended }).await;
    let key = key_of(&lab, "a", "new");
    store.insert_key(&key, None).await.unwrap();

    let shown = |one: &Subscription| Change::Subscription(Box::new(one.clone()));
    let added = |key: &ApiKey| Change::Key(key.id, Some(Box::new(key.clone())));
    let has = Change::Account {
        id: account("a"),
        subscriptions: vec![active.no, paused.no],
        keys: vec![key.id],
        settings: AccountSettings::default(),
    };
    let expected = vec![
        Change::Key(former.id, None),
        shown(&beside),
        added(&key_beside),
        has,
        shown(&active),
        shown(&paused),
        shown(&ended),
        added(&key),
    ];
    let (seen, more) = all.next(100).await;
    assert_eq!((in_order(seen), more), (expected.clone(), false));
    // The same where a part ends between the deletion and what came after. What was changed twice is seen twice then.
    let (mut seen, mut more) = (Vec::new(), true);
    while more {
        let part = parts.next(1).await;
        seen.extend(part.0);
        more = part.1;
    }
    let mut seen = in_order(seen);
    seen.dedup();
    assert_eq!(seen, expected);

    store.begin_delete_account(&account("a"), at(9), None).await.unwrap().unwrap();
    assert_eq!(all.next(100).await, (vec![gone("a")], false));
}

/// What an account has is told in no order.
fn in_order(mut changes: Vec<Change>) -> Vec<Change> {
    for change in &mut changes {
        if let Change::Account { subscriptions, keys, .. } = change {
            subscriptions.sort_unstable();
            keys.sort_unstable();
        }
    }
    changes
}

/// Settings as they stand now, also those of an account that began anew; when keys were used is nobody's business.
pub async fn settings_are_seen_and_uses_of_keys_are_not(lab: Lab) {
    let other = lab.another().await;
    let mut view = View::new(&other).await;
    let store = lab.store();
    let wants = |intent| AccountSettings { intent: Some(intent) };
    let set = |id: &str, settings| Change::AccountSettings(account(id), settings);
    store.put_account(&account("a"), &wants(Intent::Echo), at(1), None).await.unwrap();
    assert_eq!(view.next(9).await.0, [set("a", wants(Intent::Echo))]);
    store.put_account(&account("a"), &wants(Intent::Echo), at(2), None).await.unwrap();
    assert_eq!(view.next(9).await.0, [], "nothing was changed");
    let key = key_of(&lab, "b", "secret");
    store.insert_key(&key, None).await.unwrap();
    view.next(9).await;
    store.touch_keys(&[(key.id, at(9))]).await.unwrap();
    assert_eq!(view.next(9).await.0, []);
    store.begin_delete_account(&account("a"), at(3), None).await.unwrap().unwrap();
    assert_eq!(view.next(9).await.0, [gone("a")]);
    // Seen late, a deletion tells of the settings that the account has since.
    store.put_account(&account("a"), &wants(Intent::Options), at(4), None).await.unwrap();
    store.begin_delete_account(&account("a"), at(5), None).await.unwrap().unwrap();
    store.put_account(&account("a"), &wants(Intent::Challenge), at(6), None).await.unwrap();
    let anew = Change::Account {
        id: account("a"),
        subscriptions: Vec::new(),
        keys: Vec::new(),
        settings: wants(Intent::Challenge),
    };
    assert_eq!(view.next(9).await.0, [anew, set("a", wants(Intent::Challenge))]);
    store.put_account(&account("a"), &AccountSettings::default(), at(7), None).await.unwrap();
    assert_eq!(view.next(9).await.0, [set("a", AccountSettings::default())]);
}

/// Many are seen in parts, in their order, whoever made them.
pub async fn changes_are_seen_in_parts(lab: Lab) {
    let other = lab.another().await;
    let mut view = View::new(&other).await;
    let kinds: Vec<EventType> = (0..10).map(|n| event_type(&format!("thing.n{n}"))).collect();
    for (n, kind) in kinds.iter().enumerate() {
        let by = if n % 3 == 1 { &other } else { &lab };
        by.store().put_event_type(kind, None).await.unwrap();
    }
    let mut seen = Vec::new();
    for _ in 0..kinds.len() {
        let (changes, more) = view.next(2).await;
        seen.extend(changes);
        if !more {
            break;
        }
    }
    let expected: Vec<Change> =
        kinds.iter().map(|one| Change::EventType(one.name.clone(), Some(Box::new(one.clone())))).collect();
    assert_eq!(seen, expected);
    assert_eq!(view.next(2).await, (Vec::new(), false));
}

/// Nodes that change things at once: a change is seen by whoever looks after it was made, whatever else is under way,
/// and none is left out.
pub async fn no_change_is_left_out_although_many_are_made_at_once(lab: Lab) {
    let mut tasks = Vec::new();
    for n in 0..4 {
        let node = lab.another().await;
        tasks.push(tokio::spawn(async move {
            for m in 0..15 {
                node.store().put_event_type(&event_type(&format!("thing.n{n}.m{m}")), None).await.unwrap();
            }
        }));
    }
    let mut view = View { of: &lab, through: ChangeNo::default() };
    let mut seen = Vec::new();
    while seen.len() < 60 {
        let finished = tasks.iter().all(tokio::task::JoinHandle::is_finished);
        let (changes, more) = view.next(7).await;
        assert!(!changes.is_empty() || more || !finished, "only {} of 60 changes were seen", seen.len());
        seen.extend(changes);
        tokio::task::yield_now().await;
    }
    for task in tasks {
        task.await.unwrap();
    }
    let mut names: Vec<String> = seen
        .into_iter()
        .map(|change| match change {
            Change::EventType(name, Some(_)) => name.as_str().to_owned(),
            other => panic!("nobody made {other:?}"),
        })
        .collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), 60);
}

/// Whoever waits hears that there is something new. What it is told may be lost, so that a change is made again until
/// it has heard.
pub async fn others_are_told(lab: Lab) {
    let other = lab.another().await;
    let told = other.share();
    let mut told = tokio::spawn(async move { told.told().await });
    for n in 0..600 {
        lab.store().put_event_type(&event_type(&format!("thing.n{n}")), None).await.unwrap();
        if tokio::time::timeout(Duration::from_millis(50), &mut told).await.is_ok() {
            return;
        }
    }
    panic!("nobody was told");
}
