//! Receivers written by hand, byte by byte, and a client to test them with.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use resthooks::deliver::guard::Policy;
use resthooks::deliver::http::{Answer, Body, Client, Exchange, Failure, Options, Target};
use resthooks::deliver::resolver::StaticResolver;
use resthooks::env::{Clock, ManualClock, SystemClock};
use resthooks::model::{ErrorClass, Timestamp};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A listening receiver that has counted its connections and kept its requests.
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen {
    connections: AtomicUsize,
    requests: Mutex<Vec<Received>>,
}

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

/// One accepted connection, the receiver's side. Connections are numbered from 1.
pub(crate) struct Link {
    pub(crate) stream: TcpStream,
    pub(crate) number: usize,
    seen: Arc<Seen>,
}

impl Peer {
    /// Listens on loopback; `serve` is run for every connection.
    pub(crate) async fn start<F, S>(serve: S) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
        S: Fn(Link) -> F + Send + 'static,
    {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::<Seen>::default();
        let shared = Arc::clone(&seen);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let number = shared.connections.fetch_add(1, Ordering::SeqCst) + 1;
                tokio::spawn(serve(Link { stream, number, seen: Arc::clone(&shared) }));
            }
        });
        Self { address, seen }
    }

    /// Gives every request the same answer, on as many connections as there are.
    pub(crate) async fn always(answer: &'static [u8]) -> Self {
        Self::start(move |mut link| async move {
            while link.request().await.is_some() {
                link.write(answer).await;
            }
        })
        .await
    }

    pub(crate) fn target(&self) -> Target {
        target(&format!("http://{}/hook?a=1", self.address))
    }

    pub(crate) fn connections(&self) -> usize {
        self.seen.connections.load(Ordering::SeqCst)
    }

    pub(crate) fn requests(&self) -> Vec<Received> {
        self.seen.requests.lock().unwrap().clone()
    }
}

impl Link {
    /// Reads and keeps the next request; nothing when the connection ends first.
    pub(crate) async fn request(&mut self) -> Option<Received> {
        let mut bytes = Vec::new();
        let head = loop {
            if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
            if self.stream.read_buf(&mut bytes).await.ok()? == 0 {
                return None;
            }
        };
        let text = String::from_utf8(bytes[..head].to_vec()).unwrap();
        let length = text.lines().find_map(|line| line.strip_prefix("content-length: "));
        let whole = head + length.map_or(0, |length| length.parse::<usize>().unwrap());
        while bytes.len() < whole {
            if self.stream.read_buf(&mut bytes).await.ok()? == 0 {
                return None;
            }
        }
        assert_eq!(bytes.len(), whole, "more than one request at a time");
        let received = Received { head: text, body: bytes[head..].to_vec() };
        self.seen.requests.lock().unwrap().push(received.clone());
        Some(received)
    }

    /// Writes, and does not mind when nobody listens any more.
    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes).await;
    }

    /// Ends the connection by a reset.
    pub(crate) fn reset(self) {
        self.stream.set_zero_linger().unwrap();
    }

    /// Waits until the other side has closed.
    pub(crate) async fn closed(&mut self) {
        let mut rest = Vec::new();
        let _ = self.stream.read_to_end(&mut rest).await;
        assert!(rest.is_empty(), "something was sent again");
    }
}

/// Plain text and loopback allowed.
pub(crate) fn loopback() -> Policy {
    Policy { allow_http: true, allowed: vec!["127.0.0.0/8".parse().unwrap()], ..Policy::default() }
}

/// `hooks.test` is loopback.
pub(crate) fn resolver() -> StaticResolver {
    StaticResolver::default().with("hooks.test", [IpAddr::V4(Ipv4Addr::LOCALHOST)])
}

pub(crate) fn options(clock: impl Clock) -> Options {
    Options::new(loopback(), Arc::new(resolver()), Arc::new(clock))
}

/// A client on the machine's clock.
pub(crate) fn client() -> Client {
    Client::new(options(SystemClock::default())).unwrap()
}

/// A client on a clock that the test turns.
pub(crate) fn turned_client() -> (Client, ManualClock) {
    let clock = ManualClock::new(Timestamp::parse("2026-01-02T03:04:05Z").unwrap());
    (Client::new(options(clock.clone())).unwrap(), clock)
}

pub(crate) fn target(url: &str) -> Target {
    Target::new(&url.parse().unwrap())
}

pub(crate) async fn post(client: &Client, target: &Target) -> Exchange {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", "application/json".parse().unwrap());
    let body = [Bytes::from_static(b"{\"a\":"), Bytes::from_static(b"1"), Bytes::from_static(b"}")];
    client.post(target, headers, Body::new(body)).await
}

pub(crate) async fn answer(client: &Client, target: &Target) -> Answer {
    post(client, target).await.answer.unwrap()
}

pub(crate) async fn failure(client: &Client, target: &Target) -> Failure {
    post(client, target).await.answer.unwrap_err()
}

/// Lets tasks and sockets do what they can now.
pub(crate) async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

/// Turns the clock in steps of a second, so that whoever waits for it can set the next wait in time.
pub(crate) async fn pass(clock: &ManualClock, time: Duration) {
    for _ in 0..time.as_secs() {
        settle().await;
        clock.advance(Duration::from_secs(1));
    }
    settle().await;
}

/// Posts while the clock is turned in steps of a second, until the post has ended.
pub(crate) async fn post_while_time_passes(client: Client, target: Target, clock: &ManualClock) -> Exchange {
    let posting = tokio::spawn(async move { post(&client, &target).await });
    for _ in 0..60 {
        settle().await;
        if posting.is_finished() {
            break;
        }
        clock.advance(Duration::from_secs(1));
    }
    posting.await.unwrap()
}

/// Waits for something that another task is about to make true.
pub(crate) async fn until(mut condition: impl FnMut() -> bool) {
    let waiting = async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), waiting).await.expect("it never became true");
}

/// Asserts the class of a failure and a part of its detail.
#[track_caller]
pub(crate) fn assert_failure(failure: &Failure, class: ErrorClass, part: &str) {
    assert_eq!(failure.class, class, "{failure:?}");
    assert!(failure.detail.contains(part), "{failure:?}");
    assert!(!failure.detail.contains('\n'));
}
