//! The claim check across SIGKILL: what was released or acknowledged stays so, and what was cut off is done when it is asked
//! for again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use crate::support::{Api, Reply, Setup, Target, eventually};

const EVENTS: usize = 700;

fn count(api: &mut Api, path: &str) -> u64 {
    api.get(path).expect(200).json["count"].as_u64().unwrap()
}

#[test]
fn a_release_that_a_kill_cuts_off_is_done_when_it_is_asked_for_again() {
    let mut server = Setup::new().flag("--retry-schedule=50ms").start();
    let well = Arc::new(AtomicBool::new(false));
    let is_well = Arc::clone(&well);
    let target =
        Target::answering(move |_, _| Reply::Status(if is_well.load(Ordering::SeqCst) { 200 } else { 500 }));
    let mut api = server.api();
    let subscribed = api.subscribe("contact.create", &target.url());
    let events = api.emit_batch("contact.create", (0..EVENTS).map(|n| json!({"n": n})));
    let path = format!("/api/v1/subscription/{}/missed/", subscribed.id);
    eventually(|| match count(&mut api, &path) {
        found if found == EVENTS as u64 => Ok(()),
        found => Err(format!("{found} of {EVENTS} are missed")),
    });
    let page = api.get(&path).expect(200).json;
    let done: Vec<&Value> = page["data"].as_array().unwrap().iter().map(|one| &one["id"]).collect();
    let acknowledged = api.post(&format!("{path}acknowledge/"), &json!({"ids": done})).expect(200).json;
    assert_eq!(acknowledged, json!({"acknowledged": 50}));

    well.store(true, Ordering::SeqCst);
    let before = target.count();
    let release = format!("{path}release/");
    let address = server.address();
    let releasing = std::thread::spawn({
        let release = release.clone();
        // It may be cut off: no answer is expected.
        move || {
            Api::new(address)
                .ask("POST", &release, &[("content-type", "application/json")], Some(b"{\"all\": true}"))
                .is_ok()
        }
    });
    eventually(|| if target.count() > before { Ok(()) } else { Err("nothing is sent yet".to_owned()) });
    server.kill();
    let answered = releasing.join().unwrap();
    let server = server.killed_and_restarted();
    let mut api = server.api();
    let left = count(&mut api, &path);
    println!("{left} left by the first release, which was answered: {answered}");
    assert!(!answered || left == 0, "{left} are missed after a release that was answered");
    assert_eq!(api.post(&release, &json!({"all": true})).expect(200).json, json!({"released": left}));
    let delivered = |api: &mut Api, event: &String| {
        let found = api.settled(event, "delivered");
        (found["id"].as_str().unwrap().to_owned(), found["reason"].clone())
    };
    let deliveries: Vec<(String, Value)> = events.iter().map(|event| delivered(&mut api, event)).collect();
    assert_eq!(count(&mut api, &path), 0);
    let shown = api.get(&format!("/api/v1/subscription/{}/", subscribed.id)).expect(200).json;
    assert_eq!(shown["pending"], 0);
    let sent = target.received();
    let was_acknowledged = |id: &str| sent.iter().any(|one| one.id() == id && one.acknowledged);
    for (id, reason) in &deliveries {
        assert_eq!(was_acknowledged(id), reason.is_null(), "{id}: {reason}");
    }
    assert_eq!(deliveries.iter().filter(|(_, reason)| !reason.is_null()).count(), 50);
}
