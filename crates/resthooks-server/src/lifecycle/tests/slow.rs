//! Callers that dawdle, and those that must not suffer from them.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{House, REQUEST, read_all, read_answer};

#[tokio::test]
async fn who_says_nothing_is_let_go_and_who_never_ends_a_head_too() {
    let house = House::open(8).await;
    for words in [&b""[..], b"GET", b"GET / HTTP/1.1\r\nhost: ", b"PRI * HTTP/2"] {
        let mut stream = house.enter(words).await;
        let (turns, answer) = house.turns_until(read_all(&mut stream)).await;
        assert!(turns >= 6, "{turns} turns for {words:?}");
        assert!(!answer.starts_with(b"HTTP/1.1 2"), "{}", String::from_utf8_lossy(&answer));
    }
}

#[tokio::test]
async fn an_idle_connection_is_closed_and_a_busy_one_is_not() {
    let house = House::open(8).await;
    let mut idle = house.enter(REQUEST).await;
    read_answer(&mut idle).await;
    let mut busy = house.enter(b"GET /slow HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
    let (turns, rest) = house.turns_until(read_all(&mut idle)).await;
    assert!(rest.is_empty());
    assert!(turns >= 15, "after {turns} turns: a load balancer may keep it for 60 seconds");
    // Many times longer than an idle one may be.
    for _ in 0..80 {
        house.clock.advance(Duration::from_secs(5));
        tokio::task::yield_now().await;
    }
    house.go_on.notify_one();
    let answer = String::from_utf8(read_all(&mut busy).await).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("slow"), "{answer}");
}

#[tokio::test]
async fn who_takes_in_nothing_is_let_go() {
    let house = House::open(1).await;
    let mut stuck = house.enter(b"GET /huge HTTP/1.1\r\nhost: x\r\n\r\n").await;
    // With one slot, the next caller is answered only when the first one's connection has ended.
    let mut next = house.enter(REQUEST).await;
    let (turns, ()) = house.turns_until(read_answer(&mut next)).await;
    assert!(turns >= 6, "{turns} turns");
    assert!(read_all(&mut stuck).await.len() < 64 << 20);
}

/// Sends a request byte by byte, one a second, and answers how many it could send.
async fn drip(house: &House, stream: &mut TcpStream) -> usize {
    let head = format!("GET / HTTP/1.1\r\nhost: {}\r\n\r\n", "x".repeat(1000));
    let mut answer = Vec::new();
    for (sent, byte) in head.bytes().enumerate() {
        house.clock.advance(Duration::from_secs(1));
        let read = tokio::time::timeout(Duration::from_millis(2), stream.read_buf(&mut answer)).await;
        if read.is_ok() || stream.write_all(&[byte]).await.is_err() {
            assert!(answer.is_empty(), "{}", String::from_utf8_lossy(&answer));
            return sent;
        }
    }
    head.len()
}

#[tokio::test]
async fn a_byte_a_second_does_not_lengthen_the_time_for_a_head() {
    let house = House::open(8).await;
    let mut fresh = house.connect().await;
    let sent = drip(&house, &mut fresh).await;
    assert!((29..200).contains(&sent), "it sent {sent} bytes");
    let mut second = house.enter(REQUEST).await;
    read_answer(&mut second).await;
    let sent = drip(&house, &mut second).await;
    assert!((24..200).contains(&sent), "it sent {sent} bytes after a first request");
}

#[tokio::test]
async fn who_takes_in_little_by_little_gets_all_of_it() {
    let house = House::open(1).await;
    let mut slow = house.enter(b"GET /huge HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
    let mut taken = 0;
    let mut piece = vec![0; 1 << 20];
    loop {
        house.clock.advance(Duration::from_secs(5));
        let mut filled = 0;
        // A megabyte each five seconds: five minutes in all.
        while filled < piece.len() {
            match slow.read(&mut piece[filled..]).await.unwrap() {
                0 => break,
                read => filled += read,
            }
        }
        taken += filled;
        if filled < piece.len() {
            break;
        }
    }
    assert!(taken > 64 << 20, "cut off after {taken} bytes");
}
