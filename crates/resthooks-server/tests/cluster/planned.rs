//! An order that holds whichever node accepts an event, and whichever dies.

use std::time::Duration;

use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::ordered::Ordered;
use crate::support::within;

/// Keys and events of each.
const KEYS: usize = 6;
const EACH: usize = 90;

/// Events of each key come in through all nodes in turn, while the one that sends is killed, then another one stops.
#[test]
fn an_order_moves_with_its_owner() {
    let cluster = Cluster::start(3, &["--node-lease=2s"]);
    let ordered = Ordered::start();
    let order = json!({"order": {"by": "order_key"}, "retry": {"schedule": vec!["1s"; 20]}});
    cluster.nodes[0].api().subscribe_with("a.b", &ordered.url(), order);
    cluster.agree();
    for number in 0..EACH {
        // The first commit's node owns it: that is the one that dies.
        let node = match number {
            0 => 0,
            30..60 => 1 + number % 2,
            _ => number % 3,
        };
        let events: Vec<Value> = (0..KEYS).map(|key| Ordered::event(key, number)).collect();
        cluster.nodes[node].api().post("/api/v1/event/batch/", &Value::Array(events)).expect(202);
        match number {
            29 => cluster.nodes[0].kill(),
            59 => {
                cluster.nodes[0].start_again();
            }
            74 => {
                cluster.nodes[1].stop();
                cluster.nodes[1].start_again();
            }
            _ => {}
        }
    }
    within(Duration::from_secs(60), || ordered.has(KEYS * EACH));
    ordered.is_in_order(KEYS, EACH);
}
