//! Subscriptions and event types.

use resthooks::model::{
    DeliveryStatus, EventType, Health, PayloadKind, PreviousSecret, Progress, Secret, SigningKey,
    Subscription, SubscriptionId, SubscriptionNo, SubscriptionStatus, Terms,
};
use resthooks::store::{Batch, Error, Page, Standing, SubscriptionFilter};

use crate::lab::{Lab, account, after, at, delivered, first, name, record, scheduled};

/// Terms of every kind.
const TERMS: &str = r#"{"retry": {"base": "5s", "factor": 1.5, "max_age": "2d", "statuses": ["429", "5xx"]}, "timeout": "30s",
    "rate_limit": {"limit": 5, "per": "second", "burst": 2}, "expires_at": "2030-01-01T00:00:00Z"}"#;

fn full(lab: &Lab) -> Subscription {
    Subscription {
        events: ["contact.*", "deal.create"].map(|pattern| pattern.parse().unwrap()).to_vec(),
        target_url: "https://bücher.example/x?a=%20b".parse().unwrap(),
        status: SubscriptionStatus::Disabled,
        status_reason: Some("no success for 5 days".to_owned()),
        description: Some("é\u{0}\"".to_owned()),
        metadata: serde_json::from_str(r#"{"b": 1.5, "a": {"c": [null, true, "x"]}}"#).unwrap(),
        payload: PayloadKind::Skinny,
        headers: [("x-team".to_owned(), "blue".to_owned())].into(),
        terms: Terms { max_in_flight: Some(3), ..serde_json::from_str(TERMS).expect("terms") },
        previous_secret: Some(PreviousSecret {
            secret: Secret::from_key([9; 32]),
            signing_key: Some(SigningKey::from_seed([8; 32])),
            signs_until: at(9),
        }),
        updated_at: at(8),
        ..lab.subscription("acme")
    }
}

async fn list(lab: &Lab, filter: &SubscriptionFilter) -> Vec<SubscriptionId> {
    let listed = lab.store().list_subscriptions(filter, first(250)).await.unwrap();
    listed.into_iter().map(|subscription| subscription.id).collect()
}

/// Every field of a subscription survives a restart, as it was made and as it was changed.
pub async fn a_subscription_comes_back_as_it_was(mut lab: Lab) {
    let mut subscription = lab.insert(full(&lab)).await;
    let plain = lab.subscribe("acme").await;
    assert!(subscription.no.0 > 0 && subscription.no < plain.no);
    for change in 0..2 {
        lab.reopen().await;
        let store = lab.store();
        assert_eq!(store.subscription(subscription.id).await.unwrap().as_ref(), Some(&subscription));
        assert_eq!(store.subscription(plain.id).await.unwrap().as_ref(), Some(&plain));
        assert_eq!(store.snapshot().await.unwrap().subscriptions.len(), 2);
        if change == 0 {
            subscription =
                Subscription { no: subscription.no, id: subscription.id, ..lab.subscription("acme") };
            subscription = lab.update(subscription).await;
        }
    }
    assert_eq!(lab.store().subscription(SubscriptionId(lab.uid())).await.unwrap(), None);
}

/// Whoever changes what has changed since it was read is refused, and nothing of the change is done.
pub async fn a_change_of_an_old_version_is_refused(mut lab: Lab) {
    let read = lab.subscribe("a").await;
    let mut kept = read.clone();
    for n in 1..=3 {
        kept = lab.update(Subscription { description: Some(format!("change {n}")), ..kept }).await;
        lab.reopen().await;
        let late = Subscription { status: SubscriptionStatus::Deleted, ..read.clone() };
        let ahead = Subscription { version: kept.version + 1, ..late.clone() };
        for wrong in [late, ahead] {
            let refused = lab.store().update_subscription(&wrong, None).await;
            assert!(matches!(refused, Err(Error::Overtaken)), "{refused:?}");
        }
        let store = lab.store();
        assert_eq!(store.subscription(read.id).await.unwrap().as_ref(), Some(&kept));
        assert_eq!(store.subscriptions_by_no(&[read.no]).await.unwrap(), [kept.clone()]);
        assert_eq!(list(&lab, &SubscriptionFilter::default()).await, [read.id]);
        assert_eq!(store.snapshot().await.unwrap().subscriptions[0].0, kept);
    }
}

/// Counters as they were last saved, and how many deliveries wait: scheduled and held ones.
pub async fn standing_is_told_by_number(mut lab: Lab) {
    let [busy, idle] = [lab.subscribe("a").await, lab.subscribe("a").await];
    let events = lab.append((0..4).map(|_| lab.event("a", &[&busy])).collect()).await;
    let health = Health { last_failure_at: Some(at(7)), failing_since: Some(at(5)), ..Health::default() };
    let progress = Progress { sequence: 4, health: Health { consecutive_failures: 2, ..health } };
    let batch = Batch {
        records: vec![
            scheduled(&events[0], &busy, at(9)),
            record(&events[1], &busy, DeliveryStatus::Held),
            record(&events[2], &busy, DeliveryStatus::Dead),
            delivered(&events[3], &busy),
        ],
        progress: vec![(busy.no, progress)],
        watermark: Some(events[3].seq),
        now: at(8),
        ..Batch::default()
    };
    lab.commit(batch).await.unwrap();
    let ended = lab.update(Subscription { status: SubscriptionStatus::Gone, ..busy }).await;
    let unknown = SubscriptionNo(idle.no.0 + 1);
    for _ in 0..2 {
        let mut told = lab.store().standing(&[idle.no, unknown, ended.no]).await.unwrap();
        told.sort_by_key(|one| one.subscription);
        let expected = [
            Standing { subscription: ended.no, progress, waiting: 2 },
            Standing { subscription: idle.no, progress: Progress::default(), waiting: 0 },
        ];
        assert_eq!(told, expected);
        assert!(lab.store().standing(&[]).await.unwrap().is_empty());
        lab.reopen().await;
    }
}

/// One id, one subscription.
pub async fn a_subscription_id_is_taken_once(lab: Lab) {
    let one = lab.subscribe("a").await;
    let again = lab.store().insert_subscription(&one, None).await;
    assert!(matches!(again, Err(Error::Exists)), "{again:?}");
    assert_eq!(list(&lab, &SubscriptionFilter::default()).await, [one.id]);
}

/// By number, those that exist, whatever their status.
pub async fn subscriptions_are_found_by_number(lab: Lab) {
    let one = lab.subscribe("a").await;
    let gone =
        lab.insert(Subscription { status: SubscriptionStatus::Deleted, ..lab.subscription("b") }).await;
    let unknown = SubscriptionNo(gone.no.0 + 1);
    let mut found = lab.store().subscriptions_by_no(&[gone.no, unknown, one.no]).await.unwrap();
    found.sort_by_key(|subscription| subscription.no);
    assert_eq!(found, [one, gone]);
    assert!(lab.store().subscriptions_by_no(&[]).await.unwrap().is_empty());
}

/// Ended ones are listed when asked for, deleted ones never, but can be read; neither is in the snapshot.
pub async fn ended_subscriptions_are_set_aside(mut lab: Lab) {
    let mut by_status = Vec::new();
    for status in SubscriptionStatus::SHOWN.into_iter().chain([SubscriptionStatus::Deleted]) {
        let one = lab.subscribe("a").await;
        by_status.push(lab.update(Subscription { status, ..one }).await);
    }
    lab.reopen().await;
    for of in [None, Some(account("a"))] {
        let live: Vec<_> =
            by_status.iter().rev().filter(|one| !one.status.is_ended()).map(|one| one.id).collect();
        let filter = SubscriptionFilter { account: of, ..SubscriptionFilter::default() };
        assert_eq!(list(&lab, &filter).await, live);
        for one in &by_status {
            let filter = SubscriptionFilter { status: Some(one.status), ..filter.clone() };
            let expected = if one.status == SubscriptionStatus::Deleted { vec![] } else { vec![one.id] };
            assert_eq!(list(&lab, &filter).await, expected, "{filter:?}");
        }
    }
    for one in &by_status {
        assert_eq!(lab.store().subscription(one.id).await.unwrap().as_ref(), Some(one));
    }
    let snapshot = lab.store().snapshot().await.unwrap();
    assert_eq!(snapshot.subscriptions.len(), 4);
    assert!(snapshot.subscriptions.iter().all(|(one, _)| !one.status.is_ended()));
}

/// By account, target and pattern, each to the letter, and together.
pub async fn subscriptions_are_listed_by_filters(lab: Lab) {
    let make = |of: &str, target: &str, events: &[&str]| Subscription {
        target_url: target.parse().unwrap(),
        events: events.iter().map(|pattern| pattern.parse().unwrap()).collect(),
        ..lab.subscription(of)
    };
    let one = lab.insert(make("a", "https://x.example/1", &["contact.*"])).await.id;
    let two = lab.insert(make("a", "https://x.example/2", &["contact.create", "deal.create"])).await.id;
    let three = lab.insert(make("b", "https://x.example/1", &["contact.create"])).await.id;
    let four = lab.insert(make("a", "https://x.example/1", &["*"])).await.id;
    let none = SubscriptionFilter::default;
    let target = |url: &str| Some(url.parse().unwrap());
    let event = |pattern: &str| Some(pattern.parse().unwrap());
    for (filter, expected) in [
        (none(), vec![four, three, two, one]),
        (SubscriptionFilter { account: Some(account("a")), ..none() }, vec![four, two, one]),
        (SubscriptionFilter { account: Some(account("nobody")), ..none() }, vec![]),
        (SubscriptionFilter { target_url: target("https://x.example/1"), ..none() }, vec![four, three, one]),
        (SubscriptionFilter { target_url: target("https://x.example/"), ..none() }, vec![]),
        (SubscriptionFilter { event: event("contact.create"), ..none() }, vec![three, two]),
        (SubscriptionFilter { event: event("contact.*"), ..none() }, vec![one]),
        (SubscriptionFilter { event: event("*"), ..none() }, vec![four]),
        (SubscriptionFilter { event: event("deal.create"), ..none() }, vec![two]),
        (SubscriptionFilter { event: event("deal.creat"), ..none() }, vec![]),
        (
            SubscriptionFilter {
                account: Some(account("a")),
                target_url: target("https://x.example/1"),
                event: event("contact.*"),
                status: Some(SubscriptionStatus::Active),
            },
            vec![one],
        ),
    ] {
        assert_eq!(list(&lab, &filter).await, expected, "{filter:?}");
    }
}

/// Ten thousand of one account, page by page, newest first, each once.
pub async fn many_subscriptions_are_listed_page_by_page(lab: Lab) {
    let mut made = Vec::new();
    for _ in 0..100 {
        let tasks: Vec<_> = (0..100)
            .map(|_| {
                let (store, new) = (lab.share(), lab.subscription("a"));
                tokio::spawn(async move { (store.insert_subscription(&new, None).await.unwrap(), new.id) })
            })
            .collect();
        for task in tasks {
            made.push(task.await.unwrap());
        }
    }
    made.sort_unstable();
    made.dedup_by_key(|(no, _)| *no);
    let filter = SubscriptionFilter { account: Some(account("a")), ..SubscriptionFilter::default() };
    let mut seen = Vec::new();
    let mut page: Page<SubscriptionId> = first(250);
    loop {
        let listed = lab.store().list_subscriptions(&filter, page).await.unwrap();
        let Some(last) = listed.last() else { break };
        page = after(last.id, 250);
        seen.extend(listed.into_iter().map(|one| one.id));
    }
    let expected: Vec<_> = made.iter().rev().map(|(_, id)| *id).collect();
    assert_eq!(expected.len(), 10_000);
    assert!(seen == expected, "all are listed in order");
    assert_eq!(lab.store().account(&account("a")).await.unwrap().unwrap().subscriptions, 10_000);
}

/// A cursor goes on from a subscription that was deleted meanwhile; an unknown one leads nowhere.
pub async fn a_subscription_cursor_outlives_a_delete(lab: Lab) {
    let [one, two, three] = [lab.subscribe("a").await, lab.subscribe("a").await, lab.subscribe("a").await];
    let two = lab.update(Subscription { status: SubscriptionStatus::Deleted, ..two }).await;
    let filter = SubscriptionFilter::default();
    let listed = lab.store().list_subscriptions(&filter, after(two.id, 10)).await.unwrap();
    assert_eq!(listed, [one]);
    assert_eq!(list(&lab, &filter).await.first(), Some(&three.id));
    let unknown = SubscriptionId(lab.uid());
    assert!(lab.store().list_subscriptions(&filter, after(unknown, 10)).await.unwrap().is_empty());
}

/// Put twice is replaced, deleted is gone, and the rest stays.
pub async fn event_types_are_put_and_deleted(mut lab: Lab) {
    let full = EventType {
        name: name("contact.create"),
        description: Some("é".to_owned()),
        schema: serde_json::from_str(r#"{"type": "object", "required": ["id"]}"#).unwrap(),
        sample: Some(serde_json::Value::Bool(false)),
        resource_url: Some("https://api.example.com/contacts/{id}".to_owned()),
        archived: true,
        created_at: at(1),
        updated_at: at(2),
    };
    let bare = EventType {
        name: name("deal.create"),
        description: None,
        schema: None,
        sample: None,
        resource_url: None,
        archived: false,
        ..full.clone()
    };
    let changed = EventType { name: full.name.clone(), updated_at: at(3), ..bare.clone() };
    for one in [&full, &bare] {
        lab.store().put_event_type(one, None).await.unwrap();
    }
    lab.reopen().await;
    let all = |lab: &Lab| {
        let store = lab.share();
        async move {
            let mut all = store.snapshot().await.unwrap().event_types;
            all.sort_by(|a, b| a.name.cmp(&b.name));
            all
        }
    };
    assert_eq!(all(&lab).await, [full, bare.clone()]);
    lab.store().put_event_type(&changed, None).await.unwrap();
    assert_eq!(all(&lab).await, [changed.clone(), bare.clone()]);
    assert!(lab.store().delete_event_type(&changed.name, None).await.unwrap());
    assert!(!lab.store().delete_event_type(&changed.name, None).await.unwrap());
    lab.reopen().await;
    assert_eq!(all(&lab).await, [bare]);
}
