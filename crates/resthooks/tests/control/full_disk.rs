//! What a store that takes no more means for changes: refused as unavailable, and memory stays with the store.

use resthooks::model::KeyRole;
use resthooks::store::SubscriptionFilter;
use resthooks::{Error, EventTypeInput, NewSubscription, Scope, SubscriptionChange};

use crate::app::{App, account, event, page, subscribe};

fn big() -> NewSubscription {
    let metadata = serde_json::json!({"filler": "x".repeat(8000)});
    NewSubscription { metadata: metadata.as_object().cloned(), ..subscribe() }
}

fn is_unavailable<T>(result: &Result<T, Error>) -> bool {
    matches!(result, Err(Error::Unavailable { .. }))
}

#[tokio::test]
async fn a_change_that_is_not_durable_is_not_shown() {
    let app = App::start().await.on_a_small_disk(60).await;
    let mut created = Vec::new();
    let refused = loop {
        match app.hooks.create_subscription(&account("acme"), big()).await {
            Ok(view) => created.push(view.subscription.id),
            refused => break refused,
        }
        assert!(created.len() < 100, "the disk never filled up");
    };
    assert!(is_unavailable(&refused), "{refused:?}");
    let first = created[0];
    let paused = SubscriptionChange {
        active: Some(false),
        description: Some(Some("x".repeat(1000))),
        metadata: Some(serde_json::json!({"filler": "y".repeat(8100)}).as_object().cloned()),
        ..SubscriptionChange::default()
    };
    let before = app.hooks.subscription(&Scope::All, first).await.unwrap();
    if is_unavailable(&app.hooks.change_subscription(&Scope::All, first, paused, None).await) {
        assert_eq!(app.hooks.subscription(&Scope::All, first).await.unwrap(), before);
    }
    let mut types = 0;
    let input = EventTypeInput { sample: Some("x".repeat(9000).into()), ..EventTypeInput::default() };
    while let Ok(event_type) = app.hooks.create_event_type(event(&format!("a.b{types}")), input.clone()).await
    {
        types += 1;
        assert_eq!(app.hooks.event_type(&event_type.name).unwrap(), event_type);
    }
    let mut keys = Vec::new();
    let last = loop {
        match app.hooks.create_key(KeyRole::Provider, Some("x".repeat(128))).await {
            Ok(key) => keys.push(key.key),
            refused => break refused,
        }
        assert!(keys.len() < 250, "the disk never filled up");
    };
    assert!(is_unavailable(&last), "{last:?}");
    let shown = app.hooks.stats().subscriptions;
    assert_eq!((shown, app.hooks.event_types(page(250)).items.len()), (created.len() as u64, types));

    // With room again, all that was answered with success is there and no more.
    let app = app.restart().await;
    let list = app.hooks.subscriptions(&Scope::All, SubscriptionFilter::default(), page(250)).await.unwrap();
    assert_eq!(list.items.len(), created.len());
    assert_eq!(
        (app.hooks.stats().subscriptions, app.hooks.event_types(page(250)).items.len()),
        (shown, types)
    );
    assert!(keys.iter().all(|key| app.admits(key) == Some(KeyRole::Provider)));
    assert_eq!(app.hooks.keys(None, page(250)).items.len(), keys.len());
    assert!(app.hooks.create_subscription(&account("acme"), big()).await.is_ok());
}
