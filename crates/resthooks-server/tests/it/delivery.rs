//! What becomes of a delivery, for everything that a target can answer: over real sockets, from the real binary.

use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::support::{ACCOUNT, Received, Reply, Server, Setup, Target, eventually, now, outcomes};

/// A server whose retries come soon: after 50 ms, 100 ms, …
pub(crate) fn server() -> Server {
    Setup::new().flag("--retry-schedule=50ms,100ms,150ms,200ms").start()
}

/// Delivers one event to this URL and waits until the delivery has this status.
pub(crate) fn deliver(server: &Server, url: &str, status: &str) -> Value {
    let mut api = server.api();
    // A type of its own for each target, so that nothing else goes there.
    let event = format!("contact.{}", url.replace(|c: char| !c.is_ascii_alphanumeric(), "_"));
    api.subscribe(&event, url);
    let event = api.emit(&event, &json!({"id": 1}));
    api.settled(&event, status)
}

/// Every request of these carries the delivery's id, and they are numbered from 1.
#[track_caller]
fn assert_one_delivery(delivery: &Value, received: &[Received]) {
    let ids: Vec<&str> = received.iter().map(Received::id).collect();
    assert!(ids.iter().all(|id| delivery["id"] == **id), "{ids:?} are not all {}", delivery["id"]);
    let numbers: Vec<u32> = received.iter().map(Received::attempt).collect();
    let wanted: Vec<u32> = (1..=u32::try_from(received.len()).unwrap()).collect();
    assert_eq!(numbers, wanted, "attempts as the target saw them");
}

/// What the target saw and what the API says of it are the same attempts, with these outcomes.
#[track_caller]
pub(crate) fn assert_attempts(delivery: &Value, target: &Target, wanted: &[&str]) {
    assert_eq!(outcomes(delivery), wanted, "{delivery:#}");
    assert_eq!(delivery["attempt_count"], wanted.len(), "{delivery:#}");
    let received = target.received();
    assert_eq!(received.len(), wanted.len(), "requests that the target saw");
    assert_one_delivery(delivery, &received);
    for attempt in delivery["attempts"].as_array().unwrap() {
        assert_eq!(attempt["address"], target.address().to_string(), "{attempt:#}");
    }
}

#[test]
fn what_is_acknowledged_is_never_sent_again() {
    let server = server();
    for status in [200, 201, 202, 204, 299] {
        let target = Target::always(Reply::Status(status));
        let delivery = deliver(&server, &target.url(), "delivered");
        assert_attempts(&delivery, &target, &[&status.to_string()]);
        assert_eq!(delivery["next_attempt_at"], Value::Null);
        // Another delivery and its retries go by; this target hears nothing more.
        let failing = Target::script([Reply::Status(500), Reply::Status(500), Reply::Status(200)]);
        deliver(&server, &failing.url(), "delivered");
        let ours = target.received().iter().filter(|r| delivery["id"] == r.id()).count();
        assert_eq!(ours, 1, "the delivery was sent again");
    }
}

#[test]
fn a_redirect_is_neither_followed_nor_tried_again() {
    let server = server();
    let elsewhere = Target::always(Reply::Status(200));
    for status in [301, 302, 303, 307, 308] {
        let target = Target::always(Reply::Header(status, "location", elsewhere.url()));
        let mut api = server.api();
        let subscribed = api.subscribe("contact.create", &target.url());
        let event = api.emit("contact.create", &json!({"id": 1}));
        let delivery = api.settled(&event, "dead");
        assert_attempts(&delivery, &target, &[&status.to_string()]);
        let reason = delivery["reason"].as_str().unwrap_or_default();
        assert!(reason.contains(&status.to_string()), "the reason names the status: {reason}");
        let headers = &delivery["attempts"][0]["response_headers"];
        assert_eq!(headers["location"][0], elsewhere.url(), "the answer's headers are kept");
        api.delete(&format!("/api/v1/subscription/{}/", subscribed.id)).expect(204);
    }
    assert_eq!(elsewhere.count(), 0, "a redirect was followed");
}

#[test]
fn other_refusals_and_failures_are_tried_again() {
    let server = server();
    for status in [400, 401, 403, 404, 409, 429, 500, 502, 503] {
        let target = Target::script([Reply::Status(status), Reply::Status(status), Reply::Status(200)]);
        let delivery = deliver(&server, &target.url(), "delivered");
        let status = status.to_string();
        assert_attempts(&delivery, &target, &[&status, &status, "200"]);
    }
}

#[test]
fn at_the_end_of_the_schedule_a_delivery_is_dead() {
    let server = server();
    let target = Target::always(Reply::Status(500));
    let delivery = deliver(&server, &target.url(), "dead");
    assert_attempts(&delivery, &target, &["500"; 5]);
    assert_eq!(delivery["next_attempt_at"], Value::Null);
    let waits: Vec<Duration> =
        target.received().windows(2).map(|two| two[1].at.duration_since(two[0].at)).collect();
    for (wait, least) in waits.iter().zip([50, 100, 150, 200]) {
        assert!(*wait >= Duration::from_millis(least), "sooner than the schedule says: {waits:?}");
    }
}

#[test]
fn gone_ends_the_subscription_and_what_is_queued() {
    // The first delivery fails and waits for its retry, the second one is in flight, the third is answered 410.
    let server = Setup::new().flag("--retry-schedule=1h").start();
    let target = Target::answering(|request, _| match request.json()["data"]["n"].as_u64() {
        Some(1 | 2) => Reply::Status(500),
        _ => Reply::Status(410),
    });
    let mut api = server.api();
    let subscribed = api.subscribe("contact.create", &target.url());
    let waiting: Vec<String> = (1..=2).map(|n| api.emit("contact.create", &json!({"n": n}))).collect();
    for event in &waiting {
        api.settled(event, "scheduled");
    }
    let last = api.emit("contact.create", &json!({"n": 3}));
    let delivery = api.settled(&last, "dead");
    assert_eq!(outcomes(&delivery), ["410"]);
    let gone = api.subscription_when(&subscribed.id, "gone");
    assert!(gone["status_reason"].as_str().is_some_and(|reason| reason.contains("410")), "{gone:#}");
    assert_eq!(gone["active"], false);
    api.get(&format!("/api/v1/subscription/{}/", subscribed.id)).expect(404);
    for event in &waiting {
        let cancelled = api.settled(event, "cancelled");
        assert_eq!(
            (outcomes(&cancelled), &cancelled["next_attempt_at"]),
            (vec!["500".to_owned()], &Value::Null)
        );
    }
    let later = json!({"account": ACCOUNT, "event": "contact.create", "data": {"n": 4}});
    let answer = api.post("/api/v1/event/", &later).expect(202);
    assert_eq!(answer.json["matched"], 0, "a subscription that is gone matches nothing");
    assert_eq!(target.count(), 3, "nothing more is sent after the 410");
    // Deleting what is gone is answered as the first time, and the end outlives a restart.
    let server = server.killed_and_restarted();
    let mut api = server.api();
    api.get(&format!("/api/v1/subscription/{}/", subscribed.id)).expect(404);
    api.subscription_when(&subscribed.id, "gone");
    api.delete(&format!("/api/v1/subscription/{}/", subscribed.id)).expect(204);
}

#[test]
fn a_crowd_that_waits_in_memory_ends_with_a_410() {
    let server = Setup::new().flag("--max-in-flight-per-target=1").start();
    let target = Target::always(Reply::After(Duration::from_millis(300), 410));
    let mut api = server.api();
    api.subscribe("contact.create", &target.url());
    let events = api.emit_batch("contact.create", (0..50).map(|n| json!({"n": n})));
    api.settled(&events[0], "dead");
    for event in &events[1..] {
        api.settled(event, "cancelled");
    }
    assert_eq!(target.count(), 1, "requests after the 410");
}

#[test]
fn retry_after_in_seconds_is_never_undercut() {
    let server = Setup::new().flag("--retry-schedule=50ms,5s").start();
    for status in [429, 503] {
        let target =
            Target::script([Reply::Header(status, "retry-after", "1".to_owned()), Reply::Status(200)]);
        let delivery = deliver(&server, &target.url(), "delivered");
        assert_attempts(&delivery, &target, &[&status.to_string(), "200"]);
        let received = target.received();
        let wait = received[1].at.duration_since(received[0].at);
        assert!(
            wait >= Duration::from_secs(1),
            "{status}: tried again after {wait:?}, not the 1 s asked for"
        );
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a date can only be compared with the clock")]
fn retry_after_as_a_date_is_never_undercut() {
    let server = Setup::new().flag("--retry-schedule=50ms,10s").start();
    let begun = SystemTime::now();
    // A date has whole seconds: rounded up, it lies two to three seconds ahead.
    let seconds = begun.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs() + 3;
    let date = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    let target = Target::script([
        Reply::Header(429, "retry-after", httpdate::fmt_http_date(date)),
        Reply::Status(200),
    ]);
    let (clock, steady) = (SystemTime::now(), now());
    let delivery = deliver(&server, &target.url(), "delivered");
    assert_attempts(&delivery, &target, &["429", "200"]);
    let again = clock + target.received()[1].at.duration_since(steady);
    // Half a second less: the two clocks of this test are read one after the other, and answers have milliseconds.
    assert!(
        again + Duration::from_millis(5) >= date,
        "tried again {:?} too soon",
        date.duration_since(again)
    );
}

#[test]
fn one_account_may_subscribe_the_same_target_several_times() {
    let server = server();
    let target = Target::always(Reply::Status(200));
    let mut api = server.api();
    let ids: Vec<String> = (0..3).map(|_| api.subscribe("contact.create", &target.url()).id).collect();
    let event = api.emit("contact.create", &json!({"id": 1}));
    let received = eventually(|| match target.received() {
        received if received.len() >= 3 => Ok(received),
        received => Err(format!("{} of 3 requests", received.len())),
    });
    let mut subscriptions: Vec<&str> = received.iter().map(|r| r.header("x-hook-subscription")).collect();
    subscriptions.sort_unstable();
    assert_eq!(subscriptions, ids);
    let deliveries: std::collections::HashSet<&str> = received.iter().map(Received::id).collect();
    assert_eq!(deliveries.len(), 3, "each subscription has a delivery of its own");
    assert!(received.iter().all(|r| r.json()["id"] == event.as_str()));
}
