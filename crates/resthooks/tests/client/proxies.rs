//! Connections that an outbound proxy opens.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use resthooks::deliver::guard::Policy;
use resthooks::deliver::http::{Client, Failure, Options, Target};
use resthooks::deliver::resolver::StaticResolver;
use resthooks::env::{Clock, SystemClock};
use resthooks::model::ErrorClass;

use crate::authority::*;
use crate::peer::*;

const OPENED: &[u8] = b"HTTP/1.1 200 Connection established\r\nvia: x\r\n\r\n";
const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
const PUBLIC: &str = "93.184.216.34";
const PUBLIC_V6: &str = "2606:2800:220:1::1";

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// Public names, a private one, and one that is both.
fn names() -> StaticResolver {
    StaticResolver::default()
        .with("hooks.test", [ip(PUBLIC)])
        .with("six.test", [ip(PUBLIC_V6)])
        .with("private.test", [ip("10.0.0.7"), ip("127.0.0.1")])
        .with("mixed.test", [ip("127.0.0.1"), ip("169.254.169.254"), ip(PUBLIC)])
        .with("two.test", [ip("198.41.0.4"), ip(PUBLIC)])
        .with("proxy.test", [ip("127.0.0.1")])
}

/// Public targets alone, by this proxy.
fn by(proxy: &str, clock: impl Clock) -> Options {
    let policy = Policy { allow_http: true, ..Policy::default() };
    let mut options = Options::new(policy, Arc::new(names()), Arc::new(clock));
    options.proxy = Some(proxy.parse().unwrap());
    options
}

fn client_by(proxy: &str) -> Client {
    Client::new(by(proxy, SystemClock::default())).unwrap()
}

/// A proxy that is the target as well.
async fn open_proxy() -> Peer {
    Peer::start(|mut link| async move {
        link.request().await;
        link.write(OPENED).await;
        while link.request().await.is_some() {
            link.write(OK).await;
        }
    })
    .await
}

#[tokio::test]
async fn asks_for_the_judged_address_and_proves_itself() {
    let proxy = open_proxy().await;
    let client = client_by(&format!("http://user:p%40ss@{}", proxy.address));
    for _ in 0..2 {
        let exchange = post(&client, &target("http://hooks.test/hook")).await;
        assert_eq!(exchange.address, Some(format!("{PUBLIC}:80").parse().unwrap()));
        assert_eq!(exchange.answer.unwrap().body, "ok");
    }
    let requests = proxy.requests();
    assert_eq!((proxy.connections(), requests.len()), (1, 3), "the connection is used again");
    // user:p@ss
    let head = format!(
        "CONNECT {PUBLIC}:80 HTTP/1.1\r\nhost: {PUBLIC}:80\r\nproxy-authorization: Basic dXNlcjpwQHNz\r\n\r\n"
    );
    assert_eq!(requests[0].head, head);
    for request in &requests[1..] {
        assert!(
            request.head.starts_with("POST /hook HTTP/1.1\r\n")
                && request.head.contains("host: hooks.test\r\n")
        );
        assert!(!request.head.contains("proxy"), "{}", request.head);
    }
}

#[tokio::test]
async fn the_proxy_may_have_a_name_and_targets_six_groups_or_a_port() {
    let proxy = open_proxy().await;
    let client = client_by(&format!("http://proxy.test:{}", proxy.address.port()));
    for (url, address) in [
        ("http://six.test/", format!("[{PUBLIC_V6}]:80")),
        ("http://[2606:2800:220:1::2]:8080/", "[2606:2800:220:1::2]:8080".to_owned()),
        ("http://hooks.test:8081/", format!("{PUBLIC}:8081")),
    ] {
        assert_eq!(answer(&client, &target(url)).await.body, "ok");
        let connect = proxy.requests().into_iter().rev().nth(1).unwrap();
        assert_eq!(connect.head, format!("CONNECT {address} HTTP/1.1\r\nhost: {address}\r\n\r\n"));
    }
}

#[tokio::test]
async fn tls_is_spoken_with_the_target_through_the_proxy() {
    let authority = Arc::new(Authority::new());
    let acceptor = authority.acceptor("hooks.test", &["http/1.1"]);
    let proxy = Peer::start(move |mut link| {
        let acceptor = acceptor.clone();
        async move {
            link.request().await;
            link.write(OPENED).await;
            let Ok(stream) = acceptor.accept(link.stream).await else { return };
            assert_eq!(stream.get_ref().1.server_name(), Some("hooks.test"));
            http1(stream, 1).await;
        }
    })
    .await;
    let mut options = by(&format!("http://{}", proxy.address), SystemClock::default());
    options.extra_roots.push(authority.root.clone());
    let client = Client::new(options).unwrap();
    let exchange = post(&client, &target("https://hooks.test/")).await;
    assert_eq!(exchange.address, Some(format!("{PUBLIC}:443").parse().unwrap()));
    assert_eq!(exchange.answer.unwrap().body, "ok");
    let other = failure(&client, &target("https://two.test/")).await;
    assert_failure(&other, ErrorClass::Tls, "certificate not valid for name \"two.test\"");
}

#[tokio::test]
async fn the_guard_stands_before_the_proxy() {
    let proxy = open_proxy().await;
    let client = client_by(&format!("http://{}", proxy.address));
    for url in ["http://private.test/", "https://private.test/", "http://127.0.0.1/", "http://[::1]/"] {
        assert_eq!(failure(&client, &target(url)).await.class, ErrorClass::BlockedAddress, "{url}");
    }
    assert_eq!(failure(&client, &target("http://unknown.test/")).await.class, ErrorClass::Dns);
    assert_eq!(proxy.connections(), 0);
    assert_eq!(answer(&client, &target("http://mixed.test/")).await.body, "ok");
    assert_eq!(proxy.connections(), 1);
    assert!(proxy.requests()[0].head.starts_with(&format!("CONNECT {PUBLIC}:80 ")));
}

#[tokio::test]
async fn the_next_address_is_asked_for_when_one_is_refused() {
    let proxy = Peer::start(|mut link| async move {
        let first = link.request().await.unwrap();
        if !first.head.contains(PUBLIC) {
            return link.write(b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 3\r\n\r\nno\n").await;
        }
        link.write(b"HTTP/1.1 100 x\r\n\r\nHTTP/1.0 200\r\n\r\n").await;
        link.request().await;
        link.write(OK).await;
    })
    .await;
    let exchange = post(&client_by(&format!("http://{}", proxy.address)), &target("http://two.test/")).await;
    assert_eq!(exchange.address, Some(format!("{PUBLIC}:80").parse().unwrap()));
    assert_eq!((exchange.answer.unwrap().status, proxy.connections()), (200, 2));
}

async fn failed(said: &'static [u8]) -> Failure {
    let proxy = Peer::start(move |mut link| async move {
        link.request().await;
        link.write(said).await;
        if said.len() > 20_000 {
            link.closed().await;
        }
    })
    .await;
    let client = client_by(&format!("http://user:hush@{}", proxy.address));
    let exchange = post(&client, &target("http://hooks.test/")).await;
    assert_eq!((exchange.address, client.idle_connections()), (None, 0));
    exchange.answer.unwrap_err()
}

#[tokio::test]
async fn a_proxy_that_fails_is_told_from_the_target() {
    let endless = Box::leak(vec![b'x'; 100_000].into_boxed_slice());
    let interim = Box::leak(b"HTTP/1.1 100 x\r\n\r\n".repeat(5000).into_boxed_slice());
    for (said, detail) in [
        (&b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n"[..], "answered 407 for 93.184.216.34:80"),
        (b"HTTP/1.1 503 x\r\n\r\nbody", "answered 503"),
        (b"HTTP/1.1 302 x\r\nlocation: http://127.0.0.1/\r\n\r\n", "answered 302"),
        (b"HTTP/1.1 200 x\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", "speaks for the target"),
        (b"HTTP/1.1 101 x\r\n\r\n", "closed the connection"),
        (b"SSH-2.0-x\r\n\r\n", "does not speak HTTP"),
        (b"HTTP/1.1 200 x\r\n", "closed the connection"),
        (b"", "closed the connection"),
        (endless, "too long"),
        (interim, "too long"),
    ] {
        let failure = failed(said).await;
        assert_failure(&failure, ErrorClass::Proxy, detail);
        assert!(!failure.detail.contains("hush") && !failure.detail.contains("aHVzaA"));
    }
}

#[tokio::test]
async fn a_proxy_that_cant_be_reached() {
    let nobody = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    for proxy in [format!("http://{nobody}"), format!("http://proxy.test:{}", nobody.port())] {
        let refused = failure(&client_by(&proxy), &target("http://hooks.test/")).await;
        assert_failure(&refused, ErrorClass::Proxy, "the outbound proxy could not be reached");
    }
    let unknown = failure(&client_by("http://nowhere.test:3128"), &target("http://hooks.test/")).await;
    assert_failure(&unknown, ErrorClass::Proxy, "the outbound proxy could not be reached");
}

#[tokio::test]
async fn a_proxy_that_never_answers_or_dribbles_costs_the_connect_timeout() {
    for dribbles in [false, true] {
        let (_, clock) = turned_client();
        let ticking = clock.clone();
        let proxy = Peer::start(move |mut link| {
            let clock = ticking.clone();
            async move {
                link.request().await;
                while !dribbles || link.stream.try_write(b"H").is_ok() {
                    clock.sleep(Duration::from_secs(1)).await;
                }
            }
        })
        .await;
        let client = Client::new(by(&format!("http://{}", proxy.address), clock.clone())).unwrap();
        let there: Target = target("http://hooks.test/");
        let exchange = post_while_time_passes(client, there, &clock).await;
        assert_eq!(exchange.duration, Duration::from_secs(5));
        let failure = exchange.answer.unwrap_err();
        assert_failure(&failure, ErrorClass::Proxy, "did not connect to 93.184.216.34:80 within 5s");
    }
}
