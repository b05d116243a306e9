//! Reading deliveries back.

use resthooks::model::{
    Delivery, DeliveryId, DeliveryStatus, Event, SequencedEvent, Subscription, SubscriptionStatus,
};
use resthooks::store::{DeliveryFilter, Page};

use crate::lab::{Lab, account, after, at, delivered, first, key, name, places, record, scheduled};

/// Two accounts, three subscriptions, six events and what became of their deliveries.
struct Scene {
    one: Subscription,
    two: Subscription,
    foreign: Subscription,
    events: Vec<SequencedEvent>,
}

async fn scene(lab: &Lab) -> Scene {
    let [one, two, foreign] = [lab.subscribe("a").await, lab.subscribe("a").await, lab.subscribe("b").await];
    let event = |of: &str, kind: &str, millis, to: &[&Subscription]| Event {
        event: name(kind),
        created_at: at(millis),
        ..lab.event(of, to)
    };
    let events = lab
        .append(vec![
            event("a", "x.y", 10, &[&one, &two]),
            event("b", "x.y", 20, &[&foreign]),
            event("a", "x.z", 30, &[&one, &two]),
            event("b", "x.z", 5, &[&foreign]),
            event("a", "x.y", 50, &[&one]),
            event("a", "x.y", 60, &[&one]),
        ])
        .await;
    let records = vec![
        delivered(&events[0], &one),
        scheduled(&events[0], &two, at(100)),
        record(&events[1], &foreign, DeliveryStatus::Dead),
        delivered(&events[2], &one),
        delivered(&events[2], &two),
        delivered(&events[3], &foreign),
        record(&events[4], &one, DeliveryStatus::Dead),
    ];
    lab.write(records, at(1)).await;
    Scene { one, two, foreign, events }
}

/// The place of each one's event, and its subscription.
fn keys(events: &[SequencedEvent], rows: &[Delivery]) -> Vec<(usize, i64)> {
    let places = places(events, rows.iter().map(|row| row.key.event));
    places.into_iter().zip(rows.iter().map(|row| row.key.subscription.0)).collect()
}

/// Those that have a row, of whatever is asked for.
pub async fn deliveries_are_found_by_their_keys(lab: Lab) {
    let scene = scene(&lab).await;
    let asked = [
        key(&scene.events[5], &scene.one),
        key(&scene.events[2], &scene.two),
        key(&scene.events[1], &scene.one),
        key(&scene.events[0], &scene.one),
    ];
    let mut found = lab.store().deliveries(&asked).await.unwrap();
    found.sort_by_key(|row| row.key);
    assert_eq!(keys(&scene.events, &found), [(1, scene.one.no.0), (3, scene.two.no.0)]);
    assert!(lab.store().deliveries(&[]).await.unwrap().is_empty());
    assert!(lab.store().attempts(asked[0]).await.unwrap().is_empty());
}

/// Every filter alone and some together; newest event first, then newest subscription.
pub async fn deliveries_are_listed_by_filters(lab: Lab) {
    let Scene { one, two, foreign, events } = scene(&lab).await;
    let (o, t, f) = (one.no.0, two.no.0, foreign.no.0);
    let none = DeliveryFilter::default();
    let of_a = DeliveryFilter { account: Some(account("a")), ..none.clone() };
    let by = |status| DeliveryFilter { status: Some(status), ..none.clone() };
    let to_one = DeliveryFilter { subscription: Some(one.no), ..none.clone() };
    let typed = DeliveryFilter { event_type: Some(name("x.y")), ..none.clone() };
    for (filter, expected) in [
        (none.clone(), vec![(5, o), (4, f), (3, t), (3, o), (2, f), (1, t), (1, o)]),
        (of_a.clone(), vec![(5, o), (3, t), (3, o), (1, t), (1, o)]),
        (to_one.clone(), vec![(5, o), (3, o), (1, o)]),
        (DeliveryFilter { event: Some(events[0].seq), ..none.clone() }, vec![(1, t), (1, o)]),
        (DeliveryFilter { event: Some(events[5].seq), ..none.clone() }, vec![]),
        (typed.clone(), vec![(5, o), (2, f), (1, t), (1, o)]),
        (by(DeliveryStatus::Dead), vec![(5, o), (2, f)]),
        (by(DeliveryStatus::Delivered), vec![(4, f), (3, t), (3, o), (1, o)]),
        (by(DeliveryStatus::Pending), vec![]),
        (by(DeliveryStatus::Held), vec![]),
        (
            DeliveryFilter { since: Some(at(20)), until: Some(at(50)), ..none.clone() },
            vec![(3, t), (3, o), (2, f)],
        ),
        (DeliveryFilter { until: Some(at(10)), ..none.clone() }, vec![(4, f)]),
        (DeliveryFilter { status: Some(DeliveryStatus::Dead), ..of_a.clone() }, vec![(5, o)]),
        (
            DeliveryFilter { status: Some(DeliveryStatus::Delivered), ..of_a.clone() },
            vec![(3, t), (3, o), (1, o)],
        ),
        (DeliveryFilter { status: Some(DeliveryStatus::Dead), ..to_one.clone() }, vec![(5, o)]),
        (DeliveryFilter { subscription: Some(foreign.no), ..of_a.clone() }, vec![]),
        (DeliveryFilter { event: Some(events[1].seq), ..of_a.clone() }, vec![]),
        (DeliveryFilter { event: Some(events[2].seq), ..to_one.clone() }, vec![(3, o)]),
        (DeliveryFilter { status: Some(DeliveryStatus::Scheduled), ..typed.clone() }, vec![(1, t)]),
        (DeliveryFilter { account: Some(account("b")), ..typed.clone() }, vec![(2, f)]),
        (DeliveryFilter { subscription: Some(one.no), since: Some(at(30)), ..typed }, vec![(5, o)]),
        (DeliveryFilter { account: Some(account("nobody")), ..none.clone() }, vec![]),
        (DeliveryFilter { event_type: Some(name("no.thing")), ..none }, vec![]),
    ] {
        let listed = lab.store().list_deliveries(&filter, first(250)).await.unwrap();
        assert_eq!(keys(&events, &listed), expected, "{filter:?}");
        let cut = lab.store().list_deliveries(&filter, first(2)).await.unwrap();
        assert_eq!(keys(&events, &cut), expected[..expected.len().min(2)], "{filter:?}");
    }
}

/// Each once, page by page, whatever the path through them is; the cursor may fall between an event's deliveries.
pub async fn deliveries_are_listed_page_by_page(lab: Lab) {
    let scene = scene(&lab).await;
    let none = DeliveryFilter::default();
    for filter in [
        none.clone(),
        DeliveryFilter { account: Some(account("a")), ..none.clone() },
        DeliveryFilter { subscription: Some(scene.one.no), ..none.clone() },
        DeliveryFilter { event_type: Some(name("x.y")), ..none.clone() },
        DeliveryFilter { status: Some(DeliveryStatus::Delivered), ..none.clone() },
        DeliveryFilter { status: Some(DeliveryStatus::Dead), ..none.clone() },
        DeliveryFilter { event: Some(scene.events[0].seq), ..none.clone() },
    ] {
        let all = lab.store().list_deliveries(&filter, first(250)).await.unwrap();
        let mut paged = Vec::new();
        let mut page: Page<DeliveryId> = first(1);
        loop {
            let listed = lab.store().list_deliveries(&filter, page).await.unwrap();
            assert!(listed.len() <= 1);
            let Some(last) = listed.into_iter().next_back() else { break };
            page = after(last.id, 1);
            paged.push(last);
        }
        assert_eq!(paged, all, "{filter:?}");
    }
}

/// A cursor without a row leads nowhere.
pub async fn a_cursor_without_a_row_gives_an_empty_page(lab: Lab) {
    let scene = scene(&lab).await;
    let pending = DeliveryId { event: scene.events[5].event.uid, subscription: scene.one.id };
    let unknown = DeliveryId { event: lab.uid(), subscription: scene.one.id };
    for cursor in [pending, unknown] {
        let listed =
            lab.store().list_deliveries(&DeliveryFilter::default(), after(cursor, 10)).await.unwrap();
        assert!(listed.is_empty());
    }
}

/// Deliveries of a subscription that was deleted can be read on.
pub async fn deliveries_outlive_their_subscription(lab: Lab) {
    let mut scene = scene(&lab).await;
    scene.one = lab.update(Subscription { status: SubscriptionStatus::Deleted, ..scene.one }).await;
    let filter = DeliveryFilter { subscription: Some(scene.one.no), ..DeliveryFilter::default() };
    assert_eq!(lab.store().list_deliveries(&filter, first(10)).await.unwrap().len(), 3);
    assert_eq!(lab.store().deliveries(&[key(&scene.events[0], &scene.one)]).await.unwrap().len(), 1);
}
