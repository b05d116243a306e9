//! Callers that dawdle, and those that must not suffer from them. The clock is turned by hand.

use std::sync::Arc;
use std::time::Duration;

use axum::routing::get;
use axum::{Extension, Router};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use resthooks::env::ManualClock;
use resthooks::model::Timestamp;
use resthooks_api::PeerAddress;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use super::door::Door;

struct House {
    door: Door,
    address: std::net::SocketAddr,
    clock: ManualClock,
    /// Lets `/slow` answer.
    go_on: Arc<Notify>,
}

impl House {
    async fn open(max_connections: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let clock = ManualClock::new(Timestamp::EPOCH);
        let go_on = Arc::new(Notify::new());
        let wait = Arc::clone(&go_on);
        let slow = move || async move {
            wait.notified().await;
            "slow"
        };
        let app = Router::new()
            .route("/", get(async || "quick"))
            .route("/slow", get(slow))
            .route("/peer", get(async |peer: Extension<PeerAddress>| peer.ip().to_string()))
            .route("/huge", get(async || vec![b'x'; 64 << 20]));
        let door = Door::open(listener, app, max_connections, Arc::new(clock.clone()));
        Self { door, address, clock, go_on }
    }

    #[expect(clippy::disallowed_methods, reason = "this is the test's side of the connection")]
    async fn enter(&self, words: &[u8]) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(words).await.unwrap();
        stream
    }

    /// Turns the clock by ten seconds until `done`, and answers how often.
    async fn turns_until<T>(&self, done: impl Future<Output = T>) -> (u32, T) {
        let mut done = std::pin::pin!(done);
        for turns in 0..1000 {
            if let Ok(value) = tokio::time::timeout(Duration::from_millis(5), done.as_mut()).await {
                return (turns, value);
            }
            self.clock.advance(Duration::from_secs(10));
        }
        panic!("never");
    }
}

async fn read_all(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    // A reset is an end, too.
    let _ = stream.read_to_end(&mut bytes).await;
    bytes
}

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";

async fn read_answer(stream: &mut TcpStream) {
    let mut answer = Vec::new();
    while !answer.ends_with(b"quick") {
        assert_ne!(stream.read_buf(&mut answer).await.unwrap(), 0, "{}", String::from_utf8_lossy(&answer));
    }
}

#[tokio::test]
async fn who_says_nothing_is_let_go_and_who_never_ends_a_head_too() {
    let house = House::open(8).await;
    for words in [&b""[..], b"GET", b"GET / HTTP/1.1\r\nhost: ", b"PRI * HTTP/2"] {
        let mut stream = house.enter(words).await;
        let (turns, answer) = house.turns_until(read_all(&mut stream)).await;
        assert!(turns >= 3, "{turns} turns for {words:?}");
        assert!(!answer.starts_with(b"HTTP/1.1 2"), "{}", String::from_utf8_lossy(&answer));
    }
}

#[tokio::test]
async fn an_idle_connection_is_closed_and_a_busy_one_is_not() {
    let house = House::open(8).await;
    let mut idle = house.enter(REQUEST).await;
    read_answer(&mut idle).await;
    let mut busy = house.enter(b"GET /slow HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
    let (_, rest) = house.turns_until(read_all(&mut idle)).await;
    assert!(rest.is_empty());
    // Many times longer than an idle one may be.
    for _ in 0..20 {
        house.clock.advance(Duration::from_secs(10));
        tokio::task::yield_now().await;
    }
    house.go_on.notify_one();
    let answer = String::from_utf8(read_all(&mut busy).await).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("slow"), "{answer}");
}

#[tokio::test]
async fn a_request_knows_where_it_comes_from() {
    let house = House::open(8).await;
    // What a caller says about itself counts for nothing.
    let words = b"GET /peer HTTP/1.1\r\nhost: x\r\nx-forwarded-for: 192.0.2.1\r\nconnection: close\r\n\r\n";
    let answer = read_all(&mut house.enter(words).await).await;
    assert!(answer.ends_with(b"\r\n127.0.0.1"), "{}", String::from_utf8_lossy(&answer));
}

#[tokio::test]
async fn who_takes_in_nothing_is_let_go() {
    let house = House::open(1).await;
    let mut stuck = house.enter(b"GET /huge HTTP/1.1\r\nhost: x\r\n\r\n").await;
    // With one slot, the next caller is answered only when the first one's connection has ended.
    let mut next = house.enter(REQUEST).await;
    let (turns, ()) = house.turns_until(read_answer(&mut next)).await;
    assert!(turns >= 3, "{turns} turns");
    assert!(read_all(&mut stuck).await.len() < 64 << 20);
}

#[tokio::test]
async fn no_more_than_the_cap_are_inside() {
    let house = House::open(1).await;
    let mut first = house.enter(REQUEST).await;
    read_answer(&mut first).await;
    let mut second = house.enter(REQUEST).await;
    let early = tokio::time::timeout(Duration::from_millis(50), second.readable()).await;
    assert!(early.is_err(), "it was let in beside the first one");
    drop(first);
    read_answer(&mut second).await;
}

#[tokio::test]
async fn closing_waits_for_answers_and_for_nothing_else() {
    let house = House::open(8).await;
    let mut idle = house.enter(REQUEST).await;
    read_answer(&mut idle).await;
    let mut half = house.enter(b"GET / HT").await;
    let mut busy = house.enter(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").await;
    // Once this one is answered, the others have been accepted.
    read_answer(&mut house.enter(REQUEST).await).await;
    let House { door, clock, go_on, .. } = house;
    let mut closing = tokio::spawn(door.close(Duration::from_secs(60)));
    assert!(read_all(&mut idle).await.is_empty());
    for _ in 0..20 {
        clock.advance(Duration::from_millis(500));
        let early = tokio::time::timeout(Duration::from_millis(5), &mut closing).await;
        assert!(early.is_err(), "it did not wait for an answer");
    }
    assert!(!read_all(&mut half).await.starts_with(b"HTTP/1.1 2"));
    go_on.notify_one();
    let answer = String::from_utf8(read_all(&mut busy).await).unwrap();
    assert!(answer.contains("connection: close") && answer.ends_with("slow"), "{answer}");
    assert!(closing.await.unwrap());
}

#[tokio::test]
async fn closing_gives_up_after_the_grace() {
    let house = House::open(8).await;
    let _busy = house.enter(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").await;
    read_answer(&mut house.enter(REQUEST).await).await;
    let House { door, clock, .. } = house;
    let closing = tokio::spawn(door.close(Duration::from_secs(60)));
    for _ in 0..1000 {
        if closing.is_finished() {
            break;
        }
        clock.advance(Duration::from_secs(1));
        let _ = tokio::time::timeout(Duration::from_millis(1), std::future::pending::<()>()).await;
    }
    assert!(!closing.await.unwrap());
}

#[tokio::test]
async fn http2_in_clear_text() {
    let house = House::open(8).await;
    let stream = TokioIo::new(house.enter(b"").await);
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await.unwrap();
    tokio::spawn(connection);
    for _ in 0..3 {
        let uri = format!("http://{}/", house.address);
        let request = http::Request::get(uri).body(Empty::<Bytes>::new()).unwrap();
        let answer = sender.send_request(request).await.unwrap();
        assert_eq!(answer.version(), http::Version::HTTP_2);
        assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "quick");
    }
}
