//! What accounts hold, and deleting it.

use resthooks::model::KeyRole;
use resthooks::store::{Control as _, EventFilter, Page, SubscriptionFilter};
use resthooks::{NewEvent, Scope};

use crate::app::{App, account, code, event, eventually, page, subscribe};

async fn fill(app: &App, id: &str, events: usize) -> String {
    app.hooks.create_subscription(&account(id), subscribe()).await.unwrap();
    let new = |n: usize| NewEvent::new(account(id), event("contact.create"), n.to_string().into());
    for batch in (0..events).collect::<Vec<_>>().chunks(1000) {
        app.hooks.emit_batch(batch.iter().copied().map(new).collect()).await.unwrap();
    }
    app.hooks.create_key(KeyRole::Consumer(account(id)), None).await.unwrap().key
}

async fn event_count(app: &App, id: &str) -> usize {
    let filter = EventFilter { account: Some(account(id)), ..EventFilter::default() };
    app.hooks.events(filter, page(250)).await.unwrap().items.len()
}

#[tokio::test]
async fn an_account_is_what_it_holds() {
    let app = App::start().await;
    assert_eq!(code(app.hooks.account(&account("acme")).await), "not_found");
    for id in ["c", "a", "b"] {
        fill(&app, id, 2).await;
    }
    let summary = app.hooks.account(&account("a")).await.unwrap();
    assert_eq!((summary.subscriptions, summary.events, summary.api_keys), (1, 2, 1));
    let first = app.hooks.accounts(page(2)).await.unwrap();
    assert_eq!(first.items.iter().map(|a| a.id.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    let rest = app.hooks.accounts(Page { after: first.next, limit: 2 }).await.unwrap();
    assert_eq!((rest.items.len(), rest.items[0].id.as_str(), rest.next), (1, "c", None));
}

#[tokio::test]
async fn deleting_one_leaves_nothing_of_it_and_all_of_the_others() {
    let app = App::start().await;
    let key = fill(&app, "acme", 1200).await;
    let other = fill(&app, "other", 3).await;
    app.hooks.delete_account(&account("acme")).await.unwrap();
    assert_eq!(app.admits(&key), None);
    assert_eq!(event_count(&app, "acme").await, 0);
    assert_eq!(code(app.hooks.account(&account("acme")).await), "not_found");
    assert_eq!(code(app.hooks.delete_account(&account("acme")).await), "not_found");

    let app = app.restart().await;
    assert_eq!(code(app.hooks.account(&account("acme")).await), "not_found");
    assert_eq!(app.admits(&key), None);
    assert_eq!(app.admits(&other), Some(KeyRole::Consumer(account("other"))));
    assert_eq!(event_count(&app, "other").await, 3);
    let list = app.hooks.subscriptions(&Scope::All, SubscriptionFilter::default(), page(9)).await.unwrap();
    assert_eq!((list.items.len(), app.hooks.stats().subscriptions), (1, 1));
    assert_eq!(app.emit("acme", "contact.create", "1").await.matched, 0);
    assert_eq!(app.emit("other", "contact.create", "1").await.matched, 1);
}

#[tokio::test]
async fn a_deletion_that_was_broken_off_is_taken_up_at_the_next_start() {
    let app = App::start().await;
    fill(&app, "acme", 1200).await;
    app.store.begin_delete_account(&account("acme"), app.now(), None).await.unwrap().unwrap();
    let app = app.restart().await;
    eventually("its events go", async || event_count(&app, "acme").await == 0).await;
    eventually("it is done", async || app.store.snapshot().await.unwrap().deletions.is_empty()).await;
    assert_eq!(code(app.hooks.account(&account("acme")).await), "not_found");
}
