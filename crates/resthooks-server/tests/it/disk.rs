//! A disk that is full or fails: no 202 for what is not durable, and nothing lost once it works again.
//!
//! Full: by a limit on the size of files, and by writes that fail with `ENOSPC`. Failing: by an `fsync` that fails
//! with `EIO`. The last two come from a library that is compiled here and loaded into the server before libc.

mod rig;

use std::collections::{HashMap, HashSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::json;

use self::rig::{Fault, Rig};
use crate::support::{ACCOUNT, Answer, Api, Chance, Reply, Server, Target, pass, within};

/// Refusals that show that it is no accident.
const ENOUGH: usize = 5;

/// Posts an event with a token and some weight.
fn post(api: &mut Api, token: &str) -> Answer {
    let data = json!({"token": token, "padding": "x".repeat(4000)});
    let body = json!({"account": ACCOUNT, "event": "order.paid", "id": token, "data": data});
    api.post("/api/v1/event/", &body)
}

/// 503 as it must be: with `Retry-After`, as a problem, without a word about paths.
#[track_caller]
fn assert_unavailable(answer: &Answer) {
    assert_eq!(answer.status, 503, "{}", answer.text());
    let after = answer.header("retry-after").and_then(|seconds| seconds.parse::<u64>().ok());
    assert!(after.is_some_and(|seconds| seconds >= 1), "no Retry-After: {answer:?}");
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    assert_eq!(answer.str("code"), "unavailable");
}

fn tokens(target: &Target) -> HashSet<String> {
    let received = target.received();
    let acknowledged = received.iter().filter(|received| received.acknowledged);
    acknowledged.map(|received| received.json()["data"]["token"].as_str().unwrap().to_owned()).collect()
}

/// Every accepted event arrived at the target.
#[track_caller]
fn assert_arrives(server: &Server, target: &Target, accepted: &[String]) {
    within(Duration::from_secs(30), || {
        let got = tokens(target);
        let missing: Vec<&String> = accepted.iter().filter(|token| !got.contains(*token)).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let of = accepted.len();
        Err(format!(
            "{} of {of} accepted events are missing: {missing:.300?}\n{}",
            missing.len(),
            server.log()
        ))
    });
}

/// What was answered 503 was not sent.
#[track_caller]
fn assert_never_sent(target: &Target, refused: &HashSet<String>) {
    let sent: Vec<String> = tokens(target).intersection(refused).cloned().collect();
    assert!(sent.is_empty(), "answered 503 and sent all the same: {sent:?}");
}

/// The server says within a moment that it takes events again.
#[track_caller]
fn assert_ready(server: &Server) {
    within(Duration::from_secs(10), || match server.api().get("/readyz") {
        answer if answer.status == 200 => Ok(()),
        answer => Err(format!("not ready on a mended disk: {}\n{}", answer.text(), server.log())),
    });
}

/// What the API says: every accepted event is there, with its deliveries done.
#[track_caller]
fn assert_recorded(server: &Server, accepted: &[String]) {
    let mut api = server.api();
    for token in accepted {
        for delivery in api.deliveries_of(token) {
            let id = delivery["id"].as_str().unwrap();
            api.delivery_when(id, |delivery| delivery["status"] == "delivered");
        }
    }
}

/// Each event has one `webhook-id` at a target, and each id one event.
#[track_caller]
fn assert_ids(target: &Target) {
    let (mut by_token, mut by_sequence) = (HashMap::new(), HashMap::new());
    for received in target.received() {
        let id = received.id().to_owned();
        let token = received.json()["data"]["token"].to_string();
        let sequence = received.header("x-hook-sequence").to_owned();
        assert_eq!(by_token.entry(token.clone()).or_insert(id.clone()), &id, "{token} has two ids");
        assert_eq!(
            by_sequence.entry(sequence.clone()).or_insert(id.clone()),
            &id,
            "number {sequence} is taken twice"
        );
    }
}

/// Posts until the server has refused enough, and sees that it can still be asked.
fn refuses(server: &Server, accepted: &mut Vec<String>) -> HashSet<String> {
    let mut api = server.api();
    let mut refused = HashSet::new();
    // A limited file may have room for some more.
    for n in 0..100 {
        let token = format!("during-{n}");
        let answer = post(&mut api, &token);
        if answer.status == 202 {
            accepted.push(token);
            continue;
        }
        assert_unavailable(&answer);
        refused.insert(token);
        if refused.len() >= ENOUGH {
            break;
        }
    }
    assert_eq!(refused.len(), ENOUGH, "a broken disk goes unnoticed\n{}", server.log());
    let ready = api.get("/readyz");
    assert_eq!(ready.status, 503, "ready on a broken disk: {}", ready.text());
    api.get("/healthz").expect(200);
    api.get(&format!("/api/v1/event/{}/?account={ACCOUNT}", accepted[0])).expect(200);
    refused
}

/// Breaks the disk, sees that nothing is promised any more, mends it, and sees that nothing was lost.
fn breaks_and_is_mended(fault: Fault) {
    let rig = Rig::new(fault);
    let server = rig.setup.start();
    let good = Target::always(Reply::Status(200));
    let flaky = Target::script([Reply::Status(500), Reply::Status(500), Reply::Status(200)]);
    let mut api = server.api();
    [&good, &flaky].into_iter().for_each(|target| drop(api.subscribe("order.paid", &target.url())));
    let mut accepted: Vec<String> = (0..20).map(|n| format!("before-{n}")).collect();
    accepted.iter().for_each(|token| drop(post(&mut api, token).expect(202)));
    rig.break_disk(&server);
    let refused = refuses(&server, &mut accepted);
    let subscription = json!({"account": ACCOUNT, "event": "x.y", "target_url": good.url()});
    assert_unavailable(&api.post("/api/v1/subscription/", &subscription));
    rig.mend_disk(&server);
    // By itself: nobody posts anything meanwhile.
    assert_ready(&server);
    for n in 0..20 {
        let token = format!("after-{n}");
        post(&mut api, &token).expect(202);
        accepted.push(token);
    }
    for target in [&good, &flaky] {
        assert_arrives(&server, target, &accepted);
        assert_never_sent(target, &refused);
    }
    assert_recorded(&server, &accepted);
    let server = server.killed_and_restarted();
    let mut api = server.api();
    for token in &accepted {
        post(&mut api, token).expect(202);
    }
    // What was refused can be posted again under its id.
    for token in &refused {
        post(&mut api, token).expect(202);
        accepted.push(token.clone());
    }
    assert_arrives(&server, &good, &accepted);
    assert_arrives(&server, &flaky, &accepted);
    assert_recorded(&server, &accepted);
    [&good, &flaky].into_iter().for_each(assert_ids);
}

#[test]
fn a_file_that_may_not_grow() {
    breaks_and_is_mended(Fault::FileSize);
}

#[test]
fn a_full_disk() {
    breaks_and_is_mended(Fault::FullDisk);
}

#[test]
fn a_failing_fsync() {
    breaks_and_is_mended(Fault::FailingSync);
}

/// Killed while the disk fails: what was accepted is kept; what was refused may come, but only as what it was.
fn killed_while_broken(fault: Fault) {
    let rig = Rig::new(fault);
    let server = rig.setup.start();
    let target = Target::script([Reply::Status(500), Reply::Status(200)]);
    let mut api = server.api();
    api.subscribe("order.paid", &target.url());
    let mut accepted = Vec::new();
    let mut server = server;
    for round in 0..4 {
        let mut api = server.api();
        for n in 0..34 {
            if n == 30 {
                rig.break_disk(&server);
            }
            let token = format!("{round}-{n}");
            match post(&mut api, &token) {
                answer if answer.status == 202 => accepted.push(token),
                answer => assert_unavailable(&answer),
            }
        }
        server.kill();
        rig.mend_after_kill();
        server = rig.setup.start();
    }
    assert!(accepted.len() >= 120, "only {} were accepted", accepted.len());
    assert_arrives(&server, &target, &accepted);
    assert_recorded(&server, &accepted);
    assert_ids(&target);
}

#[test]
fn killed_while_a_file_may_not_grow() {
    killed_while_broken(Fault::FileSize);
}

#[test]
fn killed_while_the_disk_is_full() {
    killed_while_broken(Fault::FullDisk);
}

#[test]
fn killed_while_fsync_fails() {
    killed_while_broken(Fault::FailingSync);
}

/// Under load, broken and mended again and again: each 202 holds, each 503 holds too.
fn comes_and_goes(fault: Fault) {
    let chance = Chance::new(Chance::seed());
    let rig = Rig::new(fault);
    let server = rig.setup.start();
    let targets =
        [Target::always(Reply::Status(200)), Target::script([Reply::Status(500), Reply::Status(200)])];
    targets.iter().for_each(|target| drop(server.api().subscribe("order.paid", &target.url())));
    let (accepted, refused) = (Mutex::new(Vec::new()), Mutex::new(HashSet::new()));
    let stopped = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for client in 0..12 {
            let (accepted, refused, stopped, api) = (&accepted, &refused, &stopped, server.api());
            scope.spawn(move || post_until(stopped, client, api, accepted, refused));
        }
        let _stop = Stop(&stopped);
        for _ in 0..8 {
            pass(Duration::from_millis(50 + chance.below(200)));
            let before = refused.lock().unwrap().len();
            rig.break_disk(&server);
            within(Duration::from_secs(20), || match refused.lock().unwrap().len() {
                now if now > before => Ok(()),
                _ => Err(format!("a broken disk goes unnoticed\n{}", server.log())),
            });
            pass(Duration::from_millis(chance.below(300)));
            rig.mend_disk(&server);
            assert_ready(&server);
        }
    });
    let (accepted, refused) = (accepted.into_inner().unwrap(), refused.into_inner().unwrap());
    println!("{} accepted, {} refused", accepted.len(), refused.len());
    for target in &targets {
        assert_arrives(&server, target, &accepted);
        assert_ids(target);
        assert_never_sent(target, &refused);
        let received = target.received();
        let acknowledged = received.iter().filter(|received| received.acknowledged).count();
        assert_eq!(acknowledged, accepted.len(), "something was acknowledged twice");
    }
    assert_recorded(&server, &accepted[..50]);
}

fn post_until(
    stopped: &AtomicBool,
    client: usize,
    mut api: Api,
    accepted: &Mutex<Vec<String>>,
    refused: &Mutex<HashSet<String>>,
) {
    for n in 0.. {
        if stopped.load(Ordering::SeqCst) {
            return;
        }
        let token = format!("{client}-{n}");
        let answer = post(&mut api, &token);
        if answer.status == 202 {
            accepted.lock().unwrap().push(token);
        } else {
            assert_unavailable(&answer);
            refused.lock().unwrap().insert(token);
            pass(Duration::from_millis(5));
        }
    }
}

/// Lets the clients end, also when the test fails.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[test]
fn a_disk_that_is_full_again_and_again() {
    comes_and_goes(Fault::FullDisk);
}

#[test]
fn an_fsync_that_fails_again_and_again() {
    comes_and_goes(Fault::FailingSync);
}

#[test]
fn a_file_that_may_not_grow_again_and_again() {
    comes_and_goes(Fault::FileSize);
}

#[test]
fn a_store_that_can_not_be_written_is_not_served() {
    let rig = Rig::new(Fault::FailingSync);
    std::fs::write(rig.flag(), "").unwrap();
    let mut server = rig.setup.spawn();
    assert_eq!(server.exit_code(Duration::from_secs(10)), Some(1), "{}", server.log());
    let said = server.log();
    assert_eq!(said.lines().filter(|line| line.starts_with("error:")).count(), 1, "{said}");
    rig.mend_after_kill();
    rig.setup.start().api().get("/readyz").expect(200);
}
