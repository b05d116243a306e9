//! Appending: numbers, durability, all or nothing, and ids that are taken.

use std::sync::Arc;

use bytes::Bytes;
use resthooks::model::{Event, EventId, EventSeq, Health, Match, Progress, SubscriptionNo, Timestamp};
use resthooks::store::{Batch, DeliveryFilter, Error, EventFilter, Position, Prior, SubscriptionFilter};

use crate::lab::{Lab, account, at, delivered, first, key, name};

/// A new store has nothing and says so everywhere.
pub async fn an_empty_store_is_at_its_beginning(mut lab: Lab) {
    for _ in 0..2 {
        let store = lab.store();
        assert!(lab.unrecorded().await.is_empty());
        assert!(lab.inherited().is_empty());
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

/// Numbers ascend within a batch and from batch to batch, also across a restart.
pub async fn events_are_numbered_in_order(mut lab: Lab) {
    let mut all: Vec<EventSeq> = Vec::new();
    for size in [1, 3, 2] {
        let events = (0..size).map(|_| lab.event("a", &[])).collect();
        let appended = lab.append(events).await;
        all.extend(appended.iter().map(|event| event.seq));
        assert_eq!(lab.position().await.last, *all.last().unwrap());
        lab.reopen().await;
        assert!(lab.joined_after() >= *all.last().unwrap());
    }
    assert!(all.is_sorted_by(|one, next| one < next) && all[0] > EventSeq(0), "{all:?}");
    let listed = lab.store().list_events(&EventFilter::default(), first(10)).await.unwrap();
    assert!(listed.iter().map(|event| event.seq).eq(all.into_iter().rev()));
}

/// A clock that was set back, or is behind another node's, gives no number that comes before one that was given.
pub async fn numbers_ascend_although_the_clock_was_set_back(mut lab: Lab) {
    let mut last = lab.emit("a", &[]).await.seq;
    for back in [0, 5_000, 5_000] {
        let events = [lab.event("a", &[])];
        let batch = Batch {
            events: events.iter().cloned().map(Arc::new).collect(),
            now: at(-back),
            ..Batch::default()
        };
        let next = lab.commit(batch).await.unwrap().numbers[0];
        assert!(next > last, "{next:?} comes after {last:?}");
        last = next;
        lab.reopen().await;
    }
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
    let own = own_id(&lab, "a", "order-1", 1);
    let before = lab.append(vec![Event { matched: lab.event("a", &[&to]).matched, ..own }]).await.remove(0);
    let position = lab.position().await;
    let again = own_id(&lab, "a", "order-1", 2);
    let batch = Batch {
        events: vec![Arc::new(lab.event("new", &[&to])), Arc::new(again)],
        records: vec![delivered(&before, &to)],
        watermark: Some(before.seq),
        progress: vec![(to.no, Progress { sequence: 2, health: failing() })],
        now: at(1),
        ..Batch::default()
    };
    let refused = lab.commit(batch).await;
    assert!(matches!(refused, Err(Error::Overtaken)), "{refused:?}");
    let store = lab.store();
    assert_eq!(lab.position().await, position);
    assert!(store.deliveries(&[key(&before, &to)]).await.unwrap().is_empty());
    assert_eq!(store.account(&account("new")).await.unwrap(), None);
    assert_eq!(store.snapshot().await.unwrap().subscriptions[0].1.health, Health::default());
    assert_eq!(
        store.list_events(&EventFilter::default(), first(10)).await.unwrap(),
        std::slice::from_ref(&before)
    );
    let next = lab.emit("new", &[&to]).await;
    assert!(next.seq > before.seq);
}

/// The same id twice, in one batch or in two: the second is refused, and with it what came beside it.
pub async fn a_batch_with_a_taken_id_is_overtaken(mut lab: Lab) {
    let all =
        async |lab: &Lab| lab.store().list_events(&EventFilter::default(), first(10)).await.unwrap().len();
    let twice = [own_id(&lab, "a", "order-1", 1), own_id(&lab, "a", "order-1", 1)];
    let late = [own_id(&lab, "a", "order-3", 3), own_id(&lab, "b", "order-2", 2)];
    for (events, before) in [(twice, 0), (late, 2)] {
        let batch = Batch { events: events.map(Arc::new).to_vec(), now: at(1), ..Batch::default() };
        let refused = lab.commit(batch).await;
        assert!(matches!(refused, Err(Error::Overtaken)), "{refused:?}");
        assert_eq!(all(&lab).await, before);
        if before == 0 {
            lab.append(vec![lab.event("a", &[]), own_id(&lab, "b", "order-2", 2)]).await;
            lab.reopen().await;
        }
    }
    lab.append(vec![own_id(&lab, "a", "order-3", 3), own_id(&lab, "c", "order-2", 2)]).await;
    assert_eq!(all(&lab).await, 4);
}

/// An event with its producer's id.
fn own_id(lab: &Lab, of: &str, id: &str, digest: u8) -> Event {
    Event { id: id.parse().unwrap(), digest: Some([digest; 32]), ..lab.event(of, &[]) }
}

/// A batch without anything in it is one too.
pub async fn an_empty_batch_changes_nothing(lab: Lab) {
    let event = lab.emit("a", &[]).await;
    let committed = lab.commit(Batch::default()).await.unwrap();
    assert!(committed.numbers.is_empty() && committed.shifts.is_empty());
    assert_eq!(lab.position().await.last, event.seq);
}

fn failing() -> Health {
    Health {
        last_success_at: None,
        last_failure_at: Some(at(20)),
        failing_since: Some(at(10)),
        consecutive_failures: 4,
    }
}

/// The watermark and the counters are there as they were last given, by this node or by one that was before it.
pub async fn the_watermark_and_the_counters_are_kept(mut lab: Lab) {
    let [one, other] = [lab.subscribe("a").await, lab.subscribe("a").await];
    let mended =
        Health { last_success_at: Some(at(30)), failing_since: None, consecutive_failures: 0, ..failing() };
    for (nth, health) in (1..).zip([Health::default(), failing(), mended]) {
        let events = lab.append((0..2).map(|_| lab.event("a", &[&one])).collect()).await;
        let progress = Progress { sequence: nth * 2, health };
        let batch = Batch {
            watermark: Some(events[0].seq),
            progress: vec![(one.no, progress)],
            now: at(50),
            ..Batch::default()
        };
        lab.commit(batch).await.unwrap();
        let position = Position { watermark: events[0].seq, last: events[1].seq };
        assert_eq!(lab.position().await, position);
        let last: Vec<_> = lab.unrecorded().await.pop().into_iter().map(|one| one.event).collect();
        assert_eq!(last, events[1..]);
        lab.reopen().await;
        assert_eq!(lab.unrecorded().await.last().unwrap().event, events[1]);
        let snapshot = lab.store().snapshot().await.unwrap();
        let expected = [(one.clone(), progress), (other.clone(), Progress::default())];
        assert_eq!(snapshot.subscriptions.len(), 2);
        assert!(expected.iter().all(|pair| snapshot.subscriptions.contains(pair)), "{snapshot:?}");
    }
}

/// Many at once: each gets numbers of its own, and none is left out.
pub async fn commits_at_the_same_time_do_not_meet(lab: Lab) {
    let mut tasks = Vec::new();
    for node in 0..8 {
        let events: Vec<Event> = (0..5).map(|n| lab.event(&format!("a{}", (node + n) % 7), &[])).collect();
        let (store, no) = if lab.store().is_shared() {
            let other = lab.another().await;
            (other.share(), other.node())
        } else {
            (lab.share(), lab.node())
        };
        tasks.push(tokio::spawn(async move {
            let mut numbers = Vec::new();
            for event in events {
                let events = vec![Arc::new(event)];
                let batch = Batch { node: no, events, now: at(0), ..Batch::default() };
                numbers.extend(store.commit(Arc::new(batch)).await.unwrap().numbers);
            }
            numbers
        }));
    }
    let mut all = Vec::new();
    for task in tasks {
        let numbers = task.await.unwrap();
        assert!(numbers.is_sorted());
        all.extend(numbers);
    }
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), 40);
    let listed = lab.store().list_events(&EventFilter::default(), first(100)).await.unwrap();
    assert!(listed.iter().rev().map(|event| event.seq).eq(all));
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
