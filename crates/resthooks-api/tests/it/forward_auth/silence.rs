//! What is neither yes nor no: nobody is admitted, nobody refused, and the next question may be answered.

use std::time::Duration;

use axum::body::Body;
use resthooks_api::credentials::Reading;

use super::authority::{Authority, Says, Setup, account, in_field, raw, status};
use crate::harness::{ADMIN, Answer};

fn with(headers: &[(&'static str, &str)]) -> Says {
    let headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    Says::Plain(200, headers, String::new())
}

/// It can't be told who this is.
#[track_caller]
fn untold(answer: Answer, token: &str) {
    let answer = answer.expect(503);
    assert_eq!(answer.code(), "authentication_unavailable");
    assert_eq!(answer.header("retry-after"), Some("5"));
    assert!(!answer.text().contains(token) && !answer.text().contains("127.0.0.1"), "{}", answer.text());
}

#[tokio::test]
async fn answers_that_are_none_admit_nobody() {
    let elsewhere = Authority::start(account("victim")).await;
    let redirect = |status| {
        Says::Plain(
            status,
            vec![("location", elsewhere.url.clone()), ("x-account", "acme".to_owned())],
            String::new(),
        )
    };
    let long = "x".repeat(129);
    let huge = "x".repeat(300 * 1024);
    let authority = Authority::start(account("acme")).await;
    let setup = Setup::at(&authority.url).await;
    for (number, says) in [
        status(500),
        status(502),
        status(503),
        status(404),
        status(400),
        status(407),
        status(429),
        status(304),
        redirect(301),
        redirect(302),
        redirect(307),
        redirect(308),
        with(&[]),
        with(&[("x-account", "")]),
        with(&[("x-account", " ")]),
        with(&[("x-account", "two words")]),
        with(&[("x-account", "a,b")]),
        with(&[("x-account", "é")]),
        with(&[("x-account", &long)]),
        with(&[("x-account", &huge)]),
        with(&[("x-account", "acme"), ("x-account", "acme")]),
        with(&[("x-account", "acme"), ("x-account", "victim")]),
        with(&[("x-account", "acme"), ("x-role", "provider"), ("x-role", "user")]),
        with(&[("x-role", "Provider")]),
        with(&[("x-accounts", "acme")]),
    ]
    .into_iter()
    .enumerate()
    {
        let token = format!("token-{number}");
        authority.say(says);
        let before = authority.count();
        untold(setup.ask(&token).await, &token);
        assert_eq!(authority.count(), before + 1, "asked once, {number}");
        // Others are not hindered, and nothing of it is kept.
        setup.ask(ADMIN).await.expect(200);
        authority.say(account("acme"));
        setup.ask(&token).await.expect(200);
    }
    assert_eq!(elsewhere.count(), 0, "a redirect is not followed");
}

#[tokio::test]
async fn bodies_that_are_none_admit_nobody() {
    let authority = Authority::start(status(200)).await;
    let reading =
        Reading { account: in_field("account"), provider: Some((in_field("role"), "staff".to_owned())) };
    let setup = Setup::with(&authority.url, reading, |_| {}).await;
    let huge = format!(r#"{{"account":"acme","filler":"{}"}}"#, "x".repeat(256 * 1024));
    let deep = format!(r#"{{"account":"acme","x":{}{}}}"#, "[".repeat(10_000), "]".repeat(10_000));
    for (number, body) in [
        "",
        "acme",
        "<html>",
        "null",
        "[]",
        r#""acme""#,
        "{}",
        r#"{"account":null}"#,
        r#"{"account":""}"#,
        r#"{"account":["acme"]}"#,
        r#"{"account":{"id":"acme"}}"#,
        r#"{"account":1.5}"#,
        r#"{"account":"acme","account":"victim"}"#,
        r#"{"account":"acme"} {}"#,
        r#"{"account":"acme""#,
        r#"{"account":"a b"}"#,
        r#"{"account":"acme","role":["staff"]}"#,
        &huge,
        &deep,
    ]
    .into_iter()
    .enumerate()
    {
        let token = format!("token-{number}");
        authority.say(Says::Plain(200, Vec::new(), body.to_owned()));
        untold(setup.ask(&token).await, &token);
    }
    authority.say(Says::Plain(200, Vec::new(), r#"{"account":"acme"}"#.to_owned()));
    setup.ask("good").await.expect(200);
}

#[tokio::test]
async fn what_is_no_http_admits_nobody() {
    let head = "HTTP/1.1 200 OK\r\nx-account: acme\r\n";
    let endless = format!("{head}x: {}", "x".repeat(200 * 1024));
    for (bytes, reads_body) in [
        ("", false),
        ("\r\n\r\n", false),
        ("SSH-2.0-OpenSSH\r\n", false),
        ("HTTP/1.1 200 OK\r\nx-account: acme", false),
        ("HTTP/1.1 200 OK\r\nx-account: acme\r\nx-account : b\r\n\r\n", false),
        (&endless, false),
        ("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"account\":\"acme\"}", true),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n12\r\n{\"account\":\"acme\"}", true),
    ] {
        let url = raw(bytes.as_bytes().to_vec(), true).await;
        let setup = if reads_body {
            Setup::with(&url, Reading { account: in_field("account"), provider: None }, |_| {}).await
        } else {
            Setup::at(&url).await
        };
        untold(setup.ask("theirs").await, "theirs");
    }
}

#[tokio::test]
async fn where_nobody_is_nobody_is_admitted() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    let setup = Setup::at(&url).await;
    untold(setup.ask("theirs").await, "theirs");
    setup.ask(ADMIN).await.expect(200);
}

/// One who takes the question and never answers, or never ends what it says.
#[tokio::test]
async fn who_is_slow_admits_nobody() {
    let reading = || Reading { account: in_field("account"), provider: None };
    for bytes in [&b""[..], b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{"] {
        let url = raw(bytes.to_vec(), false).await;
        let setup = Setup::with(&url, reading(), |_| {}).await;
        let caller = setup.caller("theirs");
        let asking = tokio::spawn(async move { caller.get("/api/v1/event/").await });
        let mut waited = Duration::ZERO;
        while !asking.is_finished() {
            setup.wait(0.1);
            waited += Duration::from_millis(100);
            // The rest of the machine goes on: what is measured is the tests' own clock.
            for _ in 0..20 {
                tokio::task::yield_now().await;
            }
        }
        assert!(waited >= Duration::from_secs(5), "{waited:?}");
        untold(asking.await.unwrap(), "theirs");
    }
}

/// A request whose body is on its way is refused without it.
#[tokio::test]
async fn a_body_is_not_waited_for() {
    let authority = Authority::start(status(500)).await;
    let setup = Setup::at(&authority.url).await;
    let never = Body::from_stream(Never);
    let caller = setup.caller("theirs");
    let answer = caller.send(http::Method::POST, "/api/v1/event/", Some("application/json"), never).await;
    untold(answer, "theirs");
}

/// A body that never comes.
struct Never;

impl futures_core::Stream for Never {
    type Item = Result<axum::body::Bytes, std::io::Error>;

    fn poll_next(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        std::task::Poll::Pending
    }
}
