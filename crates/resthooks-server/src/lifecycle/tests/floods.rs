//! HTTP/2 in the hands of somebody who means harm: frame by frame, as no client would send them.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{House, REQUEST, ask_over_http2, read_all, read_answer};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
/// More than what fits into all buffers between the two sides.
const MUCH: usize = 64 << 20;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// A header block without compression: a literal for each.
fn block(path: &str, further: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    let own = [(":method", "GET"), (":scheme", "http"), (":path", path), (":authority", "x")];
    for (name, value) in own.iter().chain(further) {
        block.extend([0, u8::try_from(name.len()).unwrap()]);
        block.extend(name.bytes());
        block.push(u8::try_from(value.len()).unwrap());
        block.extend(value.bytes());
    }
    block
}

#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    /// The server ended the connection.
    Ended,
    /// It takes in no more until what it has sent is taken in.
    Blocked,
    /// It has taken in all of it.
    Swallowed,
}

/// Sends these again and again and reads nothing.
async fn pour(stream: &mut TcpStream, mut next: impl FnMut(u32) -> Vec<u8>) -> Outcome {
    let mut sent = 0;
    for round in 0.. {
        let frames = next(round);
        match tokio::time::timeout(Duration::from_millis(500), stream.write_all(&frames)).await {
            Ok(Ok(())) => sent += frames.len(),
            Ok(Err(_)) => return Outcome::Ended,
            Err(_) => return Outcome::Blocked,
        }
        if sent > MUCH {
            break;
        }
    }
    Outcome::Swallowed
}

/// A connection whose settings have been exchanged.
async fn enter(house: &House, settings: &[u8]) -> TcpStream {
    house.enter(&[PREFACE, &frame(SETTINGS, 0, 0, settings), &frame(SETTINGS, 1, 0, &[])].concat()).await
}

#[tokio::test]
async fn a_head_that_goes_on_and_on_ends_the_connection() {
    let house = House::open(8).await;
    let mut stream = enter(&house, &[]).await;
    stream.write_all(&frame(HEADERS, 0, 1, &block("/", &[]))).await.unwrap();
    let field = [&[0, 1, b'a', 127][..], &[b'x'; 127]].concat();
    let piece = frame(CONTINUATION, 0, 1, &field.repeat(100));
    assert_eq!(pour(&mut stream, |_| piece.clone()).await, Outcome::Ended);
    // The same with pieces that hold nothing.
    let mut stream = enter(&house, &[]).await;
    stream.write_all(&frame(HEADERS, 0, 1, &block("/", &[]))).await.unwrap();
    let piece = frame(CONTINUATION, 0, 1, &[]).repeat(100);
    assert_eq!(pour(&mut stream, |_| piece.clone()).await, Outcome::Ended);
    read_answer(&mut house.enter(REQUEST).await).await;
}

#[tokio::test]
async fn who_asks_for_answers_and_takes_in_none_is_asked_to_wait_and_then_let_go() {
    for piece in [frame(PING, 0, 0, &[7; 8]), frame(SETTINGS, 0, 0, &[0, 4, 0, 1, 0, 0])] {
        let house = House::open(1).await;
        let mut stream = enter(&house, &[]).await;
        let pieces = piece.repeat(1000);
        // It must never keep more answers than fit into the buffers.
        assert_ne!(pour(&mut stream, |_| pieces.clone()).await, Outcome::Swallowed);
        let mut next = house.enter(REQUEST).await;
        let (_, ()) = house.turns_until(read_answer(&mut next)).await;
    }
}

#[tokio::test]
async fn requests_taken_back_at_once_cost_no_more_than_their_cap() {
    let house = House::open(8).await;
    let mut stream = enter(&house, &[]).await;
    let head = block("/slow", &[]);
    let outcome = pour(&mut stream, |round| {
        let pairs = (0..100).flat_map(|n| {
            let id = (round * 100 + n) * 2 + 1;
            [frame(HEADERS, END_STREAM | END_HEADERS, id, &head), frame(RST_STREAM, 0, id, &[0, 0, 0, 8])]
                .concat()
        });
        pairs.collect()
    });
    let outcome = outcome.await;
    assert_eq!(outcome, Outcome::Ended);
    read_answer(&mut house.enter(REQUEST).await).await;
}

#[tokio::test]
async fn no_more_streams_than_the_cap_are_answered_at_once() {
    let house = House::open(8).await;
    let mut stream = enter(&house, &[]).await;
    let head = block("/slow", &[]);
    for id in 0..2000 {
        let sent = stream.write_all(&frame(HEADERS, END_STREAM | END_HEADERS, id * 2 + 1, &head)).await;
        if sent.is_err() {
            break;
        }
    }
    read_answer(&mut house.enter(REQUEST).await).await;
    let inside = house.inside.load(std::sync::atomic::Ordering::SeqCst);
    assert!(inside <= 256, "{inside} at once");
}

#[tokio::test]
async fn a_head_that_is_too_large_reaches_no_handler() {
    let house = House::open(8).await;
    let mut stream = enter(&house, &[]).await;
    let long = "x".repeat(120);
    let further: Vec<(&str, &str)> = (0..700).map(|_| ("a", long.as_str())).collect();
    let block = block("/slow", &further);
    let mut frames = Vec::new();
    for (n, piece) in block.chunks(16_000).enumerate() {
        let last = if (n + 1) * 16_000 >= block.len() { END_HEADERS } else { 0 };
        match n {
            0 => frames.extend(frame(HEADERS, END_STREAM | last, 1, piece)),
            _ => frames.extend(frame(CONTINUATION, last, 1, piece)),
        }
    }
    let _ = stream.write_all(&frames).await;
    ask_over_http2(house.connect().await, "http", house.address).await;
    assert_eq!(house.inside.load(std::sync::atomic::Ordering::SeqCst), 0);
}

/// A caller that opens no window for an answer keeps it, and its connection, for as long as it likes: unless it is let
/// go. It answers pings all the while.
#[tokio::test]
async fn who_opens_no_window_is_let_go() {
    let house = House::open(1).await;
    let mut stream = enter(&house, &[0, 4, 0, 0, 0, 0]).await;
    stream.write_all(&frame(HEADERS, END_STREAM | END_HEADERS, 1, &block("/huge", &[]))).await.unwrap();
    let mut next = house.enter(REQUEST).await;
    let alive = async {
        loop {
            let pong = frame(PING, 0, 0, &[1; 8]);
            if stream.write_all(&pong).await.is_err() {
                return;
            }
            let mut answer = [0; 1024];
            let read = tokio::time::timeout(Duration::from_millis(1), stream.read(&mut answer)).await;
            if matches!(read, Ok(Ok(0) | Err(_))) {
                return;
            }
        }
    };
    let answered = async { tokio::join!(read_answer(&mut next), alive) };
    let (turns, _) = house.turns_until(answered).await;
    assert!(turns >= 6, "{turns} turns");
}

/// Frames that are cheap to send and do nothing.
#[tokio::test]
async fn frames_for_nothing_keep_nobody_else_waiting() {
    let house = House::open(8).await;
    for piece in [
        frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 0]),
        frame(DATA, 0, 1, &[]),
        frame(99, 0, 0, &[0; 8]),
        frame(PING, 1, 0, &[0; 8]),
    ] {
        let mut stream = enter(&house, &[]).await;
        let pieces = piece.repeat(100_000);
        let poured = async { tokio::time::timeout(Duration::from_secs(5), stream.write_all(&pieces)).await };
        let other = async { read_answer(&mut house.enter(REQUEST).await).await };
        let _ = tokio::join!(poured, other);
    }
    let mut last = house.enter(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
    assert!(read_all(&mut last).await.ends_with(b"quick"));
}
