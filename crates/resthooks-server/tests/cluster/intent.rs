//! A confirmation is everybody's: whoever began it, any node goes on with it, and what was granted is shared.

use std::time::Duration;

use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::support::{ACCOUNT, Api, Received, Reply, Target, eventually, now, within};

fn is_handshake(request: &Received) -> bool {
    request.message.header("webhook-id").is_none()
}

fn handshakes(target: &Target) -> Vec<Received> {
    target.received().into_iter().filter(is_handshake).collect()
}

fn delivered(target: &Target) -> Vec<Received> {
    target.received().into_iter().filter(|request| !is_handshake(request)).collect()
}

fn echo(request: &Received) -> Reply {
    Reply::Header(200, "X-Hook-Secret", request.header("x-hook-secret").to_owned())
}

#[track_caller]
fn shown(api: &mut Api, id: &str) -> Value {
    api.get(&format!("/api/v1/subscription/{id}/")).expect(200).json
}

/// The node that asks is killed while the target hangs: another one asks again, with the same secret, once the claim has
/// run out; one of them, and once.
#[test]
fn a_node_that_dies_while_it_asks_leaves_it_to_another() {
    let cluster = Cluster::start(3, &["--intent=echo", "--node-lease=2s"]);
    let target = Target::answering(|request, before| match is_handshake(request) {
        true if before == 0 => Reply::Hang,
        true => echo(request),
        false => Reply::Status(200),
    });
    let one = cluster.nodes[0].api().subscribe("order.paid", &target.url());
    eventually(|| match handshakes(&target).len() {
        0 => Err("not asked yet".to_owned()),
        _ => Ok(()),
    });
    cluster.nodes[0].kill();
    let mut api = cluster.nodes[1].api();
    assert_eq!(shown(&mut api, &one.id)["status"], "pending");
    within(Duration::from_secs(50), || match shown(&mut api, &one.id) {
        shown if shown["status"] == "active" => Ok(()),
        shown => Err(shown.to_string()),
    });
    let asked = handshakes(&target);
    assert_eq!(asked.len(), 2, "one of the two that are left asked, once");
    assert_eq!(asked[0].header("x-hook-secret"), asked[1].header("x-hook-secret"));
    let apart = asked[1].at - asked[0].at;
    assert!((Duration::from_secs(28)..Duration::from_secs(40)).contains(&apart), "{apart:?}");
    // All that are left send.
    for node in &cluster.nodes[1..] {
        let mut api = node.api();
        eventually(|| match shown(&mut api, &one.id)["status"].as_str() {
            Some("active") => Ok(()),
            other => Err(format!("{other:?}")),
        });
        let event = api.emit("order.paid", &json!({}));
        api.settled(&event, "delivered");
    }
    assert_eq!((delivered(&target).len(), handshakes(&target).len()), (2, 2));
}

/// A retry is due on all nodes at the same moment: one of them makes it.
#[test]
fn a_retry_is_made_once_by_all_of_them() {
    let cluster = Cluster::start(3, &["--intent=echo"]);
    let targets: Vec<Target> = (0..10)
        .map(|_| {
            Target::answering(|request, before| match is_handshake(request) {
                true if before == 0 => Reply::Status(500),
                true => echo(request),
                false => Reply::Status(200),
            })
        })
        .collect();
    let mut api = cluster.nodes[0].api();
    let ids: Vec<String> =
        targets.iter().map(|target| api.subscribe("order.paid", &target.url()).id).collect();
    for id in &ids {
        within(Duration::from_secs(20), || match shown(&mut api, id) {
            shown if shown["status"] == "active" => Ok(()),
            shown => Err(shown.to_string()),
        });
    }
    let counts: Vec<usize> = targets.iter().map(|target| handshakes(target).len()).collect();
    assert_eq!(counts, [2; 10], "asked twice by somebody");
}

/// A secret is brought back to any node, and an account's policy holds on all.
#[test]
fn what_is_brought_or_set_through_one_holds_on_all() {
    let cluster = Cluster::start(2, &["--intent=echo"]);
    let [mut one, mut two] = [0, 1].map(|place| cluster.nodes[place].api());
    let silent = Target::always(Reply::Status(200));
    let waiting = one.subscribe("order.paid", &silent.url());
    let secret = eventually(|| {
        let asked = handshakes(&silent).pop().ok_or("not asked yet")?;
        Ok(asked.header("x-hook-secret").to_owned())
    });
    let path = format!("/api/v1/subscription/{}/activate/", waiting.id);
    two.ask("POST", &path, &[("x-hook-secret", "wrong")], None).unwrap().expect(422);
    let confirmed = two.ask("POST", &path, &[("x-hook-secret", &secret)], None).unwrap().expect(200);
    assert_eq!(confirmed.json["status"], "active");
    within(Duration::from_secs(1), || {
        let body = json!({"account": ACCOUNT, "event": "order.paid", "data": {}});
        match one.post("/api/v1/event/", &body).expect(202).json["matched"].as_u64() {
            Some(1) => Ok(()),
            matched => Err(format!("{matched:?}")),
        }
    });
    assert_eq!(handshakes(&silent).len(), 1);
    two.put(&format!("/api/v1/account/{ACCOUNT}/"), &json!({"intent": "none"})).expect(200);
    within(Duration::from_secs(1), || {
        let body = json!({"account": ACCOUNT, "event": "order.paid", "target_url": silent.url()});
        let made = one.post("/api/v1/subscription/", &body).expect(201).json;
        if made["status"] == "active" { Ok(()) } else { Err(made.to_string()) }
    });
}

/// Sixty a minute are half a one a second from each of two nodes.
#[test]
fn a_granted_rate_is_shared() {
    let cluster = Cluster::start(2, &["--intent=options"]);
    let target = Target::answering(|request, _| match is_handshake(request) {
        true => Reply::Body(
            200,
            "WebHook-Allowed-Origin: *\r\nWebHook-Allowed-Rate: 60\r\n".to_owned(),
            String::new(),
        ),
        false => Reply::Status(200),
    });
    let one = cluster.nodes[0].api().subscribe("order.paid", &target.url());
    for node in &cluster.nodes {
        let mut api = node.api();
        eventually(|| match shown(&mut api, &one.id)["status"].as_str() {
            Some("active") => Ok(()),
            other => Err(format!("{other:?}")),
        });
    }
    cluster.agree();
    let begun = now();
    for node in &cluster.nodes {
        node.api().emit_batch("order.paid", (0..50).map(|n| json!({"n": n})));
    }
    within(Duration::from_secs(40), || match delivered(&target).len() {
        count if count >= 10 => Ok(()),
        count => Err(format!("{count} of ten")),
    });
    // Each may send its first one at once.
    let took = delivered(&target)[9].at - begun;
    assert!(took >= Duration::from_secs(8), "ten in {took:?}");
}
