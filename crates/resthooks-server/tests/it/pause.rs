//! What an owner can do with deliveries that wait: hold, resume, cancel, try by hand.

use serde_json::{Value, json};

use crate::support::{Api, Reply, Server, Setup, Target, eventually, outcomes};

fn start(schedule: &str) -> (Server, Api) {
    let server = Setup::new().flag(format!("--retry-schedule={schedule}")).start();
    let api = server.api();
    (server, api)
}

#[track_caller]
fn set_active(api: &mut Api, id: &str, active: bool) -> Value {
    api.patch(&format!("/api/v1/subscription/{id}/"), &json!({"active": active})).expect(200).json
}

#[track_caller]
fn assert_count(target: &Target, count: usize) {
    eventually(|| match target.count() {
        found if found >= count => Ok(()),
        found => Err(format!("{found} of {count} requests")),
    });
    assert_eq!(target.count(), count);
}

#[test]
fn what_is_held_is_sent_after_resuming() {
    let (server, mut api) = start("1h");
    let target = Target::always(Reply::Status(200));
    let subscribed = api.subscribe("contact.create", &target.url());
    assert_eq!(set_active(&mut api, &subscribed.id, false)["status"], "paused");
    let events: Vec<String> = (0..30).map(|n| api.emit("contact.create", &json!({"n": n}))).collect();
    for event in &events {
        let held = api.settled(event, "held");
        assert!(held["reason"].as_str().is_some_and(|reason| reason.contains("paused")), "{held:#}");
    }
    let shown = api.get(&format!("/api/v1/subscription/{}/", subscribed.id)).expect(200).json;
    assert_eq!((&shown["pending"], &shown["active"]), (&json!(30), &json!(false)));
    // Held ones outlive a crash, and are still held after it.
    let server = server.killed_and_restarted();
    let mut api = server.api();
    assert_eq!(api.delivery_id(&events[0]), api.settled(&events[0], "held")["id"].as_str().unwrap());
    assert_eq!(target.count(), 0, "a paused subscription was sent something");
    assert_eq!(set_active(&mut api, &subscribed.id, true)["status"], "active");
    for event in &events {
        assert_eq!(outcomes(&api.settled(event, "delivered")), ["200"]);
    }
    assert_count(&target, events.len());
    let fresh = api.emit("contact.create", &json!({"n": "fresh"}));
    api.settled(&fresh, "delivered");
    let shown = api.get(&format!("/api/v1/subscription/{}/", subscribed.id)).expect(200).json;
    assert_eq!(shown["pending"], 0);
}

#[test]
fn a_pause_holds_what_waits_for_its_retry() {
    let (_server, mut api) = start("400ms");
    let target = Target::script([Reply::Status(500), Reply::Status(200)]);
    let subscribed = api.subscribe("contact.create", &target.url());
    let event = api.emit("contact.create", &json!({"n": 1}));
    api.settled(&event, "scheduled");
    set_active(&mut api, &subscribed.id, false);
    let held = api.settled(&event, "held");
    assert_eq!((outcomes(&held), &held["next_attempt_at"]), (vec!["500".to_owned()], &Value::Null));
    set_active(&mut api, &subscribed.id, true);
    assert_eq!(outcomes(&api.settled(&event, "delivered")), ["500", "200"]);
    assert_count(&target, 2);
}

#[test]
fn deleting_a_subscription_cancels_what_waits() {
    let (server, mut api) = start("1h");
    let target = Target::always(Reply::Status(500));
    let [scheduled, held] = ["scheduled", "held"].map(|_| api.subscribe("contact.create", &target.url()));
    set_active(&mut api, &held.id, false);
    let events = api.emit_batch("contact.create", (0..10).map(|n| json!({"n": n})));
    for event in &events {
        for delivery in api.deliveries_of(event) {
            let wanted = if delivery["subscription"] == held.id.as_str() { "held" } else { "scheduled" };
            api.delivery_when(delivery["id"].as_str().unwrap(), |delivery| delivery["status"] == wanted);
        }
    }
    for subscribed in [&scheduled, &held] {
        let path = format!("/api/v1/subscription/{}/", subscribed.id);
        api.delete(&path).expect(204);
        api.get(&path).expect(404);
        api.delete(&path).expect(204);
    }
    let check = |api: &mut Api| {
        for event in &events {
            for delivery in api.deliveries_of(event) {
                let id = delivery["id"].as_str().unwrap();
                let cancelled = api.delivery_when(id, |delivery| delivery["status"] == "cancelled");
                assert!(cancelled["reason"].as_str().is_some_and(|r| r.contains("deleted")), "{cancelled:#}");
            }
        }
    };
    check(&mut api);
    let server = server.killed_and_restarted();
    check(&mut server.api());
    assert_count(&target, 10);
}

#[test]
fn a_manual_retry_leaves_the_schedule_as_it_was() {
    let (_server, mut api) = start("1h,2h");
    let target = Target::script([Reply::Status(500), Reply::Status(503), Reply::Reset, Reply::Status(200)]);
    api.subscribe("contact.create", &target.url());
    let event = api.emit("contact.create", &json!({"n": 1}));
    let before = api.settled(&event, "scheduled");
    let path = format!("/api/v1/delivery/{}/retry/", before["id"].as_str().unwrap());
    for (attempts, wanted) in [(2, "503"), (3, "reset")] {
        let after = api.post(&path, &json!({})).expect(200).json;
        assert_eq!((&after["status"], &after["attempt_count"]), (&json!("scheduled"), &json!(attempts)));
        assert_eq!(after["next_attempt_at"], before["next_attempt_at"], "the schedule was moved");
        let last = after["attempts"].as_array().unwrap().last().unwrap().clone();
        assert_eq!((&last["manual"], outcomes(&after).last().unwrap().as_str()), (&json!(true), wanted));
    }
    let done = api.post(&path, &json!({})).expect(200).json;
    assert_eq!((&done["status"], &done["next_attempt_at"]), (&json!("delivered"), &Value::Null));
    assert_eq!(outcomes(&done), ["500", "503", "reset", "200"]);
    let numbers: Vec<u32> = target.received().iter().map(crate::support::Received::attempt).collect();
    assert_eq!(numbers, [1, 2, 3, 4]);
}

#[test]
fn the_schedule_goes_on_behind_manual_retries() {
    let (_server, mut api) = start("600ms,100ms");
    let target = Target::always(Reply::Status(500));
    api.subscribe("contact.create", &target.url());
    let event = api.emit("contact.create", &json!({"n": 1}));
    let before = api.settled(&event, "scheduled");
    let id = before["id"].as_str().unwrap().to_owned();
    api.post(&format!("/api/v1/delivery/{id}/retry/"), &json!({})).expect(200);
    let dead = api.settled(&event, "dead");
    let manual: Vec<bool> =
        dead["attempts"].as_array().unwrap().iter().map(|a| a["manual"] == true).collect();
    assert_eq!(manual, [false, true, false, false], "{dead:#}");
    // One that is dead may be tried by hand again, and lives when that succeeds.
    let again = api.post(&format!("/api/v1/delivery/{id}/retry/"), &json!({})).expect(200).json;
    assert_eq!((&again["status"], &again["attempt_count"]), (&json!("dead"), &json!(5)));
}

#[test]
fn a_dead_delivery_is_brought_back_by_hand() {
    let (_server, mut api) = start("50ms");
    let target = Target::script([Reply::Status(500), Reply::Status(500), Reply::Status(200)]);
    api.subscribe("contact.create", &target.url());
    let event = api.emit("contact.create", &json!({"n": 1}));
    let dead = api.settled(&event, "dead");
    let path = format!("/api/v1/delivery/{}/retry/", dead["id"].as_str().unwrap());
    let done = api.post(&path, &json!({})).expect(200).json;
    assert_eq!((&done["status"], &done["reason"]), (&json!("delivered"), &Value::Null));
    assert_eq!(outcomes(&done), ["500", "500", "200"]);
}

#[test]
fn what_is_cancelled_is_not_sent_again() {
    let (server, mut api) = start("300ms,300ms");
    let target = Target::always(Reply::Status(500));
    api.subscribe("contact.create", &target.url());
    let cancelled = api.emit("contact.create", &json!({"n": 1}));
    let waiting = api.settled(&cancelled, "scheduled");
    let path = format!("/api/v1/delivery/{}/cancel/", waiting["id"].as_str().unwrap());
    let after = api.post(&path, &json!({})).expect(200).json;
    assert_eq!((&after["status"], &after["next_attempt_at"]), (&json!("cancelled"), &Value::Null));
    assert_eq!(api.post(&path, &json!({})).expect(409).str("code"), "delivery_finished");
    // One that came later goes its whole way meanwhile.
    let other = api.emit("contact.create", &json!({"n": 2}));
    api.settled(&other, "dead");
    let sent = target.received().iter().filter(|r| r.json()["id"] == cancelled.as_str()).count();
    assert_eq!(sent, 1, "a cancelled delivery was sent again");
    let server = server.killed_and_restarted();
    assert_eq!(server.api().settled(&cancelled, "cancelled")["attempt_count"], 1);
}
