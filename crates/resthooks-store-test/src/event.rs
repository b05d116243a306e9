//! Reading events back.

use resthooks::model::{Event, EventId, EventSeq, SequencedEvent, Uid};
use resthooks::store::EventFilter;

use crate::lab::{Lab, account, after, at, first, name, places};

/// What is listed, as places in this list.
async fn listed(lab: &Lab, of: &[SequencedEvent], filter: &EventFilter) -> Vec<usize> {
    let listed = lab.store().list_events(filter, first(250)).await.unwrap();
    places(of, listed.iter().map(|event| event.seq))
}

/// By a public id: in one account, or in any.
pub async fn events_are_found_by_their_id(lab: Lab) {
    let id: EventId = "order-1".parse().unwrap();
    let own = |of: &str| Event { id: id.clone(), digest: Some([1; 32]), ..lab.event(of, &[]) };
    let appended = lab.append(vec![own("a"), own("b"), own("c"), lab.event("a", &[])]).await;
    let (store, a, b) = (lab.store(), account("a"), account("b"));
    assert_eq!(store.events_by_id(Some(&a), &id).await.unwrap(), [appended[0].clone()]);
    assert_eq!(store.events_by_id(Some(&b), &id).await.unwrap(), [appended[1].clone()]);
    assert!(store.events_by_id(Some(&account("nobody")), &id).await.unwrap().is_empty());
    let any = store.events_by_id(None, &id).await.unwrap();
    assert_eq!(any.len(), 2);
    assert!(any.iter().all(|event| event.event.id == id));
    let made = &appended[3];
    for asked in [None, Some(&a)] {
        assert_eq!(store.events_by_id(asked, &made.event.id).await.unwrap(), std::slice::from_ref(made));
    }
    assert!(store.events_by_id(Some(&b), &made.event.id).await.unwrap().is_empty());
    assert!(store.events_by_id(None, &EventId::generated(lab.uid())).await.unwrap().is_empty());
}

/// An event whose producer chose its id is not found by the id that it would have been given.
pub async fn an_own_id_replaces_the_generated_one(lab: Lab) {
    let own = Event { id: "x".parse().unwrap(), digest: Some([1; 32]), ..lab.event("a", &[]) };
    let looks = EventId::generated(own.uid);
    let other = Event { id: looks.clone(), digest: Some([2; 32]), ..lab.event("b", &[]) };
    let appended = lab.append(vec![own, other]).await;
    assert!(lab.store().events_by_id(Some(&account("a")), &looks).await.unwrap().is_empty());
    assert_eq!(lab.store().events_by_id(None, &looks).await.unwrap(), [appended[1].clone()]);
    assert_eq!(lab.store().event_by_uid(appended[0].event.uid).await.unwrap(), Some(appended[0].clone()));
}

/// Newest first, each once, page by page, although more come in between.
pub async fn events_are_listed_page_by_page(lab: Lab) {
    let events = lab.append((0..7).map(|_| lab.event("a", &[])).collect()).await;
    let mut seen = Vec::new();
    let mut cursor: Option<Uid> = None;
    loop {
        let page = resthooks::store::Page { after: cursor, limit: 3 };
        let listed = lab.store().list_events(&EventFilter::default(), page).await.unwrap();
        seen.extend(listed.iter().map(|event| event.seq));
        lab.emit("a", &[]).await;
        match listed.last() {
            Some(last) => cursor = Some(last.event.uid),
            None => break,
        }
    }
    assert_eq!(places(&events, seen), [7, 6, 5, 4, 3, 2, 1]);
    let unknown = lab.store().list_events(&EventFilter::default(), after(lab.uid(), 3)).await.unwrap();
    assert!(unknown.is_empty());
}

/// By account, by type, and by both; of what is not known nothing is listed.
pub async fn events_are_listed_by_account_and_type(lab: Lab) {
    let of = |account: &str, kind: &str| Event { event: name(kind), ..lab.event(account, &[]) };
    let events = vec![of("a", "x.y"), of("b", "x.y"), of("a", "x.z"), of("b", "x.z"), of("a", "x.y")];
    let events = lab.append(events).await;
    let filter = |of: Option<&str>, kind: Option<&str>| EventFilter {
        account: of.map(account),
        event: kind.map(name),
        ..EventFilter::default()
    };
    for (filter, expected) in [
        (filter(None, None), vec![5, 4, 3, 2, 1]),
        (filter(Some("a"), None), vec![5, 3, 1]),
        (filter(None, Some("x.y")), vec![5, 2, 1]),
        (filter(Some("a"), Some("x.y")), vec![5, 1]),
        (filter(Some("b"), Some("x.z")), vec![4]),
        (filter(Some("nobody"), None), vec![]),
        (filter(None, Some("no.thing")), vec![]),
        (filter(Some("a"), Some("no.thing")), vec![]),
    ] {
        assert_eq!(listed(&lab, &events, &filter).await, expected, "{filter:?}");
    }
}

/// By the time at which they happened, which need not follow the order in which they came; also when there are many.
pub async fn events_are_listed_by_time(mut lab: Lab) {
    // Mostly in order, with one of long ago and one of the future far from their places.
    let time = |n: i64| match n {
        1_500 => -5_000_000,
        2_500 => 9_000_000,
        _ => n * 10,
    };
    let mut all: Vec<SequencedEvent> = Vec::new();
    for chunk in 0..30 {
        let of = |n: i64| ["a", "b"][usize::try_from(n % 2).unwrap()];
        let event = |n: i64| Event { created_at: at(time(n)), ..lab.event(of(n), &[]) };
        all.extend(lab.append((chunk * 100..(chunk + 1) * 100).map(event).collect()).await);
    }
    for _ in 0..2 {
        for (since, until) in [
            (Some(10_000), Some(10_050)),
            (Some(29_980), None),
            (None, Some(20)),
            (None, Some(-4_000_000)),
            (Some(8_999_999), None),
            (Some(9_000_000), Some(9_000_000)),
            (Some(9_000_001), None),
            (None, Some(-5_000_000)),
            (Some(24_900), Some(25_100)),
        ] {
            for of in [None, Some("a")] {
                let filter = EventFilter {
                    account: of.map(account),
                    since: since.map(at),
                    until: until.map(at),
                    ..EventFilter::default()
                };
                let fits = |event: &&SequencedEvent| {
                    let created = event.event.created_at;
                    filter.account.as_ref().is_none_or(|of| *of == event.event.account)
                        && filter.since.is_none_or(|since| created >= since)
                        && filter.until.is_none_or(|until| created < until)
                };
                let expected: Vec<EventSeq> =
                    all.iter().rev().filter(fits).map(|event| event.seq).take(250).collect();
                assert_eq!(listed(&lab, &all, &filter).await, places(&all, expected), "{filter:?}");
            }
        }
        lab.reopen().await;
    }
}
