//! Who lives, and who is refused.

use resthooks::model::{DeliveryStatus, Node, NodeStatus};
use resthooks::store::{Batch, Error, EventFilter, LeaseDue, Record, Settle};
use std::sync::Arc;
use std::time::Duration;

use super::{MOMENT, TRIES, take_over};
use crate::lab::{Lab, at, delivered, first, key};

const HOUR: Duration = Duration::from_secs(3_600);

async fn seen(by: &Lab, who: &Lab) -> Option<Node> {
    by.store().nodes().await.unwrap().into_iter().find(|node| node.no == who.node())
}

/// Each knows how many there are and where it stands among them; who leaves may be taken over.
pub async fn nodes_join_renew_and_leave(lab: Lab) {
    let other = lab.another().await;
    assert!(lab.node() < other.node());
    let mut places = Vec::new();
    for one in [&lab, &other] {
        let renewed = one.store().renew(one.node(), HOUR).await.unwrap();
        assert_eq!((renewed.live, renewed.orphans), (2, false));
        places.push(renewed.place);
    }
    places.sort_unstable();
    assert_eq!(places, [0, 1]);
    let nodes = lab.store().nodes().await.unwrap();
    assert_eq!(nodes.iter().map(|node| node.no).collect::<Vec<_>>(), [other.node(), lab.node()]);
    assert!(nodes.iter().all(|node| node.status == NodeStatus::Live));

    other.store().leave(other.node()).await.unwrap();
    let renewed = lab.store().renew(lab.node(), HOUR).await.unwrap();
    assert_eq!((renewed.live, renewed.place, renewed.orphans), (1, 0, true));
    assert_eq!(seen(&lab, &other).await.unwrap().status, NodeStatus::Left);

    assert_eq!(lab.store().take_over(lab.node(), false).await.unwrap(), [other.node()]);
    let dead = seen(&lab, &other).await.unwrap();
    assert_eq!((dead.status, dead.taken_by), (NodeStatus::Dead, Some(lab.node())));
    assert!(lab.store().inherit(lab.node(), other.node(), 10).await.unwrap().done);
    lab.store().forget(lab.node(), other.node()).await.unwrap();
    assert_eq!(seen(&lab, &other).await, None);
    let renewed = lab.store().renew(lab.node(), HOUR).await.unwrap();
    assert_eq!((renewed.live, renewed.orphans), (1, false));
}

/// However many join at once, each is one of its own.
pub async fn nodes_that_join_at_the_same_time_are_different(lab: Lab) {
    let lab = Arc::new(lab);
    let tasks: Vec<_> = (0..12)
        .map(|_| {
            let lab = Arc::clone(&lab);
            tokio::spawn(async move {
                let other = lab.another().await;
                (other.emit("a", &[]).await.seq, other.node())
            })
        })
        .collect();
    let (mut numbers, mut nodes) = (Vec::new(), vec![lab.node()]);
    for task in tasks {
        let (seq, node) = task.await.unwrap();
        numbers.push(seq);
        nodes.push(node);
    }
    for count in [&mut numbers.iter().map(|seq| seq.0).collect(), &mut nodes.iter().map(|no| no.0).collect()]
    {
        let before = Vec::len(count);
        count.sort_unstable();
        count.dedup();
        assert_eq!(count.len(), before);
    }
    let listed = lab.store().list_events(&EventFilter::default(), first(100)).await.unwrap();
    assert_eq!(listed.len(), 12);
}

/// Nobody takes over from a node whose lease runs; one whose lease has ended comes back if it is not too late.
pub async fn a_node_that_nobody_took_over_goes_on(lab: Lab) {
    let other = lab.another_for(MOMENT).await;
    for _ in 0..TRIES {
        if seen(&lab, &other).await.unwrap().status == NodeStatus::Expired {
            break;
        }
    }
    assert_eq!(seen(&lab, &other).await.unwrap().status, NodeStatus::Expired);
    assert!(lab.store().renew(lab.node(), HOUR).await.unwrap().orphans);
    other.emit("a", &[]).await;
    let back = other.store().renew(other.node(), HOUR).await.unwrap();
    assert_eq!((back.live, back.orphans), (2, false));
    assert_eq!(seen(&lab, &other).await.unwrap().status, NodeStatus::Live);
    for patient in [false, true] {
        assert!(lab.store().take_over(lab.node(), patient).await.unwrap().is_empty());
    }
    other.emit("a", &[]).await;
}

/// Whatever a node still writes after it was taken over is refused and leaves nothing behind, also once it is
/// forgotten and others have come after it.
pub async fn a_node_that_was_taken_over_is_refused(lab: Lab) {
    let to = lab.subscribe("a").await;
    let gone = lab.another_for(MOMENT).await;
    let event = gone.schedule(&to, at(1)).await;
    let bare = gone.emit("a", &[&to]).await;
    take_over(&lab, &gone).await;
    let mut after = Vec::new();
    for _ in 0..3 {
        let late = Record { has_row: true, ..delivered(&event, &to) };
        let batches = [
            Batch { records: vec![late], ..Batch::default() },
            Batch { records: vec![delivered(&bare, &to)], ..Batch::default() },
            Batch { events: vec![Arc::new(gone.event("a", &[&to]))], ..Batch::default() },
            Batch { watermark: Some(bare.seq), ..Batch::default() },
        ];
        for batch in batches {
            let refused = gone.commit(Batch { now: at(5), ..batch }).await;
            assert!(matches!(refused, Err(Error::Fenced)), "{refused:?}");
        }
        let refused = gone.store().renew(gone.node(), HOUR).await;
        assert!(matches!(refused, Err(Error::Fenced)), "{refused:?}");
        let refused = gone.store().take_over(gone.node(), true).await;
        assert!(matches!(refused, Err(Error::Fenced)), "{refused:?}");
        let refused = gone.store().inherit(gone.node(), lab.node(), 10).await;
        assert!(matches!(refused, Err(Error::Fenced)), "{refused:?}");
        if after.is_empty() {
            sends_nothing(&gone, &to).await;
            let row = lab.store().deliveries(&[key(&event, &to)]).await.unwrap().remove(0);
            assert_eq!((row.status, row.attempts), (DeliveryStatus::Scheduled, 0));
            assert!(lab.store().deliveries(&[key(&bare, &to)]).await.unwrap().is_empty());
            assert_eq!(lab.store().list_events(&EventFilter::default(), first(9)).await.unwrap().len(), 2);
            lab.inherit(&[gone.node()]).await;
            lab.write(vec![Record { has_row: true, ..delivered(&event, &to) }, delivered(&bare, &to)], at(6))
                .await;
            lab.store().forget(lab.node(), gone.node()).await.unwrap();
        }
        after.push(lab.another().await);
        after.last().unwrap().emit("a", &[]).await;
    }
    assert_eq!(lab.store().list_events(&EventFilter::default(), first(9)).await.unwrap().len(), 5);
}

/// What waits for it is its taker's, also before that has moved it.
async fn sends_nothing(gone: &Lab, to: &resthooks::model::Subscription) {
    let ask = LeaseDue { node: gone.node(), subscription: to.no, now: at(9), limit: 9, except: Vec::new() };
    match gone.store().lease_due(ask).await {
        Ok(leased) => assert!(leased.deliveries.is_empty(), "{leased:?}"),
        Err(refused) => assert!(matches!(refused, Error::Fenced), "{refused:?}"),
    }
    let settle = Settle {
        node: gone.node(),
        subscription: to.no,
        from: DeliveryStatus::Scheduled,
        to: DeliveryStatus::Held,
        reason: None,
        now: at(9),
        limit: 9,
        except: Vec::new(),
    };
    match gone.store().settle(settle).await {
        Ok(moved) => assert_eq!(moved, 0),
        Err(refused) => assert!(matches!(refused, Error::Fenced), "{refused:?}"),
    }
}
