//! How seldom the provider is asked: an answer is kept for a while, many wait for one, and few are on their way.

use std::sync::Arc;
use std::time::Duration;

use http::Method;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::authority::{Authority, Says, Setup, account, by_header, status};

/// Lets whoever can go on do so.
async fn settle() {
    for _ in 0..2000 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_yes_is_kept_for_a_while() {
    let authority = Authority::start(account("acme")).await;
    let setup = Setup::at(&authority.url).await;
    for (wait, asked) in [(0.0, 1), (0.0, 1), (9.9, 1), (0.1, 2), (9.9, 2), (0.2, 3)] {
        setup.wait(wait);
        setup.ask("theirs").await.expect(200);
        assert_eq!(authority.count(), asked);
    }
    // Of this caller with this request, and no other.
    setup.ask("others").await.expect(200);
    setup.caller("theirs").get("/api/v1/event/?limit=3").await.expect(200);
    setup.caller("theirs").call(Method::DELETE, "/api/v1/event/", None).await.expect(405);
    let before = authority.count();
    setup.caller("theirs").call(Method::GET, "/api/v1/subscription/", None).await.expect(200);
    assert_eq!((before, authority.count()), (5, 6));
    // Withdrawn: good for at most as long.
    authority.say(status(401));
    setup.ask("theirs").await.expect(200);
    setup.wait(10.0);
    setup.ask("theirs").await.expect(401);
}

#[tokio::test]
async fn a_no_is_kept_for_less() {
    let authority = Authority::start(status(403)).await;
    let setup = Setup::at(&authority.url).await;
    for (wait, asked) in [(0.0, 1), (0.9, 1), (0.1, 2)] {
        setup.wait(wait);
        setup.ask("theirs").await.expect(401);
        assert_eq!(authority.count(), asked);
    }
    authority.say(account("acme"));
    setup.wait(1.0);
    setup.ask("theirs").await.expect(200);
}

#[tokio::test]
async fn without_a_cache_each_request_asks() {
    let authority = Authority::start(account("acme")).await;
    let setup = Setup::with(&authority.url, by_header(), |options| options.cache = Duration::ZERO).await;
    for asked in 1..5 {
        setup.ask("theirs").await.expect(200);
        assert_eq!(authority.count(), asked);
    }
    authority.say(status(401));
    setup.ask("theirs").await.expect(401);
}

/// Many callers with the same at once, one question; and whoever asked first may go away.
#[tokio::test]
async fn many_wait_for_one_answer() {
    let permits = Arc::new(Semaphore::new(0));
    let authority = Authority::start(Says::Later(Arc::clone(&permits))).await;
    let setup = Setup::with(&authority.url, by_header(), |options| options.cache = Duration::ZERO).await;
    let first = setup.caller("theirs");
    let first = tokio::spawn(async move { first.get("/api/v1/event/").await });
    while authority.count() == 0 {
        tokio::task::yield_now().await;
    }
    let mut waiting = JoinSet::new();
    for _ in 0..50 {
        let caller = setup.caller("theirs");
        waiting.spawn(async move { caller.get("/api/v1/event/").await.status.as_u16() });
    }
    settle().await;
    first.abort();
    settle().await;
    permits.add_permits(1);
    while let Some(status) = waiting.join_next().await {
        assert_eq!(status.unwrap(), 200);
    }
    assert_eq!(authority.count(), 1);
    // It is over: the next one asks anew.
    permits.add_permits(1);
    setup.ask("theirs").await.expect(200);
    assert_eq!(authority.count(), 2);
}

/// Answers are the askers' own, however many ask at once.
#[tokio::test]
async fn everybody_gets_their_own_answer() {
    let authority = Authority::start(Says::Echo).await;
    let setup = Setup::at(&authority.url).await;
    let mut asking = JoinSet::new();
    for number in 0..200 {
        let caller = setup.caller(&format!("account-{}", number % 40));
        asking.spawn(async move {
            let path = format!("/api/v1/event/?account=account-{}", number % 40);
            caller.get(&path).await.expect(200);
            let path = format!("/api/v1/event/?account=account-{}", (number + 1) % 40);
            caller.get(&path).await.expect(404);
        });
    }
    while let Some(ended) = asking.join_next().await {
        ended.unwrap();
    }
    assert!(authority.count() <= 80, "{}", authority.count());
}

/// At most 64 questions are on their way; who waits longer than 5 s for a turn is told to come again.
#[tokio::test]
async fn few_questions_are_on_their_way() {
    let permits = Arc::new(Semaphore::new(0));
    let authority = Authority::start(Says::Later(Arc::clone(&permits))).await;
    let setup =
        Setup::with(&authority.url, by_header(), |options| options.patience = Duration::from_secs(3)).await;
    let mut asking = JoinSet::new();
    for number in 0..80 {
        let caller = setup.caller(&number.to_string());
        asking.spawn(async move { caller.get("/api/v1/event/").await.status.as_u16() });
    }
    while authority.count() < 64 {
        tokio::task::yield_now().await;
    }
    settle().await;
    assert_eq!(authority.count(), 64);
    setup.wait(3.0);
    for _ in 0..16 {
        assert_eq!(asking.join_next().await.unwrap().unwrap(), 503);
    }
    permits.add_permits(64);
    while let Some(status) = asking.join_next().await {
        assert_eq!(status.unwrap(), 200);
    }
    assert_eq!(authority.count(), 64);
}

/// An address may show what nobody knows as often as it likes: half of the turns, and of the places in the line, are left
/// to others.
#[tokio::test]
async fn one_address_locks_nobody_out() {
    let permits = Arc::new(Semaphore::new(0));
    let authority = Authority::start(Says::Later(Arc::clone(&permits))).await;
    let setup = Setup::at(&authority.url).await;
    let mut flood = JoinSet::new();
    for number in 0..2000 {
        let caller = setup.caller(&format!("guess-{number}")).from("192.0.2.1");
        flood.spawn(async move { caller.get("/api/v1/event/").await.status.as_u16() });
    }
    while authority.count() < 32 {
        tokio::task::yield_now().await;
    }
    settle().await;
    let during = authority.count();
    authority.say(account("acme"));
    setup.caller("theirs").from("192.0.2.2").get("/api/v1/event/").await.expect(200);
    // And who is at the same address is told to come again, and waits for nothing.
    setup.caller("other").from("192.0.2.1").get("/api/v1/event/").await.expect(503);
    assert_eq!(during, 32);
    // What waits behind those that hang goes on with them.
    permits.add_permits(32);
    let mut statuses = Vec::new();
    while let Some(status) = flood.join_next().await {
        statuses.push(status.unwrap());
    }
    let of = |wanted: u16| statuses.iter().filter(|status| **status == wanted).count();
    assert_eq!((of(200), of(503)), (512, 1488));
    setup.caller("other").from("192.0.2.1").get("/api/v1/event/").await.expect(200);
}
