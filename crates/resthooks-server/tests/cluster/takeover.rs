//! Nodes come and go, and what they had in hand is taken over.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::json;

use crate::cluster::Cluster;
use crate::counting::Counter;
use crate::support::{Reply, now, within};

/// A node that is killed while it sends: with the default lease of 10 s, another one has sent all of it within 12 s.
#[test]
fn a_dead_nodes_events_are_sent_within_its_lease_and_two_seconds() {
    let cluster = Cluster::start(2, &[]);
    let hangs = Arc::new(AtomicBool::new(true));
    let hanging = Arc::clone(&hangs);
    let counter =
        Counter::answering(
            move |_| {
                if hanging.load(Ordering::SeqCst) { Reply::Hang } else { Reply::Status(200) }
            },
        );
    cluster.nodes[0].api().subscribe("order.paid", &counter.url());
    // One that fails first, so that it waits in the store when its node dies.
    let failing = Arc::new(AtomicBool::new(true));
    let fails = Arc::clone(&failing);
    let later =
        Counter::answering(move |_| Reply::Status(if fails.load(Ordering::SeqCst) { 500 } else { 200 }));
    cluster.nodes[0].api().subscribe("order.late", &later.url());
    cluster.agree();
    let mut api = cluster.nodes[0].api();
    let tokens: Vec<String> = (0..200).map(|n| format!("token-{n}")).collect();
    api.emit_batch("order.paid", tokens.iter().map(|token| json!({"token": token})));
    let late = api.emit("order.late", &json!({"token": "late"}));
    api.settled(&late, "scheduled");
    hangs.store(false, Ordering::SeqCst);
    failing.store(false, Ordering::SeqCst);
    cluster.nodes[0].kill();
    let killed = now();
    within(Duration::from_secs(12), || counter.has_all(tokens.iter()));
    println!("taken over after {:?}", killed.elapsed());
    within(Duration::from_secs(20), || later.has_all([&"late".to_owned()].into_iter()));
    counter.is_consistent();
    let nodes =
        cluster.nodes_when(&cluster.nodes[1], |nodes| nodes.iter().all(|node| node["status"] == "live"));
    assert_eq!(nodes.len(), 1, "nothing is left of the dead one: {nodes:?}");
}

/// Nodes are stopped and started in turn while events come in through the others: nothing is lost or sent twice.
#[test]
fn a_rolling_restart_loses_nothing() {
    let cluster = Cluster::start(3, &["--node-lease=2s"]);
    let counter = Counter::answering(|_| Reply::After(Duration::from_millis(2), 200));
    cluster.nodes[0].api().subscribe("order.paid", &counter.url());
    cluster.agree();
    let mut tokens = Vec::new();
    for round in 0..6 {
        for (place, node) in cluster.nodes.iter().enumerate() {
            let names: Vec<String> = (0..300).map(|n| format!("{round}-{place}-{n}")).collect();
            node.api().emit_batch("order.paid", names.iter().map(|token| json!({"token": token})));
            tokens.extend(names);
        }
        let node = &cluster.nodes[round % 3];
        node.stop();
        node.start_again();
    }
    within(Duration::from_secs(30), || counter.has_all(tokens.iter()));
    assert_eq!(counter.is_consistent(), 0, "a node that stops in order leaves nothing in flight");
    assert_eq!(counter.events(), tokens.len());
}

/// A node that was stopped for longer than its lease finds that it was taken over: it sends nothing of what it had,
/// records nothing, and goes on as another node.
#[test]
fn a_node_that_was_paused_too_long_begins_anew() {
    use nix::sys::signal::Signal::{SIGCONT, SIGSTOP};
    let cluster = Cluster::start(2, &["--node-lease=1s", "--max-in-flight-per-target=4"]);
    let hangs = Arc::new(AtomicBool::new(true));
    let hanging = Arc::clone(&hangs);
    let counter = Counter::answering(move |_| {
        if hanging.load(Ordering::SeqCst) {
            Reply::After(Duration::from_secs(3), 200)
        } else {
            Reply::Status(200)
        }
    });
    cluster.nodes[0].api().subscribe("order.paid", &counter.url());
    cluster.agree();
    let before = cluster.nodes_when(&cluster.nodes[0], |nodes| nodes.len() == 2);
    let tokens: Vec<String> = (0..300).map(|n| format!("token-{n}")).collect();
    cluster.nodes[0].api().emit_batch("order.paid", tokens.iter().map(|token| json!({"token": token})));
    within(Duration::from_secs(5), || match counter.times() {
        0 => Err("nothing is in flight yet".to_owned()),
        _ => Ok(()),
    });
    cluster.nodes[0].signal(SIGSTOP);
    hangs.store(false, Ordering::SeqCst);
    within(Duration::from_secs(10), || counter.has_all(tokens.iter()));
    let times = counter.times();
    cluster.nodes[0].signal(SIGCONT);
    // It comes back as another node, and works.
    let known: Vec<_> = before.iter().map(|node| node["id"].clone()).collect();
    cluster.nodes_when(&cluster.nodes[1], |nodes| {
        nodes.len() == 2 && nodes.iter().any(|node| node["name"] == "node-0" && !known.contains(&node["id"]))
    });
    within(Duration::from_secs(10), || {
        let mut api = cluster.nodes[0].api();
        let answer = api.post(
            "/api/v1/event/",
            &json!({"account": "acme", "event": "order.paid", "data": {"token": "after"}}),
        );
        if answer.status == 202 { Ok(()) } else { Err(format!("{}: {}", answer.status, answer.text())) }
    });
    within(Duration::from_secs(10), || counter.has_all([&"after".to_owned()].into_iter()));
    assert_eq!(counter.times(), times + 1, "what it had in memory was not sent again by it");
    let again = counter.is_consistent();
    assert!(again <= 8, "{again} came twice: more than the four that were in flight and their like");
    assert!(cluster.nodes[0].log().contains("taken over by another node"), "{}", cluster.nodes[0].log());
}
