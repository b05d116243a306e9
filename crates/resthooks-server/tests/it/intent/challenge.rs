//! `challenge`: exactly the text that was asked with, and nothing else.

use serde_json::{Value, json};

use super::{handshakes, is_pending, last, start, subscribe, target};
use crate::support::{Received, Reply};

/// A value of the request's query.
fn query(asked: &Received, name: &str) -> String {
    let path = asked.message.first.split(' ').nth(1).unwrap();
    let query = path.split_once('?').unwrap().1;
    let found = query.split('&').find_map(|pair| pair.strip_prefix(&format!("{name}=")));
    found.unwrap_or_else(|| panic!("no {name} in {path}")).to_owned()
}

fn body(text: String) -> Reply {
    Reply::Body(200, "content-type: text/plain\r\n".to_owned(), text)
}

#[test]
fn the_challenge_as_the_body_confirms() {
    let (_server, mut api) = start("challenge");
    let target = target(|asked| body(query(asked, "hub.challenge")));
    let url = format!("{}?token=a%20b&x", target.url());
    let one = api.subscribe_with("contact.create", &url, json!({"headers": {"authorization": "Bearer own"}}));
    api.becomes_active(&one.id);
    let asked = &handshakes(&target)[0];
    let first = &asked.message.first;
    assert!(
        first.starts_with(
            "GET /hook?token=a%20b&x&hub.mode=subscribe&hub.topic=contact.create&hub.challenge="
        )
    );
    assert!(query(asked, "hub.challenge").len() >= 32, "{first}");
    assert_eq!(asked.header("authorization"), "Bearer own");
    assert!(
        asked.message.header("content-length").is_none() && asked.message.header("content-type").is_none()
    );
    let event = api.matched("contact.create", 1);
    api.settled(&event, "delivered");
    let delivery = target.received().pop().unwrap();
    assert!(delivery.message.first.starts_with("POST /hook?token=a%20b&x HTTP"), "its own query alone");
}

#[test]
fn anything_else_does_not() {
    let (server, mut api) = start("challenge");
    type Answering = fn(&Received) -> Reply;
    let table: [(Answering, u16, &str); 8] = [
        (|asked| body(format!("{}\n", query(asked, "hub.challenge"))), 200, "newline"),
        (|asked| body(format!("\"{}\"", query(asked, "hub.challenge"))), 200, "among other things"),
        (
            |asked| body(format!("<html><p>{}</p></html>", query(asked, "hub.challenge"))),
            200,
            "among other things",
        ),
        (|asked| body(query(asked, "hub.challenge") + &"x".repeat(100_000)), 200, "too long"),
        (|_| body("ok".to_owned()), 200, "something else"),
        (|_| Reply::Status(200), 200, "is empty"),
        (|_| Reply::Flood(10 << 20), 200, "too long"),
        (|asked| Reply::Body(404, String::new(), query(asked, "hub.challenge")), 404, ""),
    ];
    for (answering, status, said) in table {
        let target = target(answering);
        let one = subscribe(&mut api, &target, json!({}));
        let shown = api.noted(&one.id, 1);
        let (found, detail) = last(&shown);
        assert_eq!(found, status, "{said}: {shown:#}");
        assert!(detail.contains(said), "{said}: {detail}");
        is_pending(&api.subscription(&one.id));
        let challenge = query(&handshakes(&target)[0], "hub.challenge");
        assert!(!shown.to_string().contains(&challenge), "{shown:#}");
        let kept = shown["attempts"][0]["response_body"].as_str().unwrap();
        assert!(kept.len() <= 1024, "{} bytes are kept", kept.len());
        assert!(!server.log().contains(&challenge));
        let refused = api.activate(&one.id, Some(&challenge)).expect(409);
        assert_eq!(refused.str("code"), "intent_not_by_secret");
        assert!(refused.str("detail").contains("challenge"), "{}", refused.text());
    }
    api.matched("contact.create", 0);
    let listed = api.get("/api/v1/subscription/?status=pending").expect(200).json;
    assert_eq!(listed["data"].as_array().map(Vec::len), Some(8));
    assert_eq!(
        api.get("/api/v1/subscription/?status=active").expect(200).json["data"],
        Value::Array(Vec::new())
    );
}
