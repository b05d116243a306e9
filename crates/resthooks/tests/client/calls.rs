//! Requests of other kinds than deliveries: what they say of their bodies, and what is seen of their answers.

use bytes::Bytes;
use http::{HeaderMap, Method};
use resthooks::deliver::http::{Body, Call, Client, Exchange};
use resthooks::env::SystemClock;

use crate::peer::*;

async fn call(client: &Client, peer: &Peer, method: Method, body: &'static str) -> Exchange {
    let mut headers = HeaderMap::new();
    headers.insert("accept", "text/plain".parse().unwrap());
    headers.insert("content-length", "7".parse().unwrap());
    let body = Body::from(Bytes::from_static(body.as_bytes()));
    client.send(Call { method, target: &peer.target(), headers, body, timeout: None }).await
}

#[tokio::test]
async fn each_method_says_how_long_its_body_is() {
    for (method, body, length) in [
        (Method::GET, "", ""),
        (Method::OPTIONS, "", ""),
        (Method::DELETE, "", ""),
        (Method::POST, "", "content-length: 0\r\n"),
        (Method::PUT, "", "content-length: 0\r\n"),
        (Method::POST, "ab", "content-length: 2\r\n"),
        (Method::GET, "ab", "content-length: 2\r\n"),
    ] {
        let peer = Peer::always(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
        let client = client();
        for _ in 0..2 {
            let answer = call(&client, &peer, method.clone(), body).await.answer.unwrap();
            assert_eq!((answer.status, &*answer.body, answer.truncated), (200, "ok", false));
        }
        assert_eq!((peer.connections(), client.idle_connections()), (1, 1), "{method}");
        for received in peer.requests() {
            let head = received.head.to_ascii_lowercase();
            let line = format!("{} /hook?a=1 HTTP/1.1\r\n", method);
            assert!(received.head.starts_with(&line), "{head}");
            let lengths: String =
                head.split_inclusive("\r\n").filter(|line| line.starts_with("content-length")).collect();
            assert_eq!(lengths, length, "{method} {body}");
            assert!(!head.contains("transfer-encoding") && head.contains("accept: text/plain\r\n"), "{head}");
            assert_eq!(received.body, body.as_bytes());
        }
    }
}

#[tokio::test]
async fn a_header_is_seen_behind_many_others() {
    let peer = Peer::start(|mut link| async move {
        link.request().await;
        let filler: String = (0..90).map(|n| format!("x-{n}: {}\r\n", "f".repeat(300))).collect();
        let rest = "X-Hook-Secret: one\r\nwebhook-allowed-rate: 1\r\nwebhook-allowed-rate: 2\r\n";
        link.write(format!("HTTP/1.1 204 x\r\n{filler}{rest}\r\n").as_bytes()).await;
    })
    .await;
    let answer = call(&client(), &peer, Method::POST, "").await.answer.unwrap();
    assert!(answer.headers.len() < 64, "what is recorded is cut");
    assert_eq!(answer.once("x-hook-secret").unwrap(), "one");
    assert_eq!(answer.once("webhook-allowed-rate"), None, "given twice");
    assert_eq!(answer.head.get_all("webhook-allowed-rate").iter().count(), 2);
    assert_eq!(answer.once("x-none"), None);
}

#[tokio::test]
async fn as_much_of_a_body_is_kept_as_was_asked_for() {
    for (kept, length, is_cut) in [
        (16 * 1024, 16 * 1024 + 1, true),
        (256 * 1024, 256 * 1024, false),
        (256 * 1024, 256 * 1024 + 1, true),
        (256 * 1024, 64 * 1024 * 1024, true),
        (1, 1, false),
        (1, 2, true),
        (0, 0, false),
    ] {
        let peer = Peer::start(move |mut link| async move {
            link.request().await;
            link.write(format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n").as_bytes()).await;
            link.write(&vec![b'a'; length]).await;
        })
        .await;
        let mut options = options(SystemClock::default());
        options.body_kept = kept;
        let answer = call(&Client::new(options).unwrap(), &peer, Method::GET, "").await.answer.unwrap();
        assert_eq!((answer.body.len(), answer.truncated), (kept.min(length), is_cut), "{kept} of {length}");
    }
}

#[tokio::test]
async fn a_body_in_many_chunks_has_room_for_their_sizes() {
    let peer = Peer::start(|mut link| async move {
        link.request().await;
        let chunks = "10\r\n0123456789abcdef\r\n".repeat(256 * 1024 / 16);
        link.write(
            format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{chunks}0\r\n\r\n").as_bytes(),
        )
        .await;
    })
    .await;
    let mut options = options(SystemClock::default());
    options.body_kept = 256 * 1024;
    let answer = call(&Client::new(options).unwrap(), &peer, Method::GET, "").await.answer.unwrap();
    assert_eq!((answer.body.len(), answer.truncated), (256 * 1024, false));
}
