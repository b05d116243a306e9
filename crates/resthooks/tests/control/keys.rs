//! API keys.

use std::time::Duration;

use resthooks::model::{Access, KeyRole};
use resthooks::store::{Control as _, Page};
use resthooks::{KeyInput, KeyRefused};

use crate::app::{App, account, code, eventually, fields, page};

#[tokio::test]
async fn a_key_admits_until_it_is_deleted() {
    let app = App::start().await;
    assert!(!app.hooks.has_provider_key());
    let provider = app.hooks.create_key(KeyRole::Provider, Some("ops".to_owned())).await.unwrap();
    let consumer = app.hooks.create_key(KeyRole::Consumer(account("acme")), None).await.unwrap();
    assert!(provider.key.starts_with("rhk_") && provider.key.len() == 47 && provider.key != consumer.key);
    assert!(!format!("{provider:?}").contains(&provider.key));

    let app = app.restart().await;
    assert!(app.hooks.has_provider_key());
    assert_eq!(app.admits(&provider.key), Some(KeyRole::Provider));
    assert_eq!(app.admits(&consumer.key), Some(KeyRole::Consumer(account("acme"))));
    for wrong in ["", "rhk_", &provider.key[1..], &format!("{} ", provider.key)] {
        assert_eq!(app.admits(wrong), None);
    }
    app.hooks.delete_key(consumer.stored.id).await.unwrap();
    assert_eq!(app.admits(&consumer.key), None);
    assert_eq!(code(app.hooks.delete_key(consumer.stored.id).await), "not_found");
    let app = app.restart().await;
    assert_eq!(app.admits(&consumer.key), None);
}

#[tokio::test]
async fn listed_newest_first_in_pages() {
    let app = App::start().await;
    for n in 0..5 {
        app.tick();
        let role = if n % 2 == 0 { KeyRole::Consumer(account("acme")) } else { KeyRole::Provider };
        app.hooks.create_key(role, Some(n.to_string())).await.unwrap();
    }
    let names = |account: Option<&str>, after, limit| {
        let account = account.map(crate::app::account);
        let list = app.hooks.keys(account.as_ref(), Page { after, limit });
        (list.items.into_iter().filter_map(|key| key.name).collect::<Vec<_>>(), list.next)
    };
    let (first, next) = names(None, None, 3);
    assert_eq!((first, next.is_some()), (vec!["4".to_owned(), "3".to_owned(), "2".to_owned()], true));
    assert_eq!(names(None, next, 3), (vec!["1".to_owned(), "0".to_owned()], None));
    assert_eq!(names(Some("acme"), None, 9).0, ["4", "2", "0"]);
    assert!(names(Some("other"), None, 9).0.is_empty());
}

#[tokio::test]
async fn an_operators_key_is_made_sure_of_once() {
    let app = App::start().await;
    app.hooks.ensure_provider_key("dev").await.unwrap();
    let app = app.restart().await;
    app.hooks.ensure_provider_key("dev").await.unwrap();
    assert_eq!(app.admits("dev"), Some(KeyRole::Provider));
    assert_eq!(app.hooks.keys(None, page(9)).items.len(), 1);
    assert_eq!(fields(app.hooks.ensure_provider_key("").await), ["admin_key"]);
    let consumer = app.hooks.create_key(KeyRole::Consumer(account("acme")), None).await.unwrap();
    assert_eq!(code(app.hooks.ensure_provider_key(&consumer.key).await), "already_exists");
}

#[tokio::test]
async fn names_are_bounded() {
    let app = App::start().await;
    assert!(app.hooks.create_key(KeyRole::Provider, Some("x".repeat(128))).await.is_ok());
    assert_eq!(fields(app.hooks.create_key(KeyRole::Provider, Some("x".repeat(129))).await), ["name"]);
    assert_eq!(fields(app.hooks.create_key(KeyRole::Provider, Some("a\0".to_owned())).await), ["name"]);
}

/// Once, however often it is asked for; again only when there is none any more.
#[tokio::test]
async fn a_first_start_makes_one_key() {
    let app = App::start().await;
    let made = app.hooks.create_first_provider_key("first").await.unwrap().unwrap();
    assert_eq!(app.admits(&made.key), Some(KeyRole::Provider));
    assert!(app.hooks.create_first_provider_key("second").await.unwrap().is_none());
    let app = app.restart().await;
    assert!(app.hooks.create_first_provider_key("third").await.unwrap().is_none());
    app.hooks.delete_key(made.stored.id).await.unwrap();
    let again = app.hooks.create_first_provider_key("fourth").await.unwrap().unwrap();
    assert_eq!(app.admits(&made.key), None);
    assert_eq!(app.admits(&again.key), Some(KeyRole::Provider));
}

#[tokio::test]
async fn a_key_ends_by_itself() {
    let app = App::start().await;
    let end = app.now().plus(Duration::from_secs(60));
    let input = KeyInput { expires_at: Some(end), ..KeyInput::new(KeyRole::Provider) };
    let made = app.hooks.make_key(input.clone()).await.unwrap();
    assert_eq!(app.admits(&made.key), Some(KeyRole::Provider));
    let app = app.restart().await;
    assert_eq!(app.hooks.keys(None, page(9)).items[0].expires_at, Some(end));
    app.clock.advance(Duration::from_secs(60));
    assert_eq!(app.hooks.authenticate(&made.key), Err(KeyRefused::Expired));
    assert!(!app.hooks.has_provider_key());
    assert_eq!(fields(app.hooks.make_key(input).await), ["expires_at"]);
}

#[tokio::test]
async fn a_limited_key_is_no_admin_key() {
    let app = App::start().await;
    let access = Access::Limited { emit: false, read: true };
    let made = app.hooks.make_key(KeyInput { access, ..KeyInput::new(KeyRole::Provider) }).await.unwrap();
    assert_eq!(app.hooks.authenticate(&made.key).unwrap().access, access);
    assert!(!app.hooks.has_provider_key());
    assert_eq!(code(app.hooks.ensure_provider_key(&made.key).await), "already_exists");
    let app = app.restart().await;
    assert_eq!(app.hooks.authenticate(&made.key).unwrap().access, access);
    assert!(app.hooks.create_first_provider_key("first").await.unwrap().is_some());
}

/// Shown at once, in the store after a minute at most, and not lost at a stop.
#[tokio::test]
async fn the_last_use_of_a_key_is_kept() {
    let app = App::start().await;
    let made = app.hooks.create_key(KeyRole::Provider, None).await.unwrap();
    let shown = |app: &App| app.hooks.keys(None, page(9)).items[0].last_used_at;
    let stored = async |app: &App| app.store.snapshot().await.unwrap().keys[0].last_used_at;
    assert_eq!(shown(&app), None);
    app.tick();
    app.admits(&made.key);
    let first = app.now();
    assert_eq!((shown(&app), stored(&app).await), (Some(first), None));
    let turn = async || {
        app.clock.advance(Duration::from_secs(60));
        tokio::task::yield_now().await;
        stored(&app).await == Some(first)
    };
    eventually("the use is in the store", turn).await;
    app.admits(&made.key);
    let last = app.now();
    assert!(last > first);
    let app = app.restart().await;
    assert_eq!((shown(&app), stored(&app).await), (Some(last), Some(last)));
}
