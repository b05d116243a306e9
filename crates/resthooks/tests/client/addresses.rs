//! Names, the addresses behind them, and which of those are connected to.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use resthooks::deliver::guard::Policy;
use resthooks::deliver::http::{Client, Options};
use resthooks::deliver::resolver::{Resolver, StaticResolver};
use resthooks::env::SystemClock;
use resthooks::model::ErrorClass;

use crate::peer::*;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn with(policy: Policy, resolver: impl Resolver) -> Client {
    Client::new(Options::new(policy, Arc::new(resolver), Arc::new(SystemClock::default()))).unwrap()
}

#[tokio::test]
async fn a_blocked_address_is_not_connected_to() {
    let peer = Peer::always(b"HTTP/1.1 204 x\r\n\r\n").await;
    let policy = Policy { allow_http: true, ..Policy::default() };
    let resolver = StaticResolver::default().with("hooks.test", [ip("10.0.0.7"), ip("127.0.0.1"), ip("::1")]);
    let client = with(policy, resolver);
    let exchange = post(&client, &peer.target()).await;
    assert_eq!(exchange.address, None);
    let blocked = exchange.answer.unwrap_err();
    assert_failure(
        &blocked,
        ErrorClass::BlockedAddress,
        "127.0.0.1 is not a public address (loopback, 127.0.0.0/8)",
    );
    let named = failure(&client, &target(&format!("http://hooks.test:{}/", peer.address.port()))).await;
    assert_failure(&named, ErrorClass::BlockedAddress, "hooks.test resolves to 10.0.0.7 is not");
    assert_eq!(peer.connections(), 0);
}

#[tokio::test]
async fn of_several_addresses_only_the_allowed_are_tried_in_their_order() {
    let peer = Peer::always(b"HTTP/1.1 204 x\r\n\r\n").await;
    let addresses = [ip("10.0.0.7"), ip("::1"), ip("127.0.0.2"), ip("127.0.0.1"), ip("192.168.0.1")];
    let client = with(loopback(), StaticResolver::default().with("hooks.test", addresses));
    let exchange = post(&client, &target(&format!("http://hooks.test:{}/", peer.address.port()))).await;
    // 127.0.0.2 refuses: the receiver listens on 127.0.0.1 alone.
    assert_eq!((exchange.address, exchange.answer.unwrap().status), (Some(peer.address), 204));
    assert_eq!(peer.connections(), 1);
}

#[tokio::test]
async fn an_allowed_name_may_resolve_to_anything() {
    let peer = Peer::always(b"HTTP/1.1 204 x\r\n\r\n").await;
    let policy =
        Policy { allow_http: true, allowed: vec!["hooks.test".parse().unwrap()], ..Policy::default() };
    let resolver = resolver().with("other.test", [ip("127.0.0.1")]);
    let client = with(policy, resolver);
    let port = peer.address.port();
    assert_eq!(answer(&client, &target(&format!("http://HOOKS.test:{port}/"))).await.status, 204);
    let other = failure(&client, &target(&format!("http://other.test:{port}/"))).await;
    assert_eq!(other.class, ErrorClass::BlockedAddress);
}

/// Resolves to loopback first and to somewhere private ever after.
#[derive(Debug, Clone, Default)]
struct Rebinding(Arc<AtomicUsize>);

#[async_trait::async_trait]
impl Resolver for Rebinding {
    async fn resolve(&self, _host: &str) -> std::io::Result<Vec<IpAddr>> {
        let is_first = self.0.fetch_add(1, Ordering::SeqCst) == 0;
        Ok(vec![if is_first { ip("127.0.0.1") } else { ip("169.254.169.254") }])
    }
}

#[tokio::test]
async fn every_connection_is_judged_by_what_the_name_means_then() {
    let peer = Peer::always(b"HTTP/1.1 200 x\r\nconnection: close\r\ncontent-length: 0\r\n\r\n").await;
    let resolver = Rebinding::default();
    let client = with(loopback(), resolver.clone());
    let target = target(&format!("http://hooks.test:{}/", peer.address.port()));
    assert_eq!(answer(&client, &target).await.status, 200);
    assert_eq!(resolver.0.load(Ordering::SeqCst), 1, "what was judged is what was connected to");
    assert_failure(&failure(&client, &target).await, ErrorClass::BlockedAddress, "169.254.169.254");
}

#[tokio::test]
async fn a_name_that_does_not_resolve() {
    let client = with(loopback(), StaticResolver::default().with("empty.test", []));
    let unknown = failure(&client, &target("https://nowhere.test/")).await;
    assert_failure(&unknown, ErrorClass::Dns, "nowhere.test could not be resolved");
    let empty = failure(&client, &target("https://empty.test/")).await;
    assert_failure(&empty, ErrorClass::Dns, "empty.test has no address");
}

/// Never says.
#[derive(Debug)]
struct Silent;

#[async_trait::async_trait]
impl Resolver for Silent {
    async fn resolve(&self, _host: &str) -> std::io::Result<Vec<IpAddr>> {
        std::future::pending().await
    }
}

#[tokio::test]
async fn a_name_server_that_never_says_costs_the_connect_timeout() {
    let (_, clock) = turned_client();
    let options = Options::new(loopback(), Arc::new(Silent), Arc::new(clock.clone()));
    let exchange =
        post_while_time_passes(Client::new(options).unwrap(), target("https://hooks.test/"), &clock).await;
    assert_eq!(exchange.duration, Duration::from_secs(5));
    assert_failure(
        &exchange.answer.unwrap_err(),
        ErrorClass::Timeout,
        "looking up the name took longer than 5s",
    );
}

#[tokio::test]
async fn an_address_that_swallows_packets_leaves_time_for_the_next() {
    // A listener whose queue is full drops what comes.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.3:0".parse().unwrap()).unwrap();
    let deaf = socket.listen(0).unwrap();
    let port = deaf.local_addr().unwrap().port();
    let mut fillers = Vec::new();
    for _ in 0..3 {
        let filler = tokio::net::TcpSocket::new_v4().unwrap();
        fillers.push(tokio::spawn(filler.connect(deaf.local_addr().unwrap())));
    }
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut stream, b"HTTP/1.1 204 x\r\n\r\n").await.unwrap();
        std::future::pending::<()>().await;
    });
    let (_, clock) = turned_client();
    let resolver = StaticResolver::default().with("hooks.test", [ip("127.0.0.3"), ip("127.0.0.1")]);
    let options = Options::new(loopback(), Arc::new(resolver.clone()), Arc::new(clock.clone()));
    let both = target(&format!("http://hooks.test:{port}/"));
    let exchange = post_while_time_passes(Client::new(options).unwrap(), both, &clock).await;
    assert_eq!(exchange.address.map(|address| address.ip()), Some(ip("127.0.0.1")));
    assert!(exchange.duration >= Duration::from_millis(2_500) && exchange.duration < Duration::from_secs(5));

    let options = Options::new(loopback(), Arc::new(resolver), Arc::new(clock.clone()));
    let deaf_alone = target(&format!("http://127.0.0.3:{port}/"));
    let exchange = post_while_time_passes(Client::new(options).unwrap(), deaf_alone, &clock).await;
    assert_eq!(exchange.duration, Duration::from_secs(5));
    assert_failure(&exchange.answer.unwrap_err(), ErrorClass::Timeout, "connecting to 127.0.0.3");
}
