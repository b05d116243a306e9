//! Order, debouncing and batches across SIGKILL, over real sockets: what was acknowledged to the producer arrives, in its
//! order, whatever the server had in hand.

use std::time::Duration;

use serde_json::{Value, json};

use crate::ordered::Ordered;
use crate::support::{Reply, Setup, Target, within};

/// Keys and events of each.
const KEYS: usize = 8;
const EACH: usize = 60;

#[test]
fn an_order_by_key_outlives_kills() {
    let ordered = Ordered::start();
    let mut server = Setup::new().start();
    let order =
        json!({"order": {"by": "order_key"}, "retry": {"schedule": ["1s", "1s", "1s", "1s", "1s", "1s"]}});
    server.api().subscribe_with("a.b", &ordered.url(), order);
    for number in 0..EACH {
        let mut api = server.api();
        let events: Vec<Value> = (0..KEYS).map(|key| Ordered::event(key, number)).collect();
        api.post("/api/v1/event/batch/", &Value::Array(events)).expect(202);
        if number % 12 == 5 {
            server = server.killed_and_restarted();
        } else if number % 5 == 2 {
            // Some are being sent when the next kill comes, some wait.
            within(Duration::from_secs(30), || ordered.has(KEYS * number / 2));
        }
    }
    server = server.killed_and_restarted();
    within(Duration::from_secs(60), || ordered.has(KEYS * EACH));
    ordered.is_in_order(KEYS, EACH);
    drop(server);
}

#[test]
fn windows_and_batches_outlive_a_kill() {
    let debounced = Target::always(Reply::Status(200));
    let batched = Target::always(Reply::Status(200));
    let server = Setup::new().start();
    let mut api = server.api();
    let debounce = json!({"debounce": {"window": "2s", "key": "/key"}});
    api.subscribe_with("a.b", &debounced.url(), debounce);
    let batch = json!({"batch": {"max_events": 1000, "max_wait": "3s"}});
    api.subscribe_with("a.b", &batched.url(), batch);
    let data = |number: u64| json!({"key": "k", "number": number});
    let events: Vec<String> = (0..10).map(|number| api.emit("a.b", &data(number))).collect();
    let server = server.killed_and_restarted();
    within(Duration::from_secs(30), || match (debounced.count(), batched.count()) {
        (1.., 1..) => Ok(()),
        counts => Err(format!("{counts:?} came")),
    });
    let newest = debounced.received()[0].json();
    assert_eq!((debounced.count(), &newest["data"]), (1, &data(9)));
    let members = batched.received()[0].json();
    let numbers: Vec<u64> =
        members.as_array().unwrap().iter().map(|one| one["data"]["number"].as_u64().unwrap()).collect();
    assert_eq!((batched.count(), numbers), (1, (0..10).collect()));
    let mut api = server.api();
    let ended = |event: &String| {
        let mut all: Vec<String> =
            api.deliveries_of(event).iter().map(|one| one["status"].as_str().unwrap().to_owned()).collect();
        all.sort_unstable();
        all
    };
    let ends: Vec<Vec<String>> = events.iter().map(ended).collect();
    assert_eq!(ends[9], ["delivered", "delivered"]);
    assert!(ends[..9].iter().all(|ends| *ends == ["cancelled", "delivered"]), "{ends:?}");
}
