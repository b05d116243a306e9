//! Appending: numbers, durability, all or nothing, and ids that are taken.

use std::sync::Arc;

use bytes::Bytes;
use resthooks::model::{Event, EventId, EventSeq, Health, Match, Progress, SubscriptionNo, Timestamp};
use resthooks::store::{Batch, DeliveryFilter, EventFilter, Position, Prior, SubscriptionFilter};

use crate::lab::{Lab, account, at, delivered, first, key, name};

/// A new store has nothing and says so everywhere.
pub async fn an_empty_store_is_at_its_beginning(mut lab: Lab) {
    for _ in 0..2 {
        let store = lab.store();
        assert_eq!(store.position().await.unwrap(), Position::default());
        assert!(store.unrecorded(EventSeq(0), EventSeq(i64::MAX), 10).await.unwrap().is_empty());
        assert!(store.backlog().await.unwrap().is_empty());
        assert!(store.list_events(&EventFilter::default(), first(10)).await.unwrap().is_empty());
        assert!(store.list_deliveries(&DeliveryFilter::default(), first(10)).await.unwrap().is_empty());
        assert!(
            store.list_subscriptions(&SubscriptionFilter::default(), first(10)).await.unwrap().is_empty()
        );
        assert!(store.list_accounts(None, 10).await.unwrap().is_empty());
        let snapshot = store.snapshot().await.unwrap();
        assert!(snapshot.subscriptions.is_empty() && snapshot.event_types.is_empty());
        assert!(snapshot.keys.is_empty() && snapshot.deletions.is_empty());
        lab.reopen().await;
    }
}

/// Numbers are consecutive within a batch and from batch to batch, also across a restart.
pub async fn events_are_numbered_in_order_without_gaps(mut lab: Lab) {
    let mut expected = 1;
    for size in [1, 3, 2] {
        let events = (0..size).map(|_| lab.event("a", &[])).collect();
        for event in lab.append(events).await {
            assert_eq!(event.seq, EventSeq(expected));
            expected += 1;
        }
        lab.reopen().await;
        assert_eq!(lab.store().position().await.unwrap().last, EventSeq(expected - 1));
    }
    let listed = lab.store().list_events(&EventFilter::default(), first(10)).await.unwrap();
    assert_eq!(listed.iter().map(|event| event.seq.0).collect::<Vec<_>>(), [6, 5, 4, 3, 2, 1]);
}

fn full_event(lab: &Lab) -> Event {
    Event {
        id: "order-1:a@b".parse().unwrap(),
        event: name("deal.stage.change"),
        created_at: at(-1_000_000),
        data: Bytes::from_static(b" { \"b\":1.0, \"a\" : \"\xc3\xa9\\u0000\" } "),
        resource_url: Some("https://api.example.com/deals/7?x=é".to_owned()),
        order_key: Some("deal 7".to_owned()),
        debounce_key: Some(String::new()),
        digest: Some([0xab; 32]),
        matched: vec![
            Match { subscription: SubscriptionNo(3), sequence: 1 },
            Match { subscription: SubscriptionNo(4), sequence: 1 << 40 },
            Match { subscription: SubscriptionNo(900_000), sequence: 2 },
        ],
        ..lab.event("acme.1:x@y-Z", &[])
    }
}

/// Every field of an event, and its data byte for byte, survive a restart.
pub async fn an_event_comes_back_as_it_was(mut lab: Lab) {
    let large = Event { data: Bytes::from(vec![b'7'; 1 << 20]), ..lab.event("b", &[]) };
    let to_many = (1..=10_000).map(|no| Match { subscription: SubscriptionNo(no), sequence: 5 }).collect();
    let wide = Event { matched: to_many, created_at: Timestamp::EPOCH, ..lab.event("b", &[]) };
    let late = Event { created_at: Timestamp::MAX, data: Bytes::from_static(b"0"), ..lab.event("b", &[]) };
    let appended = lab.append(vec![full_event(&lab), large, wide, late]).await;
    for _ in 0..2 {
        for event in &appended {
            let read = lab.store().event_by_uid(event.event.uid).await.unwrap();
            assert_eq!(read.as_ref(), Some(event));
        }
        lab.reopen().await;
    }
    assert_eq!(lab.store().event_by_uid(lab.uid()).await.unwrap(), None);
}

/// One event that can't be appended takes the whole batch with it, and what follows is as if it had never been.
pub async fn a_batch_happens_whole_or_not_at_all(lab: Lab) {
    let to = lab.subscribe("a").await;
    let before = lab.emit("a", &[&to]).await;
    let taken = Event { matched: Vec::new(), ..Event::clone(&before.event) };
    let batch = Batch {
        events: vec![Arc::new(lab.event("new", &[])), Arc::new(taken)],
        records: vec![delivered(&before, &to)],
        watermark: Some(EventSeq(1)),
        progress: vec![(to.no, Progress { sequence: 9, health: Health::default() })],
        now: at(1),
    };
    lab.store().commit(Arc::new(batch)).await.unwrap_err();
    let store = lab.store();
    assert_eq!(store.position().await.unwrap(), Position { watermark: EventSeq(0), last: EventSeq(1) });
    assert!(store.deliveries(&[key(&before, &to)]).await.unwrap().is_empty());
    assert_eq!(store.account(&account("new")).await.unwrap(), None);
    assert_eq!(store.snapshot().await.unwrap().subscriptions[0].1, Progress::default());
    assert_eq!(lab.emit("new", &[]).await.seq, EventSeq(2));
}

/// A batch without anything in it is one too.
pub async fn an_empty_batch_changes_nothing(lab: Lab) {
    lab.emit("a", &[]).await;
    lab.store().commit(Arc::new(Batch::default())).await.unwrap();
    assert_eq!(lab.store().position().await.unwrap().last, EventSeq(1));
}

/// The watermark and the counters are there after a restart as they were last given.
pub async fn the_watermark_and_the_counters_are_kept(mut lab: Lab) {
    let [one, other] = [lab.subscribe("a").await, lab.subscribe("a").await];
    lab.append((0..5).map(|_| lab.event("a", &[])).collect()).await;
    let health = Health {
        last_success_at: Some(at(1)),
        last_failure_at: Some(at(2)),
        failing_since: Some(at(3)),
        consecutive_failures: 4,
    };
    for (watermark, progress) in [
        (2, Progress { sequence: 1, health: Health::default() }),
        (4, Progress { sequence: u64::MAX >> 1, health }),
        (5, Progress { sequence: 8, health: Health { failing_since: None, ..health } }),
    ] {
        let batch = Batch {
            watermark: Some(EventSeq(watermark)),
            progress: vec![(one.no, progress)],
            now: at(5),
            ..Batch::default()
        };
        lab.store().commit(Arc::new(batch)).await.unwrap();
        lab.reopen().await;
        let position = Position { watermark: EventSeq(watermark), last: EventSeq(5) };
        assert_eq!(lab.store().position().await.unwrap(), position);
        let snapshot = lab.store().snapshot().await.unwrap();
        let expected = [(one.clone(), progress), (other.clone(), Progress::default())];
        assert_eq!(snapshot.subscriptions.len(), 2);
        assert!(expected.iter().all(|pair| snapshot.subscriptions.contains(pair)));
    }
}

/// Many at once: each gets numbers of its own, and none is left out.
pub async fn commits_at_the_same_time_do_not_meet(lab: Lab) {
    let commits: Vec<_> = (0..40)
        .map(|n| {
            let (store, events) = (lab.share(), vec![Arc::new(lab.event(&format!("a{}", n % 7), &[]))]);
            let batch = Arc::new(Batch { events, now: at(n), ..Batch::default() });
            tokio::spawn(async move { store.commit(batch).await })
        })
        .collect();
    let mut numbers = Vec::new();
    for commit in commits {
        numbers.push(commit.await.unwrap().unwrap().first.0);
    }
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=40).collect::<Vec<_>>());
    assert_eq!(lab.store().list_events(&EventFilter::default(), first(100)).await.unwrap().len(), 40);
}

/// A producer's id is found for its own account, in the order asked for.
pub async fn taken_ids_are_found_per_account(mut lab: Lab) {
    let id: EventId = "order-1".parse().unwrap();
    let two = vec![
        Match { subscription: SubscriptionNo(1), sequence: 1 },
        Match { subscription: SubscriptionNo(2), sequence: 1 },
    ];
    let of_a = Event {
        id: id.clone(),
        digest: Some([1; 32]),
        created_at: at(7),
        matched: two,
        ..lab.event("a", &[])
    };
    let of_b = Event { id: id.clone(), digest: Some([2; 32]), ..lab.event("b", &[]) };
    lab.append(vec![of_a, of_b]).await;
    lab.reopen().await;
    let free: EventId = "order-2".parse().unwrap();
    let asked =
        [("b", &id), ("a", &free), ("a", &id), ("nobody", &id)].map(|(of, id)| (account(of), id.clone()));
    let prior = |byte, millis, matched| Some(Prior { digest: [byte; 32], created_at: at(millis), matched });
    let found = lab.store().find_ids(&asked).await.unwrap();
    assert_eq!(found, [prior(2, 0, 0), None, prior(1, 7, 2), None]);
    assert!(lab.store().find_ids(&[]).await.unwrap().is_empty());
}

/// An id that we made is taken as well, for its account; what a producer sends never equals what it stands for.
/// A producer may give an id that looks like one of ours.
pub async fn ids_that_look_generated_are_found_too(lab: Lab) {
    let made = lab.emit("a", &[]).await;
    let looks = EventId::generated(lab.uid());
    let given = Event { id: looks.clone(), digest: Some([5; 32]), ..lab.event("a", &[]) };
    // Even one that it would have been given anyway, as far as anybody can tell.
    let own = lab.event("a", &[]);
    let same = Event { digest: Some([6; 32]), ..own.clone() };
    lab.append(vec![given, same]).await;
    let ask = |of: &str, id: &EventId| (account(of), id.clone());
    let asked = [
        ask("a", &made.event.id),
        ask("b", &made.event.id),
        ask("a", &looks),
        ask("a", &own.id),
        ask("b", &looks),
    ];
    let found = lab.store().find_ids(&asked).await.unwrap();
    let digests: Vec<_> = found.iter().map(|prior| prior.as_ref().map(|prior| prior.digest)).collect();
    assert_eq!(digests, [Some([0; 32]), None, Some([5; 32]), Some([6; 32]), None]);
    let by_id = lab.store().events_by_id(Some(&account("a")), &own.id).await.unwrap();
    assert_eq!(by_id.len(), 1);
}
