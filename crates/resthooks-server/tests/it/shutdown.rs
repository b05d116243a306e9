//! SIGTERM: what is in flight ends, what was accepted is kept, the process exits with 0 within its grace.

use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;

use crate::support::{ACCOUNT, Api, Received, Reply, Setup, Target, eventually, now, within};

/// What a stop may take beyond its grace: the last write, and a busy machine.
const MARGIN: Duration = Duration::from_secs(5);

#[test]
fn under_load_it_loses_nothing_and_exits_with_0() {
    let setup = Setup::new().flag("--shutdown-grace=10s").flag("--retry-schedule=100ms,200ms,1s,1s,1s,1s,1s");
    let mut server = setup.start();
    let targets = [
        Target::always(Reply::Status(200)),
        Target::always(Reply::After(Duration::from_millis(30), 200)),
        Target::script([Reply::Status(500), Reply::Status(500), Reply::Status(200)]),
    ];
    let mut api = server.api();
    targets.iter().for_each(|target| drop(api.subscribe("order.paid", &target.url())));
    let accepted = Mutex::new(Vec::new());
    for round in 0..3 {
        let stopping = AtomicBool::new(false);
        let answered = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for client in 0..16 {
                let (accepted, stopping, answered, api) = (&accepted, &stopping, &answered, server.api());
                let name = format!("{round}-{client}");
                scope.spawn(move || post_until(stopping, &name, api, accepted, answered));
            }
            within(Duration::from_secs(30), || match answered.load(Ordering::SeqCst) {
                answered if answered >= 500 => Ok(()),
                answered => Err(format!("{answered} of 500 events")),
            });
            stopping.store(true, Ordering::SeqCst);
            let begun = now();
            server.terminate();
            assert_eq!(server.exit_code(Duration::from_secs(10) + MARGIN), Some(0), "{}", server.log());
            println!("round {round}: stopped within {:?}, {answered:?} answered", begun.elapsed());
        });
        server = setup.start();
    }
    let accepted = accepted.into_inner().unwrap();
    let begun = now();
    within(Duration::from_secs(60), || {
        for (place, target) in targets.iter().enumerate() {
            let received = target.received();
            let got: HashSet<String> = received
                .iter()
                .filter(|received| received.acknowledged)
                .map(|received| received.json()["data"].as_str().unwrap().to_owned())
                .collect();
            let missing = accepted.iter().filter(|token| !got.contains(*token)).count();
            if missing > 0 {
                return Err(format!("target {place} lacks {missing} of {} events", accepted.len()));
            }
        }
        Ok(())
    });
    println!("{} accepted, the last one arrived {:?} after the last start", accepted.len(), begun.elapsed());
    for target in &targets {
        // An orderly stop leaves nothing in flight: nothing comes twice.
        let received = target.received();
        let acknowledged: Vec<&Received> = received.iter().filter(|received| received.acknowledged).collect();
        let ids: HashSet<&str> = acknowledged.iter().map(|received| received.id()).collect();
        assert_eq!(ids.len(), acknowledged.len(), "something was sent again after an orderly stop");
    }
}

/// Posts one event after another until the server that it asks is stopping.
fn post_until(
    stopping: &AtomicBool,
    name: &str,
    mut api: Api,
    accepted: &Mutex<Vec<String>>,
    answered: &AtomicUsize,
) {
    for n in 0.. {
        let token = format!("{name}-{n}");
        let body = json!({"account": ACCOUNT, "event": "order.paid", "data": token});
        match api.ask("POST", "/api/v1/event/", &[], Some(&serde_json::to_vec(&body).unwrap())) {
            Ok(answer) if answer.status == 202 => accepted.lock().unwrap().push(token),
            Ok(answer) if answer.status == 503 => return,
            Ok(answer) => panic!("answered {}: {}", answer.status, answer.text()),
            Err(error) => {
                // Only a server that was told to stop lets its callers go unanswered.
                assert!(stopping.load(Ordering::SeqCst), "not answered: {error}");
                return;
            }
        }
        answered.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn a_hanging_target_does_not_keep_it_beyond_its_grace() {
    let setup = Setup::new().flag("--shutdown-grace=1s").flag("--retry-schedule=100ms");
    let mut server = setup.start();
    let hanging = AtomicBool::new(true);
    let target = Target::answering(move |_, _| {
        if hanging.swap(false, Ordering::SeqCst) { Reply::Hang } else { Reply::Status(200) }
    });
    let mut api = server.api();
    api.subscribe("order.paid", &target.url());
    let event = api.emit("order.paid", &json!(1));
    eventually(|| if target.count() == 1 { Ok(()) } else { Err("nothing is in flight".to_owned()) });
    let begun = now();
    server.terminate();
    assert_eq!(server.exit_code(Duration::from_secs(1) + MARGIN), Some(0), "{}", server.log());
    assert!(begun.elapsed() >= Duration::from_millis(900), "the grace was not used: {:?}", begun.elapsed());
    let server = setup.start();
    let delivery = server.api().settled(&event, "delivered");
    let received = target.received();
    assert_eq!(received.len(), 2);
    assert!(received.iter().all(|received| delivery["id"] == received.id()), "the webhook-id has changed");
}

#[test]
fn what_is_in_flight_ends_within_the_grace() {
    let setup = Setup::new().flag("--shutdown-grace=20s");
    let mut server = setup.start();
    let target = Target::always(Reply::After(Duration::from_millis(800), 200));
    let mut api = server.api();
    api.subscribe("order.paid", &target.url());
    let event = api.emit("order.paid", &json!(1));
    eventually(|| if target.count() == 1 { Ok(()) } else { Err("nothing is in flight".to_owned()) });
    let begun = now();
    server.terminate();
    assert_eq!(server.exit_code(Duration::from_secs(10)), Some(0), "{}", server.log());
    assert!(begun.elapsed() < Duration::from_secs(10), "it waited for more than what was in flight");
    let server = setup.start();
    assert_eq!(server.api().settled(&event, "delivered")["attempt_count"], 1);
    assert_eq!(target.count(), 1, "what had ended in order was sent again");
}

#[test]
fn a_backlog_is_left_for_the_next_start() {
    let setup = Setup::new().flag("--shutdown-grace=5s").flag("--max-in-flight-per-target=2");
    let mut server = setup.start();
    let target = Target::always(Reply::After(Duration::from_millis(10), 200));
    let mut api = server.api();
    api.subscribe("order.paid", &target.url());
    let events: Vec<String> =
        (0..4).flat_map(|_| api.emit_batch("order.paid", (0..250).map(|n| json!(n)))).collect();
    let begun = now();
    server.terminate();
    assert_eq!(server.exit_code(Duration::from_secs(5) + MARGIN), Some(0), "{}", server.log());
    println!("stopped within {:?}, {} of {} sent", begun.elapsed(), target.count(), events.len());
    let _server = setup.start();
    within(Duration::from_secs(60), || match target.count() {
        count if count >= events.len() => Ok(()),
        count => Err(format!("{count} of {}", events.len())),
    });
    let received = target.received();
    let ids: HashSet<&str> = received.iter().map(Received::id).collect();
    assert_eq!((ids.len(), received.len()), (events.len(), events.len()), "each once");
}
