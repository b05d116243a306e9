//! A call with an id can be repeated, at once, later and after a crash: it counts once.

use serde_json::{Value, json};

use crate::support::{ACCOUNT, Answer, Api, Reply, Server, Setup, Target, eventually};

/// The id in the body, or in the header.
#[derive(Debug, Clone, Copy)]
enum Given {
    Body,
    Header,
}

fn post(api: &mut Api, given: Given, id: &str, data: &Value) -> Answer {
    let mut body = json!({"account": ACCOUNT, "event": "order.paid", "data": data});
    let headers = match given {
        Given::Body => {
            body["id"] = json!(id);
            vec![]
        }
        Given::Header => vec![("idempotency-key", id)],
    };
    let answer = api.ask("POST", "/api/v1/event/", &headers, Some(&serde_json::to_vec(&body).unwrap()));
    answer.expect("an answer")
}

#[track_caller]
fn assert_refused(answer: Answer) {
    let answer = answer.expect(409);
    assert_eq!(answer.str("code"), "idempotency_conflict");
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
}

fn start(target: &Target) -> (Server, Api) {
    let server = Setup::new().start();
    let mut api = server.api();
    api.subscribe("order.paid", &target.url());
    (server, api)
}

/// Whatever was sent arrived before this one did; then these many requests are all there will be.
#[track_caller]
fn assert_received(api: &mut Api, target: &Target, count: usize) {
    let last = api.emit("order.paid", &json!("last"));
    api.settled(&last, "delivered");
    eventually(|| {
        let received = target.received();
        let ids: std::collections::HashSet<&str> =
            received.iter().map(crate::support::Received::id).collect();
        assert_eq!(ids.len(), received.len(), "a delivery arrived twice");
        assert!(received.len() <= count + 1, "{} requests, at most {} are right", received.len(), count + 1);
        if received.len() == count + 1 { Ok(()) } else { Err(format!("{} of {count}", received.len() - 1)) }
    });
}

#[test]
fn the_same_again_is_answered_alike_and_sent_once() {
    let target = Target::always(Reply::Status(200));
    let (_server, mut api) = start(&target);
    for given in [Given::Body, Given::Header] {
        let id = format!("order-{given:?}");
        let first = post(&mut api, given, &id, &json!({"n": 1})).expect(202);
        assert_eq!(first.str("id"), id);
        assert_eq!(first.json["matched"], 1);
        for _ in 0..3 {
            assert_eq!(post(&mut api, given, &id, &json!({"n": 1})).expect(202).json, first.json);
        }
        assert_refused(post(&mut api, given, &id, &json!({"n": 2})));
    }
    assert_received(&mut api, &target, 2);
}

#[test]
fn body_and_header_name_the_same_id() {
    let target = Target::always(Reply::Status(200));
    let (_server, mut api) = start(&target);
    let first = post(&mut api, Given::Body, "one", &json!(1)).expect(202);
    assert_eq!(post(&mut api, Given::Header, "one", &json!(1)).expect(202).json, first.json);
    assert_refused(post(&mut api, Given::Header, "one", &json!(2)));
    assert_received(&mut api, &target, 1);
}

#[test]
fn an_id_is_one_accounts_own() {
    let target = Target::always(Reply::Status(200));
    let (_server, mut api) = start(&target);
    post(&mut api, Given::Body, "shared", &json!(1)).expect(202);
    let other = json!({"account": "other", "event": "order.paid", "data": 2, "id": "shared"});
    assert_eq!(api.post("/api/v1/event/", &other).expect(202).json["matched"], 0);
    assert_received(&mut api, &target, 1);
}

#[test]
fn thirty_two_at_once_count_once() {
    let target = Target::always(Reply::Status(200));
    let (server, mut api) = start(&target);
    for round in 0..10 {
        let given = if round % 2 == 0 { Given::Body } else { Given::Header };
        let id = format!("round-{round}");
        let answers: Vec<Answer> = std::thread::scope(|scope| {
            let ask = || post(&mut server.api(), given, &id, &json!({"round": round}));
            let asking: Vec<_> = (0..32).map(|_| scope.spawn(ask)).collect();
            asking.into_iter().map(|one| one.join().unwrap()).collect()
        });
        for answer in &answers {
            assert_eq!((answer.status, &answer.json), (202, &answers[0].json), "{}", answer.text());
        }
    }
    assert_received(&mut api, &target, 10);
}

#[test]
fn of_thirty_two_different_bodies_one_wins() {
    let target = Target::always(Reply::Status(200));
    let (server, mut api) = start(&target);
    for round in 0..5 {
        let id = format!("round-{round}");
        let answers: Vec<(usize, Answer)> = std::thread::scope(|scope| {
            let ask = |n| (n, post(&mut server.api(), Given::Body, &id, &json!({"round": round, "n": n})));
            let asking: Vec<_> = (0..32).map(|n| scope.spawn(move || ask(n))).collect();
            asking.into_iter().map(|one| one.join().unwrap()).collect()
        });
        let (accepted, refused): (Vec<_>, Vec<_>) =
            answers.into_iter().partition(|(_, answer)| answer.status == 202);
        assert_eq!(accepted.len(), 1, "so many of 32 different bodies were accepted");
        refused.into_iter().for_each(|(_, answer)| assert_refused(answer));
        let event = api.get(&format!("/api/v1/event/{id}/?account={ACCOUNT}")).expect(200).json;
        assert_eq!(event["data"]["n"], accepted[0].0, "another one than the accepted was kept");
    }
    assert_received(&mut api, &target, 5);
}

#[test]
fn a_kill_changes_nothing() {
    let target = Target::always(Reply::Status(200));
    let (mut server, mut api) = start(&target);
    let firsts: Vec<Answer> = (0..20)
        .map(|n| {
            let given = if n % 2 == 0 { Given::Body } else { Given::Header };
            post(&mut api, given, &format!("id-{n}"), &json!({"n": n})).expect(202)
        })
        .collect();
    eventually(|| if target.count() >= 20 { Ok(()) } else { Err(format!("{} of 20", target.count())) });
    for _ in 0..3 {
        // What was acknowledged but not recorded when it was killed may come again: wait until all is recorded.
        let mut api = server.api();
        firsts.iter().for_each(|first| drop(api.settled(&first.str("id"), "delivered")));
        server = server.killed_and_restarted();
        let mut api = server.api();
        for (n, first) in firsts.iter().enumerate() {
            let id = format!("id-{n}");
            let given = if n % 3 == 0 { Given::Body } else { Given::Header };
            assert_eq!(post(&mut api, given, &id, &json!({"n": n})).expect(202).json, first.json);
            assert_refused(post(&mut api, given, &id, &json!({"n": "other"})));
        }
    }
    assert_received(&mut server.api(), &target, 20);
}

#[test]
fn a_batch_repeats_as_a_whole_and_in_part() {
    let target = Target::always(Reply::Status(200));
    let (_server, mut api) = start(&target);
    let event =
        |n: u32| json!({"account": ACCOUNT, "event": "order.paid", "id": format!("b-{n}"), "data": n});
    let batch = |range: std::ops::Range<u32>| json!(range.map(event).collect::<Vec<_>>());
    let first = api.post("/api/v1/event/batch/", &batch(0..10)).expect(202).json;
    assert_eq!(api.post("/api/v1/event/batch/", &batch(0..10)).expect(202).json, first);
    let overlapping = api.post("/api/v1/event/batch/", &batch(5..15)).expect(202).json;
    assert_eq!(overlapping["data"].as_array().unwrap()[..5], first["data"].as_array().unwrap()[5..]);
    let mut contradicting = batch(10..20);
    contradicting[3]["data"] = json!("other");
    assert_refused(api.post("/api/v1/event/batch/", &contradicting));
    let unseen = api.get(&format!("/api/v1/event/b-19/?account={ACCOUNT}"));
    unseen.expect(404);
    assert_received(&mut api, &target, 15);
}
