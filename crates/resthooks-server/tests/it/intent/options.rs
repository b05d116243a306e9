//! `options`: this server's host is granted, at a rate, or it is not.

use std::time::Duration;

use serde_json::{Value, json};

use super::{delivered, handshakes, is_pending, last, subscribe, target};
use crate::support::{Api, Reply, Server, Setup, Target, now, within};

fn start() -> (Server, Api) {
    let setup =
        Setup::new().flag("--intent=options").flag("--public-url=https://hooks.example.com:8443/base");
    let server = setup.start();
    let api = server.api();
    (server, api)
}

fn granting(headers: &'static str) -> impl Fn(&crate::support::Received) -> Reply + Send + Sync {
    move |_| Reply::Body(200, headers.to_owned(), String::new())
}

#[test]
fn this_servers_host_is_granted() {
    let (_server, mut api) = start();
    let table = [
        ("WebHook-Allowed-Origin: hooks.example.com\r\n", Value::Null),
        ("WebHook-Allowed-Origin: *\r\nWebHook-Allowed-Rate: *\r\n", Value::Null),
        ("webhook-allowed-origin: Hooks.Example.com\r\nwebhook-allowed-rate: 60\r\n", json!(60)),
        ("WebHook-Allowed-Origin: *\r\nWebHook-Allowed-Rate: 1000000\r\nAllow: POST\r\n", json!(1_000_000)),
    ];
    for (headers, rate) in table {
        let target = target(granting(headers));
        let one = subscribe(&mut api, &target, json!({}));
        api.becomes_active(&one.id);
        let asked = &handshakes(&target)[0];
        assert!(asked.message.first.starts_with("OPTIONS /hook HTTP/1.1"), "{}", asked.message.first);
        assert_eq!(asked.header("webhook-request-origin"), "hooks.example.com");
        assert!(asked.message.body.is_empty());
        let shown = api.noted(&one.id, 1);
        assert_eq!(shown["grant"]["per_minute"], rate, "{headers}");
        assert!(shown["grant"]["renew_at"].as_str() > shown["grant"]["granted_at"].as_str(), "{shown:#}");
    }
}

#[test]
fn anything_else_is_no_grant() {
    let (_server, mut api) = start();
    let table = [
        ("WebHook-Allowed-Origin: other.example.com\r\n", "is another one"),
        ("WebHook-Allowed-Origin: https://hooks.example.com\r\n", "is another one"),
        ("Access-Control-Allow-Origin: *\r\nAllow: OPTIONS, POST\r\n", "has no WebHook-Allowed-Origin"),
        ("WebHook-Allowed-Origin: *\r\nWebHook-Allowed-Origin: *\r\n", "more than once"),
        ("WebHook-Allowed-Origin: *\r\nWebHook-Allowed-Rate: 0\r\n", "above zero"),
        ("WebHook-Allowed-Origin: *\r\nWebHook-Allowed-Rate: many\r\n", "above zero"),
        ("WebHook-Allowed-Origin: *\r\nWebHook-Allowed-Rate: -60\r\n", "above zero"),
        ("WebHook-Allowed-Rate: 60\r\n", "has no WebHook-Allowed-Origin"),
    ];
    for (headers, said) in table {
        let target = target(granting(headers));
        let one = subscribe(&mut api, &target, json!({}));
        let shown = api.noted(&one.id, 1);
        let (status, detail) = last(&shown);
        assert_eq!((status, &shown["grant"]), (json!(200), &Value::Null), "{headers}");
        assert!(detail.contains(said), "{headers}: {detail}");
        is_pending(&api.subscription(&one.id));
        assert_eq!(api.activate(&one.id, Some("x")).expect(409).str("code"), "intent_not_by_secret");
    }
    let refusing = target(|_| Reply::Status(405));
    let one = subscribe(&mut api, &refusing, json!({}));
    assert_eq!(last(&api.noted(&one.id, 1)).0, 405);
    api.matched("contact.create", 0);
}

/// Without a public URL it is the host that is listened on.
#[test]
fn without_a_public_url_it_is_where_it_listens() {
    let server = Setup::new().flag("--intent=options").start();
    let target = target(granting("WebHook-Allowed-Origin: 127.0.0.1\r\n"));
    let one = subscribe(&mut server.api(), &target, json!({}));
    server.api().becomes_active(&one.id);
    assert_eq!(handshakes(&target)[0].header("webhook-request-origin"), "127.0.0.1");
}

/// A rate of 60 is one a second, whatever waits; another subscription of the account does not wait for it.
#[test]
fn a_granted_rate_is_obeyed() {
    let (_server, mut api) = start();
    let slow = target(granting("WebHook-Allowed-Origin: *\r\nWebHook-Allowed-Rate: 60\r\n"));
    let free = target(granting("WebHook-Allowed-Origin: *\r\nWebHook-Allowed-Rate: *\r\n"));
    let [one, _other] = [&slow, &free].map(|target| {
        let one = subscribe(&mut api, target, json!({}));
        api.becomes_active(&one.id);
        one
    });
    let begun = now();
    api.emit_batch("contact.create", (0..100).map(|n| json!({"n": n})));
    let has = |target: &Target, wanted: usize| {
        within(Duration::from_secs(30), || match delivered(target).len() {
            count if count >= wanted => Ok(()),
            count => Err(format!("{count} of {wanted}")),
        });
    };
    has(&free, 100);
    let meanwhile = delivered(&slow).len();
    assert!(meanwhile as u64 <= begun.elapsed().as_secs() + 1, "{meanwhile} in {:?}", begun.elapsed());
    // However late one or the other of them is seen: the seventh is sent six seconds after the first.
    has(&slow, 7);
    let took = delivered(&slow)[6].at - begun;
    assert!(took >= Duration::from_secs(6), "seven in {took:?}");
    let waiting = api.subscription(&one.id)["pending"].as_u64().unwrap();
    let sent = delivered(&slow).len() as u64;
    assert!(waiting + sent >= 100, "{waiting} wait, {sent} are sent");
    // A ping takes one of the turns, too.
    let answer = api.post(&format!("/api/v1/subscription/{}/ping/", one.id), &json!({})).expect(200);
    assert_eq!(answer.json["status"], "delivered");
}
