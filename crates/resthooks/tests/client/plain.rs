//! Receivers that behave, and the connections to them.

use std::time::Duration;

use resthooks::deliver::http::{Body, Client};
use resthooks::env::SystemClock;

use crate::peer::*;

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nX-Test: a\r\n\r\nok";

#[tokio::test]
async fn a_connection_is_used_again() {
    let peer = Peer::always(OK).await;
    let client = client();
    for _ in 0..5 {
        let exchange = post(&client, &peer.target()).await;
        assert_eq!(exchange.address, Some(peer.address));
        assert!(exchange.duration > Duration::ZERO);
        let answer = exchange.answer.unwrap();
        assert_eq!((answer.status, answer.body.as_str(), answer.truncated), (200, "ok", false));
        let headers = [("content-length", "2"), ("x-test", "a")].map(|(n, v)| (n.to_owned(), v.to_owned()));
        assert_eq!((answer.headers, answer.retry_after), (headers.to_vec(), None));
    }
    assert_eq!((peer.connections(), peer.requests().len(), client.idle_connections()), (1, 5, 1));
    let request = &peer.requests()[4];
    assert_eq!(request.body, b"{\"a\":1}");
    let head = format!(
        "POST /hook?a=1 HTTP/1.1\r\ncontent-type: application/json\r\nhost: {}\r\ncontent-length: 7\r\n\r\n",
        peer.address
    );
    assert_eq!(request.head, head);
}

#[tokio::test]
async fn every_way_to_end_an_answer() {
    for (answered, status, body, is_reused) in [
        ("204 No Content\r\n\r\n", 204, "", true),
        ("200 OK\r\ncontent-length: 0\r\n\r\n", 200, "", true),
        ("302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 1\r\n\r\nx", 302, "x", true),
        (
            "410 Gone\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\na: b\r\n\r\n",
            410,
            "abcde",
            true,
        ),
        ("500 \r\ncontent-length: 3\r\n\r\nbad", 500, "bad", true),
        ("200 OK\r\ncontent-length: 1\r\nconnection: close\r\n\r\nx", 200, "x", false),
        (
            "100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\nHTTP/1.1 201 Created\r\ncontent-length: 1\r\n\r\ny",
            201,
            "y",
            true,
        ),
    ] {
        let answered: &'static str = Box::leak(format!("HTTP/1.1 {answered}").into());
        let peer = Peer::always(answered.as_bytes()).await;
        let client = client();
        for _ in 0..3 {
            let answer = answer(&client, &peer.target()).await;
            assert_eq!(
                (answer.status, answer.body.as_str(), answer.truncated),
                (status, body, false),
                "{answered}"
            );
        }
        assert_eq!(
            (peer.connections(), peer.requests().len()),
            (if is_reused { 1 } else { 3 }, 3),
            "{answered}"
        );
    }
}

#[tokio::test]
async fn an_answer_may_end_with_its_connection() {
    for version in ["1.0", "1.1"] {
        let peer = Peer::start(move |mut link| async move {
            link.request().await;
            link.write(format!("HTTP/{version} 200 OK\r\n\r\nall of it").as_bytes()).await;
        })
        .await;
        let client = client();
        let answer = answer(&client, &peer.target()).await;
        assert_eq!(
            (answer.body.as_str(), answer.truncated, client.idle_connections()),
            ("all of it", false, 0)
        );
    }
}

#[tokio::test]
async fn head_and_body_may_come_apart() {
    let peer = Peer::start(|mut link| async move {
        while link.request().await.is_some() {
            for piece in ["HTTP/1.1 200", " OK\r\ncontent-le", "ngth: 4\r\n\r\n", "ab", "cd"] {
                link.write(piece.as_bytes()).await;
                tokio::task::yield_now().await;
            }
        }
    })
    .await;
    let client = client();
    for _ in 0..3 {
        assert_eq!(answer(&client, &peer.target()).await.body, "abcd");
    }
    assert_eq!(peer.connections(), 1);
}

#[tokio::test]
async fn a_connection_closed_while_idle_costs_no_request() {
    let peer = Peer::start(|mut link| async move {
        link.request().await;
        link.write(OK).await;
    })
    .await;
    let client = client();
    for sent in 1..=20 {
        assert_eq!(answer(&client, &peer.target()).await.status, 200);
        assert_eq!((peer.requests().len(), peer.connections()), (sent, sent));
    }
}

#[tokio::test]
async fn a_receiver_that_closes_unannounced_is_given_no_chance_to_lose_a_request() {
    let (closing, closed) = tokio::sync::watch::channel(());
    let peer = Peer::start(move |mut link| {
        let mut closed = closed.clone();
        closed.mark_unchanged();
        async move {
            link.request().await;
            link.write(OK).await;
            closed.changed().await.unwrap();
        }
    })
    .await;
    let (client, clock) = turned_client();
    answer(&client, &peer.target()).await;
    assert_eq!(client.idle_connections(), 1);
    closing.send_replace(());
    settle().await;
    for _ in 0..3 {
        answer(&client, &peer.target()).await;
        assert_eq!(client.idle_connections(), 0);
    }
    pass(&clock, Duration::from_secs(31)).await;
    answer(&client, &peer.target()).await;
    assert_eq!((client.idle_connections(), peer.connections()), (1, 5), "it may have changed its ways");
}

#[tokio::test]
async fn a_connection_that_speaks_unasked_is_left() {
    let peer = Peer::start(|mut link| async move {
        link.request().await;
        link.write(OK).await;
        link.write(b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n\r\n").await;
        link.closed().await;
    })
    .await;
    let client = client();
    for sent in 1..=5 {
        assert_eq!(answer(&client, &peer.target()).await.status, 200);
        assert_eq!((peer.requests().len(), peer.connections()), (sent, sent));
    }
}

#[tokio::test]
async fn idle_connections_are_closed_in_time() {
    let (closed, mut was_closed) = tokio::sync::mpsc::unbounded_channel();
    let peer = Peer::start(move |mut link| {
        let closed = closed.clone();
        async move {
            while link.request().await.is_some() {
                link.write(OK).await;
            }
            closed.send(link.number).unwrap();
        }
    })
    .await;
    let (client, clock) = turned_client();
    answer(&client, &peer.target()).await;
    clock.advance(Duration::from_secs(3));
    answer(&client, &peer.target()).await;
    assert_eq!(peer.connections(), 1);
    clock.advance(Duration::from_millis(4001));
    answer(&client, &peer.target()).await;
    assert_eq!((peer.connections(), was_closed.recv().await), (2, Some(1)), "too old to be used");
    assert_eq!(client.idle_connections(), 1);
    pass(&clock, Duration::from_secs(7)).await;
    assert_eq!(was_closed.recv().await, Some(2), "closed although nobody asks");
    assert_eq!(client.idle_connections(), 0);
}

#[tokio::test]
async fn no_more_idle_connections_are_kept_than_allowed() {
    let (first, second) = (Peer::always(OK).await, Peer::always(OK).await);
    let options = resthooks::deliver::http::Options {
        max_idle_per_origin: 3,
        max_idle_total: 4,
        ..options(SystemClock::default())
    };
    let client = Client::new(options).unwrap();
    let crowd = async |peer: &Peer| {
        let target = peer.target();
        let posts: Vec<_> = (0..10)
            .map(|_| {
                let (client, target) = (client.clone(), target.clone());
                tokio::spawn(async move { answer(&client, &target).await })
            })
            .collect();
        for post in posts {
            assert_eq!(post.await.unwrap().status, 200);
        }
    };
    crowd(&first).await;
    assert_eq!(client.idle_connections(), 3);
    crowd(&second).await;
    assert_eq!(client.idle_connections(), 4);
    assert!(first.connections() <= 10 && second.connections() <= 10);
}

#[tokio::test]
async fn a_large_body_arrives_whole_and_is_not_copied() {
    let peer = Peer::always(OK).await;
    let client = client();
    let large = bytes::Bytes::from(vec![b'x'; 3 << 20]);
    let pieces = [bytes::Bytes::from_static(b"["), large.clone(), bytes::Bytes::from_static(b"]")];
    for _ in 0..2 {
        let exchange = client.post(&peer.target(), http::HeaderMap::new(), Body::new(pieces.clone())).await;
        assert_eq!(exchange.answer.unwrap().status, 200);
    }
    let received = &peer.requests()[1].body;
    assert_eq!((received.len(), received[0], received[received.len() - 1]), (large.len() + 2, b'[', b']'));
    assert_eq!(peer.connections(), 1);
}

#[tokio::test]
async fn an_answer_may_come_before_the_request_is_written() {
    let peer = Peer::start(|mut link| async move {
        let mut begin = [0; 1024];
        tokio::io::AsyncReadExt::read_exact(&mut link.stream, &mut begin).await.unwrap();
        link.write(b"HTTP/1.1 413 Content Too Large\r\ncontent-length: 0\r\n\r\n").await;
        // Held open, not read any further: until the client has left, which shows as a failing write.
        until(|| link.stream.try_write(b"x").is_err_and(|e| e.kind() != std::io::ErrorKind::WouldBlock))
            .await;
    })
    .await;
    let client = client();
    let large = Body::from(bytes::Bytes::from(vec![b'x'; 64 << 20]));
    let exchange = client.post(&peer.target(), http::HeaderMap::new(), large).await;
    assert_eq!(exchange.answer.unwrap().status, 413);
    assert_eq!(client.idle_connections(), 0);
}

#[tokio::test]
async fn retry_after_is_read_by_the_clock_given() {
    for (value, seconds) in [("7", 7), ("Fri, 02 Jan 2026 03:05:05 GMT", 60)] {
        let answered = format!("HTTP/1.1 429 x\r\nretry-after: {value}\r\ncontent-length: 0\r\n\r\n");
        let peer = Peer::always(Box::leak(answered.into_boxed_str()).as_bytes()).await;
        let (client, _clock) = turned_client();
        assert_eq!(answer(&client, &peer.target()).await.retry_after, Some(Duration::from_secs(seconds)));
    }
}

#[tokio::test]
async fn a_post_is_small_while_it_waits() {
    let (client, target) = (client(), target("http://127.0.0.1:1/"));
    let post = client.post(&target, http::HeaderMap::new(), Body::default());
    assert!(size_of_val(&post) <= 3072, "{} bytes for each request in flight", size_of_val(&post));
}
