//! Callers, well-behaved and others, at a door of ours. The clock is turned by hand.

mod floods;
mod handshakes;
mod slow;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::routing::get;
use axum::{Extension, Router};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use resthooks::env::ManualClock;
use resthooks::model::Timestamp;
use resthooks_api::PeerAddress;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use super::connection::Service;
use super::door::{Door, Room};
use super::tls::Tls;

struct House {
    door: Door,
    address: std::net::SocketAddr,
    clock: ManualClock,
    /// Lets `/slow` answer.
    go_on: Arc<Notify>,
    /// How many are in `/slow`.
    inside: Arc<AtomicUsize>,
}

impl House {
    async fn open(connections: usize) -> Self {
        Self::with(Room { connections, per_address: connections }, None).await
    }

    async fn with(room: Room, tls: Option<Arc<Tls>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let clock = ManualClock::new(Timestamp::EPOCH);
        let go_on = Arc::new(Notify::new());
        let inside = Arc::new(AtomicUsize::new(0));
        let (wait, count) = (Arc::clone(&go_on), Arc::clone(&inside));
        let slow = move || async move {
            let _counted = Counted::one_more(&count);
            wait.notified().await;
            "slow"
        };
        let app = Router::new()
            .route("/", get(async || "quick"))
            .route("/slow", get(slow))
            .route("/peer", get(async |peer: Extension<PeerAddress>| peer.ip().to_string()))
            .route("/huge", get(async || vec![b'x'; 64 << 20]));
        let door = Door::open(listener, Service { app, tls, clock: Arc::new(clock.clone()) }, room);
        Self { door, address, clock, go_on, inside }
    }

    #[expect(clippy::disallowed_methods, reason = "this is the test's side of the connection")]
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    async fn enter(&self, words: &[u8]) -> TcpStream {
        let mut stream = self.connect().await;
        stream.write_all(words).await.unwrap();
        stream
    }

    /// Turns the clock by five seconds until `done`, and answers how often. What is looked at every five seconds has
    /// been looked at that often at most.
    async fn turns_until<T>(&self, done: impl Future<Output = T>) -> (u32, T) {
        let mut done = std::pin::pin!(done);
        for turns in 0..1000 {
            if let Ok(value) = tokio::time::timeout(Duration::from_millis(5), done.as_mut()).await {
                return (turns, value);
            }
            self.clock.advance(Duration::from_secs(5));
        }
        panic!("never");
    }
}

struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn one_more(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(count))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
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
async fn a_request_knows_where_it_comes_from() {
    let house = House::open(8).await;
    // What a caller says about itself counts for nothing.
    let words = b"GET /peer HTTP/1.1\r\nhost: x\r\nx-forwarded-for: 192.0.2.1\r\nconnection: close\r\n\r\n";
    let answer = read_all(&mut house.enter(words).await).await;
    assert!(answer.ends_with(b"\r\n127.0.0.1"), "{}", String::from_utf8_lossy(&answer));
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
async fn no_more_than_the_cap_of_an_address_are_inside() {
    let house = House::with(Room { connections: 8, per_address: 2 }, None).await;
    let mut first = house.enter(REQUEST).await;
    read_answer(&mut first).await;
    let mut second = house.enter(REQUEST).await;
    read_answer(&mut second).await;
    let mut third = house.connect().await;
    assert!(read_all(&mut third).await.is_empty(), "it was let in beside the others");
    drop(first);
    // The place is free as soon as the server has seen that the first one has gone.
    for _ in 0..1000 {
        let mut next = house.enter(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
        if read_all(&mut next).await.ends_with(b"quick") {
            return;
        }
    }
    panic!("the place of who has left is not given to anybody else");
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

/// Some requests on one connection.
async fn ask_over_http2(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    scheme: &str,
    address: std::net::SocketAddr,
) {
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    for _ in 0..3 {
        let uri = format!("{scheme}://{address}/");
        let request = http::Request::get(uri).body(Empty::<Bytes>::new()).unwrap();
        let answer = sender.send_request(request).await.unwrap();
        assert_eq!(answer.version(), http::Version::HTTP_2);
        assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "quick");
    }
}

#[tokio::test]
async fn http2_in_clear_text() {
    let house = House::open(8).await;
    ask_over_http2(house.connect().await, "http", house.address).await;
}
