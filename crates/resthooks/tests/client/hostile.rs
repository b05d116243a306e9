//! Receivers that break, stall, flood or talk nonsense: each costs a bounded time and memory, and has its class.

use std::net::Ipv4Addr;
use std::time::Duration;

use resthooks::model::ErrorClass;
use tokio::net::TcpListener;

use crate::peer::*;

#[tokio::test]
async fn nobody_listens() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let exchange = post(&client(), &target(&format!("http://{address}/"))).await;
    assert_eq!(exchange.address, None);
    assert_failure(&exchange.answer.unwrap_err(), ErrorClass::Refused, &address.to_string());
}

#[tokio::test]
async fn a_connection_that_breaks_before_the_head_is_a_reset_and_nothing_is_sent_again() {
    for part in ["", "HTTP/1.1 200 OK\r\ncontent-le"] {
        for is_reset in [true, false] {
            let peer = Peer::start(move |mut link| async move {
                link.request().await;
                link.write(part.as_bytes()).await;
                if is_reset {
                    link.reset();
                }
            })
            .await;
            let exchange = post(&client(), &peer.target()).await;
            assert_eq!(exchange.address, Some(peer.address));
            assert_failure(&exchange.answer.unwrap_err(), ErrorClass::Reset, "head");
            assert_eq!((peer.requests().len(), peer.connections()), (1, 1));
        }
    }
}

#[tokio::test]
async fn a_used_connection_that_breaks_after_the_request_is_a_reset_too() {
    let peer = Peer::start(|mut link| async move {
        link.request().await;
        link.write(b"HTTP/1.1 204 x\r\n\r\n").await;
        link.request().await;
        link.reset();
    })
    .await;
    let client = client();
    assert_eq!(answer(&client, &peer.target()).await.status, 204);
    assert_failure(&failure(&client, &peer.target()).await, ErrorClass::Reset, "");
    assert_eq!((peer.requests().len(), peer.connections()), (2, 1));
}

#[tokio::test]
async fn a_body_that_breaks_off_is_an_answer_all_the_same() {
    for head in ["content-length: 100", "transfer-encoding: chunked", "x: y"] {
        for is_reset in [true, false] {
            let body = if head.starts_with('t') { "4\r\npart\r\n9\r\n" } else { "part" };
            let peer = Peer::start(move |mut link| async move {
                link.request().await;
                link.write(format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n{body}").as_bytes()).await;
                if is_reset {
                    link.reset();
                }
            })
            .await;
            let client = client();
            let answer = answer(&client, &peer.target()).await;
            assert_eq!(answer.status, 200);
            assert!(answer.truncated || head == "x: y" && !is_reset, "{head}, {is_reset}");
            assert!("part".starts_with(&answer.body), "a reset may overtake bytes: {}", answer.body);
            assert_eq!(client.idle_connections(), 0);
        }
    }
}

#[tokio::test]
async fn a_receiver_that_never_answers_costs_the_total_timeout() {
    let (client, clock) = turned_client();
    let peer = Peer::start(|mut link| async move {
        link.request().await;
        link.closed().await;
    })
    .await;
    let exchange = post_while_time_passes(client, peer.target(), &clock).await;
    assert_eq!((exchange.duration, exchange.address), (Duration::from_secs(15), Some(peer.address)));
    assert_failure(
        &exchange.answer.unwrap_err(),
        ErrorClass::Timeout,
        "the answer's head took longer than 15s",
    );
    assert_eq!((peer.requests().len(), peer.connections()), (1, 1));
}

#[tokio::test]
async fn a_used_connection_has_the_whole_timeout_again() {
    let (client, clock) = turned_client();
    let peer = Peer::start(|mut link| async move {
        for _ in 0..8 {
            link.request().await;
            link.write(b"HTTP/1.1 204 x\r\n\r\n").await;
        }
        link.request().await;
        link.closed().await;
    })
    .await;
    for _ in 0..8 {
        assert_eq!(answer(&client, &peer.target()).await.status, 204);
        clock.advance(Duration::from_millis(3_900));
    }
    let exchange = post_while_time_passes(client, peer.target(), &clock).await;
    assert_eq!((exchange.duration, peer.connections()), (Duration::from_secs(15), 1));
    assert_eq!(exchange.answer.unwrap_err().class, ErrorClass::Timeout);
}

#[tokio::test]
async fn a_head_that_dribbles_costs_the_total_timeout() {
    let (client, clock) = turned_client();
    let ticking = clock.clone();
    let peer = Peer::start(move |mut link| {
        let clock = ticking.clone();
        async move {
            link.request().await;
            for byte in b"HTTP/1.1 200 OK\r\nx: ".iter().chain(std::iter::repeat(&b'a')) {
                if link.stream.try_write(&[*byte]).is_err() {
                    return;
                }
                resthooks::env::Clock::sleep(&clock, Duration::from_secs(1)).await;
            }
        }
    })
    .await;
    let exchange = post_while_time_passes(client, peer.target(), &clock).await;
    assert_eq!(exchange.duration, Duration::from_secs(15));
    assert_eq!(exchange.answer.unwrap_err().class, ErrorClass::Timeout);
}

#[tokio::test]
async fn a_body_that_dribbles_or_stalls_costs_the_body_timeout() {
    for framing in ["content-length: 1000", "transfer-encoding: chunked", "x: y"] {
        for dribbles in [true, false] {
            let (client, clock) = turned_client();
            let ticking = clock.clone();
            let peer = Peer::start(move |mut link| {
                let clock = ticking.clone();
                async move {
                    link.request().await;
                    link.write(format!("HTTP/1.1 200 OK\r\n{framing}\r\n\r\n").as_bytes()).await;
                    let piece: &[u8] = if framing.starts_with('t') { b"1\r\na\r\n" } else { b"a" };
                    while !dribbles || link.stream.try_write(piece).is_ok() {
                        resthooks::env::Clock::sleep(&clock, Duration::from_secs(1)).await;
                    }
                }
            })
            .await;
            let exchange = post_while_time_passes(client.clone(), peer.target(), &clock).await;
            assert_eq!(exchange.duration, Duration::from_secs(5));
            let answer = exchange.answer.unwrap();
            assert_eq!((answer.status, answer.truncated), (200, true));
            assert!(if dribbles { (4..=6).contains(&answer.body.len()) } else { answer.body.is_empty() });
            assert_eq!(client.idle_connections(), 0);
        }
    }
}

#[tokio::test]
async fn a_body_of_a_gibibyte_is_cut_and_left() {
    for framing in ["content-length: 1073741824", "transfer-encoding: chunked", "x: y"] {
        let written = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let counted = written.clone();
        let peer = Peer::start(move |mut link| {
            let written = counted.clone();
            async move {
                link.request().await;
                link.write(format!("HTTP/1.1 200 OK\r\n{framing}\r\n\r\n").as_bytes()).await;
                let mut chunk = vec![b'a'; 1 << 20];
                if framing.starts_with('t') {
                    chunk.splice(..0, *b"100000\r\n");
                    chunk.extend(b"\r\n");
                }
                for _ in 0..1024 {
                    if tokio::io::AsyncWriteExt::write_all(&mut link.stream, &chunk).await.is_err() {
                        return;
                    }
                    written.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                }
            }
        })
        .await;
        let client = client();
        let exchange = post(&client, &peer.target()).await;
        assert!(exchange.duration < Duration::from_secs(2));
        let answer = exchange.answer.unwrap();
        assert_eq!((answer.status, answer.truncated, answer.body.len()), (200, true, 16 * 1024));
        assert!(answer.body.bytes().all(|b| b == b'a'));
        assert_eq!(client.idle_connections(), 0);
        assert!(written.load(std::sync::atomic::Ordering::SeqCst) < 100, "no more than sockets buffer");
    }
}

#[tokio::test]
async fn bodies_at_the_limits() {
    // (length, kept, cut, connection kept)
    for (length, is_cut, is_kept) in [
        (16 * 1024, false, true),
        (16 * 1024 + 1, true, true),
        (64 * 1024, true, true),
        (64 * 1024 + 1, true, false),
    ] {
        let answered = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{}", "a".repeat(length));
        let peer = Peer::always(Box::leak(answered.into_boxed_str()).as_bytes()).await;
        let client = client();
        let answer = answer(&client, &peer.target()).await;
        assert_eq!((answer.body.len(), answer.truncated), (16 * 1024, is_cut), "{length}");
        assert_eq!(client.idle_connections(), usize::from(is_kept), "{length}");
    }
}

#[tokio::test]
async fn heads_that_are_too_large() {
    let one = format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "a".repeat(1 << 20));
    let endless = format!("HTTP/1.1 200 OK\r\nx: {}", "a".repeat(1 << 20));
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "x: y\r\n".repeat(101));
    let interim = "HTTP/1.1 100 Continue\r\n\r\n".repeat(40_000);
    let large_interim = format!("HTTP/1.1 103 x\r\nx: {}\r\n\r\n", "a".repeat(60_000)).repeat(20);
    for answered in [one, endless, many, interim, large_interim] {
        let peer = Peer::always(Box::leak(answered.into_boxed_str()).as_bytes()).await;
        let failure = failure(&client(), &peer.target()).await;
        assert_failure(&failure, ErrorClass::ResponseTooLarge, "head");
    }
}

#[tokio::test]
async fn heads_at_the_limits() {
    let large = format!("HTTP/1.1 204 x\r\nx: {}\r\n\r\n", "a".repeat(60_000));
    let many = format!("HTTP/1.1 204 x\r\n{}\r\n", "x: y\r\n".repeat(100));
    for (answered, kept) in [(large, 0), (many, 64)] {
        let peer = Peer::always(Box::leak(answered.into_boxed_str()).as_bytes()).await;
        let client = client();
        for _ in 0..3 {
            assert_eq!(answer(&client, &peer.target()).await.headers.len(), kept);
        }
        assert_eq!(peer.connections(), 1);
    }
}

#[tokio::test]
async fn what_is_not_http() {
    for nonsense in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"220 mail.example.com ESMTP\r\n",
        b"\0\0\0\0\0\0\0\0\0\0\0\0",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 99 x\r\n\r\n",
        b"HTTP/3.0 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nx: a\0b\r\n\r\n",
        b"<html></html>\r\n\r\n",
    ] {
        let peer = Peer::always(nonsense).await;
        let failure = failure(&client(), &peer.target()).await;
        assert_eq!(failure.class, ErrorClass::InvalidResponse, "{nonsense:?}: {failure:?}");
        assert_eq!(peer.requests().len(), 1);
    }
}

#[tokio::test]
async fn a_switch_of_protocols_is_an_answer() {
    let peer = Peer::always(
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\nwhatever",
    )
    .await;
    let client = client();
    let answer = answer(&client, &peer.target()).await;
    assert_eq!((answer.status, client.idle_connections()), (101, 0));
}

#[tokio::test]
async fn a_post_that_is_dropped_closes_its_connection() {
    let (closed, mut was_closed) = tokio::sync::mpsc::unbounded_channel();
    let peer = Peer::start(move |mut link| {
        let closed = closed.clone();
        async move {
            link.request().await;
            link.closed().await;
            closed.send(()).unwrap();
        }
    })
    .await;
    let (client, target) = (client(), peer.target());
    let posting = tokio::spawn(async move { post(&client, &target).await });
    until(|| peer.requests().len() == 1).await;
    posting.abort();
    was_closed.recv().await.unwrap();
}
