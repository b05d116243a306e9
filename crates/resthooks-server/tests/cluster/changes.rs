//! What is changed through one node holds on all.

use std::time::Duration;

use serde_json::json;

use crate::cluster::Cluster;
use crate::counting::Counter;
use crate::support::{ACCOUNT, Api, Reply, Target, within};

/// How long a change may take to reach every node.
const SOON: Duration = Duration::from_secs(1);

/// Two nodes started at once on an empty database both come up, know each other, and take events for the same
/// subscription: its sequence has neither gaps nor repetitions.
#[test]
fn two_nodes_started_at_once_work_as_one() {
    let cluster = Cluster::start(2, &[]);
    let nodes = cluster.nodes_when(&cluster.nodes[0], |nodes| nodes.len() == 2);
    assert!(nodes.iter().all(|node| node["status"] == "live"), "{nodes:?}");
    assert_eq!(nodes.iter().filter(|node| node["self"] == true).count(), 1);
    let counter = Counter::new();
    cluster.nodes[0].api().subscribe("order.*", &counter.url());
    cluster.agree();
    let tokens: Vec<Vec<String>> =
        (0..2).map(|node| (0..500).map(|n| format!("{node}-{n}")).collect()).collect();
    std::thread::scope(|scope| {
        for (node, tokens) in cluster.nodes.iter().zip(&tokens) {
            scope.spawn(move || {
                let mut api = node.api();
                tokens.iter().for_each(|token| drop(api.emit("order.paid", &json!({"token": token}))));
            });
        }
    });
    within(Duration::from_secs(20), || counter.has_all(tokens.iter().flatten()));
    assert_eq!(counter.is_consistent(), 0);
    let highest = counter.highest_sequence();
    assert_eq!(highest, 1000, "no number was left out");
}

/// Subscribed through one node, changed through the next, ended through the third.
#[test]
fn changes_reach_every_node_within_a_second() {
    let cluster = Cluster::start(3, &[]);
    let counter = Counter::new();
    let [one, two, three] = [0, 1, 2].map(|place| cluster.nodes[place].api());
    let (mut one, mut two, mut three) = (one, two, three);
    // Development mode registers types with their first events.
    one.emit("order.paid", &json!({"token": "before"}));
    let subscribed = one.subscribe("order.paid", &counter.url());
    let mut emitted = 0;
    within(SOON, || {
        emitted += 1;
        three.emit("order.paid", &json!({"token": format!("new-{emitted}")}));
        if counter.events() > 0 {
            Ok(())
        } else {
            Err("the third node does not know the subscription".to_owned())
        }
    });
    let path = format!("/api/v1/subscription/{}/", subscribed.id);
    two.patch(&path, &json!({"active": false})).expect(200);
    within(SOON, || {
        let id = three.emit("order.paid", &json!({"token": "held"}));
        let deliveries = three.deliveries_of(&id);
        let held = deliveries.iter().any(|delivery| delivery["status"] == "held");
        if held { Ok(()) } else { Err(format!("{deliveries:?}")) }
    });
    // Changes of the same subscription through several nodes at once: each is kept.
    std::thread::scope(|scope| {
        for (place, node) in cluster.nodes.iter().enumerate() {
            let path = &path;
            scope.spawn(move || {
                let mut api = node.api();
                let change = [
                    json!({"description": "told"}),
                    json!({"metadata": {"a": 1}}),
                    json!({"max_in_flight": 7}),
                ];
                api.patch(path, &change[place]).expect(200);
            });
        }
    });
    let read = one.get(&path).expect(200).json;
    assert_eq!(
        (&read["description"], &read["metadata"]["a"], &read["max_in_flight"]),
        (&json!("told"), &json!(1), &json!(7))
    );
    three.patch(&path, &json!({"active": true})).expect(200);
    within(Duration::from_secs(10), || counter.has_all([&"held".to_owned()].into_iter()));
    three.delete(&path).expect(204);
    within(SOON, || {
        let id = one.emit("order.paid", &json!({"token": "none"}));
        let deliveries = one.deliveries_of(&id);
        if deliveries.is_empty() { Ok(()) } else { Err(format!("{deliveries:?}")) }
    });
}

/// A target that says 410 to one node gets nothing more from any, a second later.
#[test]
fn a_410_stops_all_nodes() {
    let cluster = Cluster::start(3, &[]);
    let target = Target::always(Reply::Status(410));
    let subscribed = cluster.nodes[0].api().subscribe("order.paid", &target.url());
    cluster.agree();
    cluster.nodes[1].api().emit("order.paid", &json!({"token": "last"}));
    for node in &cluster.nodes {
        let mut api = node.api();
        within(SOON, || {
            let id = api.emit("order.paid", &json!({"token": "more"}));
            let deliveries = api.deliveries_of(&id);
            if deliveries.is_empty() { Ok(()) } else { Err(format!("still matched: {deliveries:?}")) }
        });
        let listed =
            api.get(&format!("/api/v1/subscription/?account={ACCOUNT}&status=gone")).expect(200).json;
        assert_eq!(listed["data"][0]["id"], json!(subscribed.id));
    }
}

/// Keys work on every node, and cease to.
#[test]
fn keys_made_through_one_node_hold_on_all() {
    let cluster = Cluster::start(2, &[]);
    let made = cluster.nodes[0]
        .api()
        .post("/api/v1/api-key/", &json!({"account": ACCOUNT, "name": "k"}))
        .expect(201);
    let asked = |wanted: u16| {
        let mut api = Api::with_key(cluster.nodes[1].address().unwrap(), &made.str("key"));
        within(SOON, || match api.get("/api/v1/subscription/").status {
            found if found == wanted => Ok(()),
            found => Err(format!("{found} rather than {wanted}")),
        });
    };
    asked(200);
    cluster.nodes[0].api().delete(&format!("/api/v1/api-key/{}/", made.str("id"))).expect(204);
    asked(401);
}
