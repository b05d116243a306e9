//! Subscriptions that end or stop because of what their targets answer, over loopback sockets.

use std::net::SocketAddr;
use std::time::Duration;

use resthooks::model::{SubscriptionId, SubscriptionStatus};
use resthooks::store::SubscriptionFilter;
use resthooks::{EventTypes, Options, RetryPolicy, Scope, SubscriptionChange, SubscriptionView};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::app::{App, account, code, eventually, own, page, subscribe, to};

/// A target that answers every request with this status.
async fn target(status: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut buffer = [0; 4096];
                let _ = stream.read(&mut buffer).await;
                let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
                let _ = stream.write_all(answer.as_bytes()).await;
            });
        }
    });
    address
}

fn loopback(options: &mut Options) {
    options.event_types = EventTypes::Auto;
    options.targets.allow_http = true;
    options.targets.allow_private = true;
}

async fn in_status(app: &App, status: SubscriptionStatus) -> Vec<SubscriptionView> {
    let filter = SubscriptionFilter { status: Some(status), ..SubscriptionFilter::default() };
    app.hooks.subscriptions(&Scope::All, filter, page(250)).await.unwrap().items
}

async fn subscribed(app: &App, address: SocketAddr) -> SubscriptionId {
    let new = to(&format!("http://{address}/"));
    app.hooks.create_subscription(&account("acme"), new).await.unwrap().subscription.id
}

#[tokio::test]
async fn one_that_is_gone_is_listed_and_otherwise_absent() {
    let app = App::with(loopback).await;
    let id = subscribed(&app, target("410 Gone").await).await;
    app.emit("acme", "contact.create", "1").await;
    eventually("410 ends it", async || !in_status(&app, SubscriptionStatus::Gone).await.is_empty()).await;

    let app = app.restart().await;
    let gone = in_status(&app, SubscriptionStatus::Gone).await;
    assert_eq!((gone.len(), gone[0].subscription.id), (1, id));
    assert!(gone[0].subscription.status_reason.as_ref().unwrap().contains("410"));
    let list = app.hooks.subscriptions(&own("acme"), SubscriptionFilter::default(), page(9)).await.unwrap();
    assert!(list.items.is_empty());
    assert_eq!(code(app.hooks.subscription(&own("acme"), id).await), "not_found");
    assert_eq!(code(app.hooks.replace_subscription(&own("acme"), id, subscribe(), None).await), "not_found");
    assert_eq!(code(app.hooks.rotate_secret(&own("acme"), id, Duration::ZERO).await), "not_found");
    app.hooks.delete_subscription(&own("acme"), id).await.unwrap();
    assert_eq!(code(app.hooks.delete_subscription(&own("other"), id).await), "not_found");
    assert_eq!(app.emit("acme", "contact.create", "1").await.matched, 0);
}

#[tokio::test]
async fn one_that_keeps_failing_is_disabled_until_its_owner_resumes_it() {
    let app = App::with(|options| {
        loopback(options);
        options.disable_after = Duration::from_secs(60);
        options.retry = RetryPolicy { schedule: vec![Duration::from_secs(3600); 5], jitter: 0.0 };
    })
    .await;
    let id = subscribed(&app, target("500 Oh").await).await;
    app.emit("acme", "contact.create", "1").await;
    let view = async || app.hooks.subscription(&own("acme"), id).await.unwrap();
    eventually("it fails", async || view().await.health.failing_since.is_some()).await;
    app.clock.advance(Duration::from_secs(61));
    app.emit("acme", "contact.create", "2").await;
    eventually("it is disabled", async || view().await.subscription.status == SubscriptionStatus::Disabled)
        .await;
    assert!(view().await.subscription.status_reason.is_some());

    let change = SubscriptionChange { active: Some(true), ..SubscriptionChange::default() };
    let resumed = app.hooks.change_subscription(&own("acme"), id, change, None).await.unwrap();
    assert_eq!(resumed.subscription.status, SubscriptionStatus::Active);
    assert_eq!((resumed.subscription.status_reason, resumed.health.failing_since), (None, None));
    // Its record begins anew: one more failure does not disable it again.
    app.emit("acme", "contact.create", "3").await;
    eventually("it fails again", async || view().await.health.failing_since.is_some()).await;
    assert_eq!(view().await.subscription.status, SubscriptionStatus::Active);
}
