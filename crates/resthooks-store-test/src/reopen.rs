//! Bringing back what ended or is held.

use resthooks::model::{Delivery, DeliveryKey, DeliveryStatus, EventSeq, SequencedEvent, Subscription};
use resthooks::store::{LeaseDue, Missed, Record, Reopen, Reopened, Which};

use crate::lab::{Lab, at, attempt, record};

const ENDED: [DeliveryStatus; 3] =
    [DeliveryStatus::Dead, DeliveryStatus::Delivered, DeliveryStatus::Cancelled];

fn ask(lab: &Lab, of: &Subscription, which: Which, from: &[DeliveryStatus]) -> Reopen {
    Reopen {
        node: lab.node(),
        subscription: of.no,
        which,
        from: from.to_vec(),
        to: DeliveryStatus::Scheduled,
        reason: None,
        now: at(700),
        except: Vec::new(),
    }
}

const fn range(after: EventSeq, limit: usize) -> Which {
    Which::Range { after, through: EventSeq(i64::MAX), since: None, until: None, limit }
}

async fn row(lab: &Lab, event: &SequencedEvent, of: &Subscription) -> Delivery {
    let key = DeliveryKey { event: event.seq, subscription: of.no };
    lab.store().deliveries(&[key]).await.unwrap().pop().unwrap()
}

/// An event for each of these statuses, whose delivery is in it.
async fn made(lab: &Lab, to: &Subscription, statuses: &[DeliveryStatus]) -> Vec<SequencedEvent> {
    let mut events = Vec::new();
    for status in statuses {
        let event = lab.emit(to.account.as_str(), &[to]).await;
        lab.write(vec![record(&event, to, *status)], at(1)).await;
        events.push(event);
    }
    events
}

/// Id, sequence and attempts stay, the schedule starts anew, and it is due; also after a restart.
pub async fn what_ended_is_scheduled_again_as_it_was(mut lab: Lab) {
    let to = lab.subscribe("a").await;
    for status in ENDED {
        let event = lab.emit("a", &[&to]).await;
        let first = Record {
            attempts: 3,
            automatic: 3,
            reason: Some("why".to_owned()),
            attempt: Some(attempt(3)),
            ..record(&event, &to, status)
        };
        lab.write(vec![first], at(1)).await;
        let before = row(&lab, &event, &to).await;
        let ask = ask(&lab, &to, Which::Events(vec![event.seq, event.seq]), &ENDED);
        let reopened = lab.store().reopen(ask.clone()).await.unwrap();
        assert_eq!(reopened, Reopened { ended: 1, held: 0, elsewhere: 0, last: None });
        assert_eq!(lab.store().reopen(ask).await.unwrap(), Reopened::default(), "it waits by now");
        lab.reopen().await;
        let after = row(&lab, &event, &to).await;
        let expected = Delivery {
            status: DeliveryStatus::Scheduled,
            reason: None,
            automatic: 0,
            next_attempt_at: Some(at(700)),
            updated_at: at(700),
            ..before
        };
        assert_eq!(after, expected);
        assert_eq!(lab.store().attempts(after.key).await.unwrap().len(), 1);
    }
    let waits = lab.backlog().await;
    assert_eq!(waits.iter().map(|one| (one.subscription, one.scheduled)).collect::<Vec<_>>(), [(to.no, 3)]);
    let lease =
        LeaseDue { node: lab.node(), subscription: to.no, now: at(700), limit: 9, except: Vec::new() };
    let leased = lab.store().lease_due(lease).await.unwrap().deliveries;
    assert_eq!(leased.iter().map(|one| one.sequence).collect::<Vec<_>>(), [1, 2, 3]);
}

/// So many are looked at in a step, the oldest first, whatever their states; and none twice.
pub async fn a_range_is_walked_in_steps(lab: Lab) {
    use DeliveryStatus::{Dead, Delivered, Held, Scheduled};
    let to = lab.subscribe("a").await;
    let events = made(&lab, &to, &[Dead, Held, Delivered, Dead, Scheduled, Dead]).await;
    let first = lab.store().reopen(ask(&lab, &to, range(EventSeq(0), 2), &[Held, Dead])).await.unwrap();
    assert_eq!(first, Reopened { ended: 1, held: 1, elsewhere: 0, last: Some(events[1].seq) });
    let rest = lab.store().reopen(ask(&lab, &to, range(events[1].seq, 3), &[Dead])).await.unwrap();
    assert_eq!(rest, Reopened { ended: 2, held: 0, elsewhere: 0, last: None });

    let again = made(&lab, &to, &[Dead, Delivered]).await;
    let mut done = 0;
    let mut after = EventSeq(0);
    for _ in 0..20 {
        let step = lab.store().reopen(ask(&lab, &to, range(after, 3), &[Delivered, Dead])).await.unwrap();
        done += step.ended;
        let Some(last) = step.last else { break };
        assert!(last > after);
        after = last;
    }
    assert_eq!(done, 3, "{again:?}");
    let none = lab.store().reopen(ask(&lab, &to, range(EventSeq(0), 100), &ENDED)).await.unwrap();
    assert_eq!(none, Reopened::default());
}

/// Not what lies outside, is in another state, is in hand, or is another subscription's.
pub async fn only_what_was_asked_for_is_reopened(lab: Lab) {
    use DeliveryStatus::{Cancelled, Dead, Held};
    let [to, other] = [lab.subscribe("a").await, lab.subscribe("a").await];
    let others = made(&lab, &other, &[Dead]).await;
    let events = made(&lab, &to, &[Dead, Dead, Cancelled, Held]).await;
    let moved = |reopened: Reopened| reopened.ended + reopened.held;
    let store = lab.store();
    let all = Which::Events(events.iter().chain(&others).map(|event| event.seq).collect());
    let in_hand = Reopen {
        except: events.iter().map(|event| event.seq).collect(),
        ..ask(&lab, &to, all.clone(), &ENDED)
    };
    assert_eq!(moved(store.reopen(in_hand).await.unwrap()), 0);
    let at_times = |since, until| Which::Range {
        after: EventSeq(0),
        through: EventSeq(i64::MAX),
        since,
        until,
        limit: 100,
    };
    let early = ask(&lab, &to, at_times(None, Some(at(0))), &ENDED);
    assert_eq!(moved(store.reopen(early).await.unwrap()), 0, "all happened at 0");
    let late = ask(&lab, &to, at_times(Some(at(1)), None), &ENDED);
    assert_eq!(moved(store.reopen(late).await.unwrap()), 0);
    let through = Which::Range {
        after: EventSeq(0),
        through: events[0].seq,
        since: Some(at(0)),
        until: Some(at(1)),
        limit: 100,
    };
    assert_eq!(moved(store.reopen(ask(&lab, &to, through, &ENDED)).await.unwrap()), 1);
    assert_eq!(moved(store.reopen(ask(&lab, &to, all, &[Cancelled])).await.unwrap()), 1);
    let mut statuses = Vec::new();
    for event in &events {
        statuses.push(row(&lab, event, &to).await.status.as_str());
    }
    assert_eq!(statuses, ["scheduled", "dead", "scheduled", "held"]);
    assert_eq!(row(&lab, &others[0], &other).await.status, Dead);
}

/// The other way out: it is done with, and nothing waits.
pub async fn what_is_missed_ends_when_it_is_acknowledged(mut lab: Lab) {
    use DeliveryStatus::{Dead, Delivered, Held};
    let to = lab.subscribe("a").await;
    let events = made(&lab, &to, &[Dead, Held]).await;
    let end = Reopen {
        to: Delivered,
        reason: Some("acknowledged".to_owned()),
        ..ask(&lab, &to, range(EventSeq(0), 10), &[Dead, Held])
    };
    let missed = Missed { count: 1, oldest: Some(at(0)) };
    assert_eq!(lab.store().missed(to.no).await.unwrap(), missed, "the held one is not");
    assert_eq!(
        lab.store().reopen(end).await.unwrap(),
        Reopened { ended: 1, held: 1, elsewhere: 0, last: None }
    );
    assert_eq!(lab.store().missed(to.no).await.unwrap(), Missed::default());
    lab.reopen().await;
    for event in &events {
        let row = row(&lab, event, &to).await;
        assert_eq!((row.status, row.next_attempt_at), (Delivered, None));
        assert_eq!(row.reason.as_deref(), Some("acknowledged"));
    }
    assert!(lab.backlog().await.is_empty());
}
