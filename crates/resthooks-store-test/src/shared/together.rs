//! What several nodes do at the same time.

use std::sync::Arc;

use resthooks::model::{Event, Health, Match, Progress, Subscription};
use resthooks::store::{Batch, Error, EventFilter, Record, Standing};

use crate::lab::{Lab, account, at, delivered, first, key, scheduled};

fn sequences(events: &[resthooks::model::SequencedEvent]) -> Vec<u64> {
    events.iter().flat_map(|event| &event.event.matched).map(|one: &Match| one.sequence).collect()
}

/// However nodes take turns, a subscription's sequence has neither gaps nor repetitions, in the answers and in the
/// store; and it follows the order of each node's own events.
pub async fn sequences_have_no_gaps_although_several_nodes_give_them(lab: Lab) {
    let [to, too] = [lab.subscribe("a").await, lab.subscribe("a").await];
    let other = lab.another().await;
    let batch = |lab: &Lab, count| (0..count).map(|_| lab.event("a", &[&to])).collect::<Vec<_>>();
    assert_eq!(sequences(&lab.append(batch(&lab, 3)).await), [1, 2, 3]);
    let late = other.append(batch(&other, 2)).await;
    assert_eq!(sequences(&late), [4, 5]);
    assert_eq!(sequences(&lab.append(batch(&lab, 1)).await), [6]);
    let both = other.append(vec![other.event("a", &[&to, &too]), other.event("a", &[&too])]).await;
    assert_eq!(both[0].event.matched.iter().map(|one| one.sequence).collect::<Vec<_>>(), [7, 1]);
    assert_eq!(sequences(&both[1..]), [2]);
    for event in late.iter().chain(&both) {
        assert_eq!(lab.store().event_by_uid(event.event.uid).await.unwrap().as_ref(), Some(event));
    }
    let found = lab.unrecorded_of(other.node()).await;
    assert!(
        found
            .iter()
            .zip(late.iter().chain(&both))
            .all(|(one, event)| one.event == *event && one.missing == event.event.matched)
    );
    let standing = lab.store().standing(&[to.no]).await.unwrap();
    assert_eq!(standing[0].progress.sequence, 7);
    // One that is refused gives none.
    let own = |digest| Event { id: "x".parse().unwrap(), digest: Some([digest; 32]), ..lab.event("b", &[]) };
    lab.append(vec![own(1)]).await;
    let refused = [own(2), lab.event("a", &[&to])].map(Arc::new).to_vec();
    let refused = lab.commit(Batch { events: refused, now: at(1), ..Batch::default() }).await;
    assert!(matches!(refused, Err(Error::Overtaken)), "{refused:?}");
    assert_eq!(sequences(&other.append(batch(&other, 1)).await), [8]);
}

/// The same when they commit at once, to several subscriptions in different orders.
pub async fn nodes_that_commit_at_once_share_a_sequence(lab: Lab) {
    let subscriptions: Vec<Subscription> =
        vec![lab.subscribe("a").await, lab.subscribe("a").await, lab.subscribe("a").await];
    let mut tasks = Vec::new();
    for n in 0..4 {
        let (node, to) = (lab.another().await, subscriptions.clone());
        tasks.push(tokio::spawn(async move {
            let mut all = Vec::new();
            for turn in 0..15 {
                let to: Vec<&Subscription> =
                    if (n + turn) % 3 == 0 { vec![&to[turn % 3]] } else { to.iter().collect() };
                all.extend(node.append(vec![node.event("a", &to), node.event("a", &to)]).await);
            }
            all
        }));
    }
    let mut all = Vec::new();
    for task in tasks {
        all.extend(task.await.unwrap());
    }
    for to in subscriptions {
        let of = |events: &[resthooks::model::SequencedEvent]| {
            let matched = events.iter().flat_map(|event| event.event.matched.clone());
            let mut given: Vec<u64> =
                matched.filter(|one| one.subscription == to.no).map(|one| one.sequence).collect();
            given.sort_unstable();
            given
        };
        let given = of(&all);
        assert_eq!(given, (1..=given.len() as u64).collect::<Vec<_>>());
        let stored = lab.store().list_events(&EventFilter::default(), first(1_000)).await.unwrap();
        assert_eq!(of(&stored), given);
    }
}

/// Of several nodes that are given the same id at once, one has it and the others hear that it is taken.
pub async fn an_id_that_another_node_was_given_is_taken(lab: Lab) {
    let mut tasks = Vec::new();
    for n in 0..6 {
        let node = lab.another().await;
        let id = "order-1".parse().unwrap();
        let own = Event { id, digest: Some([n; 32]), ..node.event("a", &[]) };
        tasks.push(tokio::spawn(async move {
            let events = [node.event("a", &[]), own].map(Arc::new).to_vec();
            node.commit(Batch { events, now: at(0), ..Batch::default() }).await
        }));
    }
    let mut accepted = 0;
    for task in tasks {
        match task.await.unwrap() {
            Ok(committed) => accepted += committed.numbers.len(),
            Err(refused) => assert!(matches!(refused, Error::Overtaken), "{refused:?}"),
        }
    }
    assert_eq!(accepted, 2);
    assert_eq!(lab.store().list_events(&EventFilter::default(), first(99)).await.unwrap().len(), 2);
    let found = lab.store().find_ids(&[(account("a"), "order-1".parse().unwrap())]).await.unwrap();
    assert!(found[0].is_some());
}

/// What each node has seen of a target goes together: a success of one ends the failures that came before it.
pub async fn counters_of_several_nodes_go_together(lab: Lab) {
    let to = lab.subscribe("a").await;
    let other = lab.another().await;
    let save = async |by: &Lab, health: Health| {
        let progress = vec![(to.no, Progress { sequence: 0, health })];
        by.commit(Batch { progress, now: at(99), ..Batch::default() }).await.unwrap();
        lab.store().standing(&[to.no]).await.unwrap()
    };
    let failing = |since, last, times| Health {
        last_success_at: None,
        last_failure_at: Some(at(last)),
        failing_since: Some(at(since)),
        consecutive_failures: times,
    };
    save(&lab, failing(15, 25, 2)).await;
    let told = save(&other, failing(10, 20, 3)).await;
    let expected =
        |health| [Standing { subscription: to.no, progress: Progress { sequence: 0, health }, waiting: 0 }];
    assert_eq!(told, expected(failing(10, 25, 3)));
    let success = Health { last_success_at: Some(at(30)), ..Health::default() };
    let mended = Health { last_failure_at: Some(at(25)), ..success };
    assert_eq!(save(&lab, success).await, expected(mended));
    assert_eq!(save(&other, failing(10, 20, 3)).await, expected(mended), "told late");
}

/// A node that knows an account hears late of its deletion by another one: its late records leave nothing behind, and
/// what it accepts afterwards begins the account anew.
pub async fn an_account_that_another_node_deleted_may_begin_anew(lab: Lab) {
    let to = lab.subscribe("a").await;
    let known = lab.schedule(&to, at(1)).await;
    let bare = lab.emit("a", &[&to]).await;
    let other = lab.another().await;
    let deleted = other.store().begin_delete_account(&account("a"), at(5), None).await.unwrap().unwrap();
    assert_eq!(lab.store().deletions().await.unwrap(), std::slice::from_ref(&deleted));
    lab.write(vec![delivered(&bare, &to)], at(6)).await;
    while !other.store().delete_account_step(&deleted, 10).await.unwrap() {}
    assert!(lab.store().deletions().await.unwrap().is_empty());
    assert_eq!(other.store().account(&account("a")).await.unwrap(), None);
    let late = vec![Record { has_row: true, ..scheduled(&known, &to, at(9)) }, delivered(&bare, &to)];
    lab.write(late, at(7)).await;
    let keys = [key(&known, &to), key(&bare, &to)];
    assert!(lab.store().deliveries(&keys).await.unwrap().is_empty());
    assert_eq!(other.store().account(&account("a")).await.unwrap(), None);
    let new = lab.emit("a", &[]).await;
    for one in [&lab, &other] {
        assert_eq!(one.store().account(&account("a")).await.unwrap().unwrap().events, 1);
        assert_eq!(
            one.store().list_events(&EventFilter::default(), first(9)).await.unwrap(),
            std::slice::from_ref(&new)
        );
    }
}
