//! API keys.

use resthooks::model::KeyRole;
use resthooks::store::Page;

use crate::app::{App, account, code, fields, page};

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
    assert_eq!(app.hooks.authenticate(&provider.key), Some(KeyRole::Provider));
    assert_eq!(app.hooks.authenticate(&consumer.key), Some(KeyRole::Consumer(account("acme"))));
    for wrong in ["", "rhk_", &provider.key[1..], &format!("{} ", provider.key)] {
        assert_eq!(app.hooks.authenticate(wrong), None);
    }
    app.hooks.delete_key(consumer.stored.id).await.unwrap();
    assert_eq!(app.hooks.authenticate(&consumer.key), None);
    assert_eq!(code(app.hooks.delete_key(consumer.stored.id).await), "not_found");
    let app = app.restart().await;
    assert_eq!(app.hooks.authenticate(&consumer.key), None);
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
    assert_eq!(app.hooks.authenticate("dev"), Some(KeyRole::Provider));
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
    assert_eq!(app.hooks.authenticate(&made.key), Some(KeyRole::Provider));
    assert!(app.hooks.create_first_provider_key("second").await.unwrap().is_none());
    let app = app.restart().await;
    assert!(app.hooks.create_first_provider_key("third").await.unwrap().is_none());
    app.hooks.delete_key(made.stored.id).await.unwrap();
    let again = app.hooks.create_first_provider_key("fourth").await.unwrap().unwrap();
    assert_eq!(app.hooks.authenticate(&made.key), None);
    assert_eq!(app.hooks.authenticate(&again.key), Some(KeyRole::Provider));
}
