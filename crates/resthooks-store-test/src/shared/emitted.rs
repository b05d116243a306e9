//! Events that applications emit in their own transactions.

use std::sync::Arc;

use resthooks::model::{Event, EventId, Timestamp};
use resthooks::store::{Batch, Emitted, EmittedAsk, Error, EventFilter};

use super::change::event_type;
use crate::lab::{Emission, Lab, account, at, first, name};

fn emission(of: &str) -> Emission {
    Emission {
        event: "contact.create".to_owned(),
        account: of.to_owned(),
        data: r#"{"id": 7}"#.to_owned(),
        ..Emission::default()
    }
}

/// Registers the type that these events have: others may be refused at once.
async fn register(lab: &Lab) {
    lab.store().put_event_type(&event_type("contact.create"), None).await.unwrap();
}

async fn emit(lab: &Lab, emission: &Emission) -> String {
    let statement = lab.store().emit_statement().unwrap();
    lab.place().emit(&statement, emission, true).await
}

/// All that wait, as a node sees them that is alone.
async fn waiting(lab: &Lab) -> Vec<Emitted> {
    lab.store().emitted(EmittedAsk { of: 1, place: 0, limit: 100 }).await.unwrap()
}

/// The event that becomes of it.
fn accepted(lab: &Lab, emitted: &Emitted) -> Arc<Event> {
    Arc::new(Event {
        id: emitted.id.parse().unwrap(),
        account: account(&emitted.account),
        event: name(&emitted.event),
        data: emitted.data.clone(),
        digest: emitted.own_id.then_some([1; 32]),
        ..lab.event("a", &[])
    })
}

/// All of it, as it was given; an id is made where none is.
pub async fn what_is_emitted_is_read_as_it_was_given(lab: Lab) {
    let full = Emission {
        id: Some("order-1".to_owned()),
        created_at: Some(at(-5).as_millis()),
        resource_url: Some("https://api.example.com/contacts/7".to_owned()),
        order_key: Some("contact 7".to_owned()),
        debounce_key: Some("contact".to_owned()),
        data: r#"{"b": 1.50, "a": "é"}"#.to_owned(),
        ..emission("acme.1:x")
    };
    register(&lab).await;
    assert!(waiting(&lab).await.is_empty());
    assert_eq!(emit(&lab, &full).await, "order-1");
    let made = emit(&lab, &emission("b")).await;
    assert!(made.parse::<EventId>().unwrap().as_generated().is_some(), "{made}");
    let found = waiting(&lab).await;
    let expected = Emitted {
        no: found[0].no,
        event: full.event,
        account: full.account,
        data: found[0].data.clone(),
        id: "order-1".to_owned(),
        own_id: true,
        own_time: true,
        created_at: at(-5),
        resource_url: full.resource_url,
        order_key: full.order_key,
        debounce_key: full.debounce_key,
    };
    assert_eq!(found[0], expected);
    let json = |bytes: &[u8]| serde_json::from_slice::<serde_json::Value>(bytes).unwrap();
    assert_eq!(json(&found[0].data), json(full.data.as_bytes()));
    assert_eq!((found[1].id.as_str(), found[1].own_id), (made.as_str(), false));
    assert_eq!((&found[1].resource_url, &found[1].order_key, &found[1].debounce_key), (&None, &None, &None));
    assert!(found[1].created_at > Timestamp::EPOCH);
    assert!(found[0].no < found[1].no);
    assert_eq!(found.len(), 2);
}

/// An event exists exactly when its transaction was committed.
pub async fn what_is_rolled_back_was_never_emitted(lab: Lab) {
    register(&lab).await;
    let statement = lab.store().emit_statement().unwrap();
    lab.place().emit(&statement, &emission("a"), false).await;
    assert!(waiting(&lab).await.is_empty());
    emit(&lab, &emission("b")).await;
    let found = waiting(&lab).await;
    assert_eq!(found.iter().map(|one| one.account.as_str()).collect::<Vec<_>>(), ["b"]);
}

/// Whoever accepts an event takes it away; a second node that had read it too is refused with all that came beside it.
pub async fn emitted_events_are_accepted_once(lab: Lab) {
    register(&lab).await;
    for of in ["a", "b", "c"] {
        emit(&lab, &emission(of)).await;
    }
    let other = lab.another().await;
    let (found, again) = (waiting(&lab).await, waiting(&other).await);
    assert_eq!(found, again, "nothing is marked by reading");
    let batch = |lab: &Lab, of: &[Emitted]| Batch {
        events: of.iter().map(|one| accepted(lab, one)).collect(),
        emitted: of.iter().map(|one| one.no).collect(),
        now: at(0),
        ..Batch::default()
    };
    lab.commit(batch(&lab, &found[..2])).await.unwrap();
    assert_eq!(waiting(&other).await, found[2..]);
    let refused = other.commit(batch(&other, &again[1..])).await;
    assert!(matches!(refused, Err(Error::Overtaken)), "{refused:?}");
    assert_eq!(waiting(&lab).await, found[2..], "nothing of a refused batch happened");
    let all = async || lab.store().list_events(&EventFilter::default(), first(9)).await.unwrap();
    assert_eq!(all().await.len(), 2);
    // A repetition of what was accepted before is taken away without an event.
    let repeated = Batch { events: Vec::new(), ..batch(&other, &again[2..]) };
    other.commit(repeated).await.unwrap();
    assert!(waiting(&lab).await.is_empty());
    let mut ids: Vec<String> = all().await.iter().map(|event| event.event.id.as_str().to_owned()).collect();
    ids.reverse();
    assert_eq!(ids, found[..2].iter().map(|one| one.id.clone()).collect::<Vec<_>>());
}

/// Each waits for the node whose turn its account is, and for no other.
pub async fn accounts_are_shared_out_among_nodes(lab: Lab) {
    register(&lab).await;
    for n in 0..30 {
        emit(&lab, &emission(&format!("a{}", n % 10))).await;
    }
    for of in [1, 2, 3] {
        let mut seen = Vec::new();
        for place in 0..of {
            let part = lab.store().emitted(EmittedAsk { of, place, limit: 100 }).await.unwrap();
            assert!(part.is_sorted_by_key(|one| one.no));
            let accounts =
                |parts: &[Emitted]| parts.iter().map(|one| one.account.clone()).collect::<Vec<_>>();
            let (before, here) = (accounts(&seen), accounts(&part));
            assert!(here.iter().all(|account| !before.contains(account)));
            seen.extend(part);
        }
        assert_eq!(seen.len(), 30);
    }
    assert_eq!(lab.store().emitted(EmittedAsk { of: 1, place: 0, limit: 4 }).await.unwrap().len(), 4);
}

/// What can't be accepted stands in nobody's way any more.
pub async fn what_is_refused_is_set_aside(lab: Lab) {
    register(&lab).await;
    emit(&lab, &emission("a")).await;
    emit(&lab, &emission("b")).await;
    let found = waiting(&lab).await;
    let batch = Batch {
        refused: vec![(found[0].no, "its type was archived meanwhile".to_owned())],
        emitted: vec![found[1].no],
        events: vec![accepted(&lab, &found[1])],
        now: at(0),
        ..Batch::default()
    };
    lab.commit(batch).await.unwrap();
    assert!(waiting(&lab).await.is_empty());
    assert_eq!(lab.store().list_events(&EventFilter::default(), first(9)).await.unwrap().len(), 1);
}
