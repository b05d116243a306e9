//! The database away, and back: nothing is claimed that was not written, and no hand is needed.

use std::time::Duration;

use serde_json::json;

use crate::cluster::Cluster;
use crate::counting::Counter;
use crate::support::{Reply, within};

/// Crashes of the database alone make nothing come twice: what is acknowledged while it is away is recorded when it is
/// back.
#[test]
fn crashes_of_the_database_lose_nothing_and_repeat_nothing() {
    let cluster = Cluster::start(2, &["--node-lease=5s"]);
    let counter = Counter::answering(|_| Reply::After(Duration::from_millis(3), 200));
    cluster.nodes[0].api().subscribe("order.paid", &counter.url());
    cluster.agree();
    let mut tokens = Vec::new();
    for round in 0..4 {
        for (place, node) in cluster.nodes.iter().enumerate() {
            let names: Vec<String> = (0..500).map(|n| format!("{round}-{place}-{n}")).collect();
            let mut api = node.api();
            within(Duration::from_secs(20), || {
                let events: Vec<_> = names
                    .iter()
                    .map(|token| json!({"account": "acme", "event": "order.paid", "id": token, "data": {"token": token}}))
                    .collect();
                let answer = api.post("/api/v1/event/batch/", &json!(events));
                if answer.status == 202 {
                    Ok(())
                } else {
                    Err(format!("{}: {}", answer.status, answer.text()))
                }
            });
            tokens.extend(names);
        }
        cluster.postgres.crash_and_restart();
    }
    within(Duration::from_secs(30), || counter.has_all(tokens.iter()));
    assert_eq!(counter.is_consistent(), 0, "nothing came twice");
}

/// Away for longer than every lease: 503 with Retry-After, no readiness; then all goes on as it was.
#[test]
fn a_long_outage_ends_by_itself() {
    let cluster = Cluster::start(2, &["--node-lease=1s"]);
    let counter = Counter::new();
    cluster.nodes[0].api().subscribe("order.paid", &counter.url());
    cluster.agree();
    cluster.nodes[0].api().emit("order.paid", &json!({"token": "before"}));
    within(Duration::from_secs(10), || counter.has_all([&"before".to_owned()].into_iter()));
    let before = cluster.nodes_when(&cluster.nodes[0], |nodes| nodes.len() == 2);
    cluster.postgres.crash();
    for node in &cluster.nodes {
        let mut api = node.api();
        let event = json!({"account": "acme", "event": "order.paid", "data": {"token": "lost"}});
        let refused = api.post("/api/v1/event/", &event).expect(503);
        assert!(refused.header("retry-after").is_some());
        within(Duration::from_secs(10), || match api.get("/readyz").status {
            503 => Ok(()),
            status => Err(format!("/readyz says {status}")),
        });
        // Longer than a lease.
        within(Duration::from_secs(10), || match node.log().contains("lease could not be lengthened") {
            true => Ok(()),
            false => Err("it has not noticed".to_owned()),
        });
    }
    crate::support::pass(Duration::from_secs(2));
    cluster.postgres.begin();
    for (place, node) in cluster.nodes.iter().enumerate() {
        let mut api = node.api();
        within(Duration::from_secs(20), || match api.get("/readyz").status {
            200 => Ok(()),
            status => Err(format!("/readyz says {status}")),
        });
        api.emit("order.paid", &json!({"token": format!("after-{place}")}));
    }
    let tokens = ["after-0", "after-1"].map(str::to_owned);
    within(Duration::from_secs(20), || counter.has_all(tokens.iter()));
    let after =
        cluster.nodes_when(&cluster.nodes[0], |nodes| nodes.iter().all(|node| node["status"] == "live"));
    let ids = |nodes: &[serde_json::Value]| nodes.iter().map(|node| node["id"].clone()).collect::<Vec<_>>();
    assert_eq!(ids(&before), ids(&after), "nobody was taken over for want of the database");
    assert!(!counter.has("lost"), "what was refused was not sent");
}

/// More connections than the database allows: refused or served, but never claimed, and well again afterwards.
#[test]
fn too_few_connections_are_survived() {
    let cluster = Cluster::start(1, &["--node-lease=5s"]);
    let counter = Counter::new();
    cluster.nodes[0].api().subscribe("order.paid", &counter.url());
    // Takes all that is free, superusers' included, then ends the node's own.
    let postgres = &cluster.postgres;
    postgres.query("ALTER SYSTEM SET max_connections = 12");
    postgres.query("ALTER SYSTEM SET superuser_reserved_connections = 0");
    postgres.crash_and_restart();
    let hoarders: Vec<_> = (0..12).filter_map(|_| postgres.hold_connection()).collect();
    let mut api = cluster.nodes[0].api();
    let event = |token: &str| json!({"account": "acme", "event": "order.paid", "data": {"token": token}});
    let answer = api.post("/api/v1/event/", &event("crowded"));
    assert!(matches!(answer.status, 202 | 503), "{}: {}", answer.status, answer.text());
    let accepted = answer.status == 202;
    drop(hoarders);
    within(Duration::from_secs(20), || match api.post("/api/v1/event/", &event("after")).status {
        202 => Ok(()),
        status => Err(format!("still {status}")),
    });
    within(Duration::from_secs(10), || counter.has_all([&"after".to_owned()].into_iter()));
    if accepted {
        within(Duration::from_secs(10), || counter.has_all([&"crowded".to_owned()].into_iter()));
    }
}
