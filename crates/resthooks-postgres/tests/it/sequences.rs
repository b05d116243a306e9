//! Many subscriptions whose sequences two nodes count up at once.

use std::collections::BTreeMap;
use std::sync::Arc;

use resthooks::model::{Event, Match, Subscription};
use resthooks_store_test::{Lab, run};

use crate::place::Schema;

const SUBSCRIPTIONS: usize = 60;
const BATCHES: usize = 15;
const EVENTS: usize = 8;

/// An event for some of them, in an order that has nothing to do with any other's.
fn event(lab: &Lab, all: &[Subscription], n: usize) -> Event {
    let chosen: Vec<&Subscription> = all
        .iter()
        .enumerate()
        .filter(|(place, _)| (place * 7 + n * 13) % 5 < 2)
        .map(|(_, one)| one)
        .collect();
    lab.event("a", &chosen)
}

/// Each gets every number once, in the answers and in the store, and nobody waits for anybody for ever.
#[test]
fn they_have_no_gaps_and_no_repetitions() {
    run(Schema::new(), async |lab| {
        let mut all = Vec::new();
        for _ in 0..SUBSCRIPTIONS {
            all.push(lab.subscribe("a").await);
        }
        let all = Arc::new(all);
        let tasks: Vec<_> = [lab.another().await, lab.another().await]
            .into_iter()
            .enumerate()
            .map(|(nth, node)| {
                let all = Arc::clone(&all);
                tokio::spawn(async move {
                    let mut appended = Vec::new();
                    for batch in 0..BATCHES {
                        let n = (nth * BATCHES + batch) * EVENTS;
                        let events = (n..n + EVENTS).map(|n| event(&node, &all, n)).collect();
                        appended.extend(node.append(events).await);
                    }
                    appended
                })
            })
            .collect();
        let mut given: BTreeMap<_, Vec<u64>> = BTreeMap::new();
        for task in tasks {
            for event in task.await.unwrap() {
                let stored = lab.store().event_by_uid(event.event.uid).await.unwrap();
                assert_eq!(stored.as_ref(), Some(&event));
                for Match { subscription, sequence } in &event.event.matched {
                    given.entry(*subscription).or_default().push(*sequence);
                }
            }
        }
        assert_eq!(given.len(), SUBSCRIPTIONS);
        for (subscription, mut sequences) in given {
            sequences.sort_unstable();
            let expected: Vec<u64> = (1..=sequences.len() as u64).collect();
            assert_eq!(sequences, expected, "{subscription:?}");
        }
    });
}
