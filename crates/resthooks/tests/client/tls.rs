//! TLS and HTTP/2: who is believed, what is spoken, and how a shared connection begins and ends.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use resthooks::env::SystemClock;
use resthooks::model::ErrorClass;
use tokio::io::AsyncWriteExt;
use tokio_rustls::TlsAcceptor;

use crate::authority::*;
use crate::peer::*;

type Answered = Response<BoxBody<Bytes, Infallible>>;

fn answered(status: u16, body: impl Into<Bytes>) -> Answered {
    Response::builder().status(status).body(Full::new(body.into()).boxed()).unwrap()
}

/// A receiver that speaks HTTP/2; the service sees the session's number too.
async fn http2<F, S>(acceptor: TlsAcceptor, service: S) -> (SocketAddr, Arc<AtomicUsize>)
where
    F: Future<Output = Answered> + Send + 'static,
    S: Fn(Request<Incoming>, usize) -> F + Clone + Send + Sync + 'static,
{
    listen(acceptor, move |stream, session| {
        let service = service.clone();
        async move {
            assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
            let service = service_fn(move |request| {
                let answer = service(request, session);
                async move { Ok::<_, Infallible>(answer.await) }
            });
            let mut server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            let _ = server.max_concurrent_streams(10).serve_connection(TokioIo::new(stream), service).await;
        }
    })
    .await
}

#[tokio::test]
async fn a_trusted_receiver_that_speaks_http1() {
    let authority = Authority::new();
    for protocols in [&["http/1.1"][..], &[]] {
        let (address, sessions) = listen(authority.acceptor("hooks.test", protocols), http1).await;
        let client = authority.client(SystemClock::default());
        for _ in 0..3 {
            let exchange = post(&client, &hooks_test(address)).await;
            assert_eq!(exchange.address, Some(address));
            assert_eq!(exchange.answer.unwrap().body, "ok");
        }
        assert_eq!(sessions.load(Ordering::SeqCst), 1);
    }
}

#[tokio::test]
async fn a_certificate_for_an_address() {
    let authority = Authority::new();
    let (address, _) = listen(authority.acceptor("127.0.0.1", &[]), http1).await;
    let client = authority.client(SystemClock::default());
    assert_eq!(answer(&client, &target(&format!("https://{address}/"))).await.body, "ok");
    let wrong = failure(&client, &hooks_test(address)).await;
    assert_failure(&wrong, ErrorClass::Tls, "certificate not valid for name \"hooks.test\"");
}

#[tokio::test]
async fn a_receiver_that_nobody_vouches_for() {
    let (authority, other) = (Authority::new(), Authority::named("another"));
    let (address, sessions) = listen(authority.acceptor("hooks.test", &["h2"]), http1).await;
    for client in [client(), other.client(SystemClock::default())] {
        let exchange = post(&client, &hooks_test(address)).await;
        assert_eq!(exchange.address, Some(address));
        assert_failure(&exchange.answer.unwrap_err(), ErrorClass::Tls, "UnknownIssuer");
    }
    assert_eq!(sessions.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_receiver_that_does_not_speak_tls() {
    for (said, class) in [(&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], ErrorClass::Tls), (b"", ErrorClass::Tls)]
    {
        let peer = Peer::start(move |mut link| async move {
            let mut hello = [0; 16];
            let _ = tokio::io::AsyncReadExt::read(&mut link.stream, &mut hello).await;
            link.write(said).await;
            let _ = link.stream.shutdown().await;
            let mut rest = Vec::new();
            let _ = tokio::io::AsyncReadExt::read_to_end(&mut link.stream, &mut rest).await;
        })
        .await;
        assert_failure(&failure(&client(), &hooks_test(peer.address)).await, class, "TLS handshake: ");
    }
    let plain = Peer::start(|link| async { link.reset() }).await;
    assert_failure(
        &failure(&client(), &hooks_test(plain.address)).await,
        ErrorClass::Reset,
        "TLS handshake: ",
    );
}

#[tokio::test]
async fn a_handshake_that_never_ends_costs_the_connect_timeout() {
    let peer = Peer::start(|mut link| async move {
        let mut hello = Vec::new();
        let _ = tokio::io::AsyncReadExt::read_to_end(&mut link.stream, &mut hello).await;
    })
    .await;
    let (client, clock) = turned_client();
    let exchange = post_while_time_passes(client, hooks_test(peer.address), &clock).await;
    assert_eq!((exchange.duration, exchange.address), (Duration::from_secs(5), Some(peer.address)));
    assert_failure(
        &exchange.answer.unwrap_err(),
        ErrorClass::Timeout,
        "connecting with TLS took longer than 5s",
    );
}

#[tokio::test]
async fn http2_shares_one_connection() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    let authority = Authority::new();
    let (address, sessions) =
        http2(authority.acceptor("hooks.test", &["h2", "http/1.1"]), move |request, _| {
            let log = Arc::clone(&log);
            async move {
                let (head, body) = request.into_parts();
                let body = body.collect().await.unwrap().to_bytes();
                log.lock().unwrap().push((head, body.clone()));
                answered(200, body)
            }
        })
        .await;
    let client = authority.client(SystemClock::default());
    let target = hooks_test(address);
    assert_eq!(answer(&client, &target).await.body, "{\"a\":1}");
    let posts: Vec<_> = (0..50)
        .map(|_| {
            let (client, target) = (client.clone(), target.clone());
            tokio::spawn(async move { answer(&client, &target).await })
        })
        .collect();
    for post in posts {
        let answer = post.await.unwrap();
        assert_eq!((answer.status, answer.body.as_str(), answer.truncated), (200, "{\"a\":1}", false));
    }
    assert_eq!((sessions.load(Ordering::SeqCst), client.idle_connections()), (1, 1));
    let seen = seen.lock().unwrap();
    assert_eq!(seen.len(), 51);
    let (head, _) = &seen[0];
    assert_eq!(head.uri.to_string(), format!("https://hooks.test:{}/hook", address.port()));
    assert!(!head.headers.contains_key("host"));
    assert_eq!(head.headers.get("content-length").unwrap(), "7");
}

#[tokio::test]
async fn a_burst_to_a_new_origin_ends_on_one_connection() {
    let authority = Authority::new();
    let acceptor = authority.acceptor("hooks.test", &["h2"]);
    let (address, sessions) = http2(acceptor, |_, _| async { answered(204, "") }).await;
    let client = authority.client(SystemClock::default());
    let target = hooks_test(address);
    for _ in 0..3 {
        let posts: Vec<_> = (0..20)
            .map(|_| {
                let (client, target) = (client.clone(), target.clone());
                tokio::spawn(async move { answer(&client, &target).await.status })
            })
            .collect();
        for post in posts {
            assert_eq!(post.await.unwrap(), 204);
        }
        assert_eq!(client.idle_connections(), 1);
    }
    assert!(sessions.load(Ordering::SeqCst) <= 20, "the first burst alone may open more than one");
}

#[tokio::test]
async fn an_http2_connection_that_has_gone_is_opened_anew() {
    let authority = Authority::new();
    let (closing, closed) = tokio::sync::watch::channel(());
    let acceptor = authority.acceptor("hooks.test", &["h2"]);
    let (address, sessions) = listen(acceptor, move |stream, _| {
        let mut closed = closed.clone();
        closed.mark_unchanged();
        async move {
            let service = service_fn(|_| async { Ok::<_, Infallible>(answered(204, "")) });
            let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            let mut serving = std::pin::pin!(server.serve_connection(TokioIo::new(stream), service));
            tokio::select! {
                _ = serving.as_mut() => return,
                _ = closed.changed() => serving.as_mut().graceful_shutdown(),
            }
            let _ = serving.await;
        }
    })
    .await;
    let client = authority.client(SystemClock::default());
    for session in 1..=3 {
        assert_eq!(answer(&client, &hooks_test(address)).await.status, 204);
        assert_eq!(answer(&client, &hooks_test(address)).await.status, 204);
        assert_eq!(sessions.load(Ordering::SeqCst), session);
        closing.send_replace(());
        settle().await;
    }
}

#[tokio::test]
async fn an_http2_receiver_that_never_answers_costs_the_total_timeout_and_its_connection() {
    let authority = Authority::new();
    let (address, sessions) = http2(authority.acceptor("hooks.test", &["h2"]), |_, session| async move {
        if session == 1 { std::future::pending().await } else { answered(204, "") }
    })
    .await;
    let (_, clock) = turned_client();
    let client = authority.client(clock.clone());
    // The handshake must not be overtaken by the clock: it runs on real sockets.
    let (posting, target) = (client.clone(), hooks_test(address));
    let posted = tokio::spawn(async move { post(&posting, &target).await });
    until(|| client.idle_connections() == 1).await;
    settle().await;
    clock.advance(Duration::from_secs(15));
    let exchange = posted.await.unwrap();
    assert_failure(
        &exchange.answer.unwrap_err(),
        ErrorClass::Timeout,
        "the answer's head took longer than 15s",
    );
    assert_eq!((exchange.duration, client.idle_connections()), (Duration::from_secs(15), 0));
    assert_eq!(answer(&client, &hooks_test(address)).await.status, 204);
    assert_eq!(sessions.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn http2_answers_are_bounded_too() {
    let authority = Authority::new();
    let (address, sessions) = http2(authority.acceptor("hooks.test", &["h2"]), |request, _| async move {
        match request.uri().path() {
            path @ ("/headers" | "/more-headers") => {
                let mut answer = answered(200, "");
                for n in 0..if path == "/headers" { 70 } else { 1024 } {
                    let name: http::HeaderName = format!("x-{n}").parse().unwrap();
                    answer.headers_mut().insert(name, "a".repeat(1024).parse().unwrap());
                }
                answer
            }
            "/endless" => {
                let piece = Bytes::from(vec![b'a'; 1 << 16]);
                Response::new(Pieces(std::iter::repeat_n(piece, 16 * 1024)).boxed())
            }
            "/broken" => {
                let mut answer = Response::new(Pieces(std::iter::once(Bytes::from_static(b"part"))).boxed());
                answer.headers_mut().insert("content-length", "100".parse().unwrap());
                answer
            }
            _ => answered(204, ""),
        }
    })
    .await;
    let client = authority.client(SystemClock::default());
    let at = |path: &str| target(&format!("https://hooks.test:{}{path}", address.port()));
    for _ in 0..3 {
        let large = failure(&client, &at("/headers")).await;
        assert_eq!(large.class, ErrorClass::ResponseTooLarge, "{large:?}");
        let larger = failure(&client, &at("/more-headers")).await;
        assert_eq!(larger.class, ErrorClass::ResponseTooLarge, "{larger:?}");
        let endless = answer(&client, &at("/endless")).await;
        assert_eq!((endless.status, endless.body.len(), endless.truncated), (200, 16 * 1024, true));
        let broken = answer(&client, &at("/broken")).await;
        assert_eq!((broken.status, broken.body.as_str(), broken.truncated), (200, "part", true));
        assert_eq!(answer(&client, &at("/")).await.status, 204);
    }
    assert_eq!(sessions.load(Ordering::SeqCst), 4, "a flood of headers costs its connection");
}

/// A body of these pieces.
struct Pieces<I>(I);

impl<I: Iterator<Item = Bytes> + Unpin> hyper::body::Body for Pieces<I> {
    type Data = Bytes;
    type Error = Infallible;
    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.next().map(|piece| Ok(Frame::data(piece))))
    }
}
