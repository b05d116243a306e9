//! Creating, reading, changing and deleting.

use std::time::Duration;

use resthooks::model::{Secret, SubscriptionStatus, TargetUrl, Terms, TermsChange};
use resthooks::store::{Page, SubscriptionFilter};
use resthooks::{NewSubscription, Scope, SubscriptionChange, SubscriptionView};

use crate::app::{App, account, code, event, fields, own, page, pattern, subscribe, to};

fn capped(max_in_flight: u32) -> Terms {
    Terms { max_in_flight: Some(max_in_flight), ..Terms::default() }
}

fn secret(n: u8) -> Secret {
    Secret::from_key([n; Secret::GENERATED_LEN])
}

async fn all(app: &App, scope: &Scope, filter: SubscriptionFilter) -> Vec<SubscriptionView> {
    app.hooks.subscriptions(scope, filter, page(250)).await.unwrap().items
}

#[tokio::test]
async fn what_was_created_is_read_back_also_after_a_restart() {
    let app = App::start().await;
    let new = NewSubscription {
        events: vec![pattern("contact.*"), pattern("deal.create")],
        description: Some("for the CRM".to_owned()),
        metadata: serde_json::json!({"plan": [1, 2.5]}).as_object().cloned(),
        headers: [("X-Team".to_owned(), "a".to_owned())].into(),
        terms: capped(3),
        ..subscribe()
    };
    let created = app.hooks.create_subscription(&account("acme"), new).await.unwrap();
    let subscription = &created.subscription;
    assert_eq!(subscription.status, SubscriptionStatus::Active);
    assert_eq!((subscription.created_at, subscription.updated_at), (app.now(), app.now()));
    assert!(subscription.secret.expose().starts_with("whsec_"));
    assert_eq!(subscription.headers.keys().collect::<Vec<_>>(), ["x-team"]);
    assert_eq!((created.pending, created.health), (0, resthooks::model::Health::default()));

    let app = app.restart().await;
    let id = created.subscription.id;
    for scope in [own("acme"), Scope::All] {
        assert_eq!(app.hooks.subscription(&scope, id).await.unwrap(), created);
        assert_eq!(app.hooks.subscription_secret(&scope, id).await.unwrap(), created.subscription.secret);
    }
    assert_eq!(app.emit("acme", "contact.address.move", "1").await.matched, 1);
    assert_eq!(app.emit("acme", "deal.update", "1").await.matched, 0);
}

#[tokio::test]
async fn nothing_is_merged() {
    let app = App::start().await;
    for _ in 0..3 {
        app.hooks.create_subscription(&account("acme"), subscribe()).await.unwrap();
    }
    let views = all(&app, &own("acme"), SubscriptionFilter::default()).await;
    assert_eq!(views.len(), 3);
    assert_ne!(views[0].subscription.secret, views[1].subscription.secret);
    assert_eq!(app.emit("acme", "contact.create", "1").await.matched, 3);
}

#[tokio::test]
async fn lists_are_paged_newest_first_and_scoped() {
    let app = App::start().await;
    for n in 0..5 {
        app.tick();
        let owner = if n == 2 { "other" } else { "acme" };
        app.hooks
            .create_subscription(&account(owner), to(&format!("https://example.com/{n}")))
            .await
            .unwrap();
    }
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let asked = Page { after, limit: 3 };
        // Another account in the filter shows nothing of it.
        let filter = SubscriptionFilter { account: Some(account("other")), ..SubscriptionFilter::default() };
        let list = app.hooks.subscriptions(&own("acme"), filter, asked).await.unwrap();
        seen.extend(list.items.iter().map(|view| view.subscription.target_url.url().path().to_owned()));
        after = list.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen, ["/4", "/3", "/1", "/0"]);
    assert_eq!(all(&app, &Scope::All, SubscriptionFilter::default()).await.len(), 5);
    let list = app.hooks.subscriptions(&Scope::All, SubscriptionFilter::default(), page(0)).await.unwrap();
    assert_eq!(list.items.len(), 1);
}

#[tokio::test]
async fn every_wrong_field_is_refused_at_once_and_nothing_is_stored() {
    let app = App::with(|_| ()).await;
    app.register("contact.create").await;
    let bad = NewSubscription {
        events: vec![pattern("contact.create"), pattern("contact.delete"), pattern("contact.*")],
        headers: [("content-type".to_owned(), "text/plain".to_owned())].into(),
        terms: capped(257),
        ..to("http://127.0.0.1/")
    };
    let refused = app.hooks.create_subscription(&account("acme"), bad).await;
    assert_eq!(fields(refused), ["target_url", "events[1]", "headers.content-type", "max_in_flight"]);
    assert!(all(&app, &Scope::All, SubscriptionFilter::default()).await.is_empty());
    assert_eq!(app.hooks.stats().subscriptions, 0);
}

#[tokio::test]
async fn replacing_keeps_what_is_not_written() {
    let app = App::start().await;
    let created = app.hooks.create_subscription(&account("acme"), subscribe()).await.unwrap().subscription;
    app.tick();
    let new = NewSubscription { events: vec![pattern("deal.*")], ..to("https://example.com/new") };
    let view = app.hooks.replace_subscription(&own("acme"), created.id, new.clone(), None).await.unwrap();
    let replaced = view.subscription;
    assert_eq!((replaced.id, replaced.account.clone()), (created.id, created.account));
    assert_eq!((replaced.created_at, replaced.updated_at), (created.created_at, app.now()));
    assert_eq!(replaced.secret, created.secret);
    assert_eq!(replaced.target_url.as_str(), "https://example.com/new");
    assert_eq!(app.emit("acme", "contact.create", "1").await.matched, 0);
    assert_eq!(app.emit("acme", "deal.create", "1").await.matched, 1);
    let with_secret = NewSubscription { secret: Some(secret(9)), ..new };
    let view = app.hooks.replace_subscription(&own("acme"), created.id, with_secret, None).await.unwrap();
    assert_eq!(view.subscription.secret, secret(9));
}

#[tokio::test]
async fn a_change_touches_what_it_names_and_an_empty_one_nothing() {
    let app = App::start().await;
    let new = NewSubscription { description: Some("old".to_owned()), terms: capped(2), ..subscribe() };
    let created = app.hooks.create_subscription(&account("acme"), new).await.unwrap().subscription;
    app.tick();
    let same = app
        .hooks
        .change_subscription(&own("acme"), created.id, SubscriptionChange::default(), None)
        .await
        .unwrap();
    assert_eq!(same.subscription, created);
    let change = SubscriptionChange { description: Some(None), ..SubscriptionChange::default() };
    let changed =
        app.hooks.change_subscription(&own("acme"), created.id, change, None).await.unwrap().subscription;
    assert_eq!((changed.description, changed.terms.max_in_flight), (None, Some(2)));
    assert_eq!(changed.updated_at, app.now());
    let bad = SubscriptionChange {
        events: Some(Vec::new()),
        terms: TermsChange { max_in_flight: Some(Some(0)), ..TermsChange::default() },
        ..Default::default()
    };
    let refused = app.hooks.change_subscription(&own("acme"), created.id, bad, None).await;
    assert_eq!(fields(refused), ["events", "max_in_flight"]);
}

#[tokio::test]
async fn pausing_holds_and_resuming_sends() {
    let app = App::start().await;
    let id = app.hooks.create_subscription(&account("acme"), subscribe()).await.unwrap().subscription.id;
    let active = |active| SubscriptionChange { active: Some(active), ..SubscriptionChange::default() };
    let paused = app.hooks.change_subscription(&own("acme"), id, active(false), None).await.unwrap();
    assert_eq!(paused.subscription.status, SubscriptionStatus::Paused);
    assert_eq!(app.emit("acme", "contact.create", "1").await.matched, 1);
    let app = app.restart().await;
    assert_eq!(app.hooks.subscription(&own("acme"), id).await.unwrap().pending, 1);
    let resumed = app.hooks.change_subscription(&own("acme"), id, active(true), None).await.unwrap();
    assert_eq!(resumed.subscription.status, SubscriptionStatus::Active);
}

#[tokio::test]
async fn another_accounts_reads_as_absent() {
    let app = App::start().await;
    let id = app.hooks.create_subscription(&account("acme"), subscribe()).await.unwrap().subscription.id;
    let scope = own("other");
    assert_eq!(code(app.hooks.subscription(&scope, id).await), "not_found");
    assert_eq!(code(app.hooks.subscription_secret(&scope, id).await), "not_found");
    assert_eq!(code(app.hooks.replace_subscription(&scope, id, subscribe(), None).await), "not_found");
    // Absent before invalid: errors tell nothing of it.
    let bad = NewSubscription { terms: capped(0), ..subscribe() };
    assert_eq!(code(app.hooks.replace_subscription(&scope, id, bad, None).await), "not_found");
    let change = SubscriptionChange { active: Some(false), ..SubscriptionChange::default() };
    assert_eq!(code(app.hooks.change_subscription(&scope, id, change, None).await), "not_found");
    assert_eq!(code(app.hooks.rotate_secret(&scope, id, Duration::ZERO).await), "not_found");
    assert_eq!(code(app.hooks.delete_subscription(&scope, id).await), "not_found");
    let target: TargetUrl = "https://hooks.example.com/in".parse().unwrap();
    let ended = app.hooks.delete_subscriptions_by_target(&account("other"), &target, None).await.unwrap();
    assert_eq!(ended, 0);
    assert!(app.hooks.subscription(&own("acme"), id).await.is_ok());
}

#[tokio::test]
async fn deleting_is_repeatable_for_its_owner_alone() {
    let app = App::start().await;
    let id = app.hooks.create_subscription(&account("acme"), subscribe()).await.unwrap().subscription.id;
    app.hooks.delete_subscription(&own("acme"), id).await.unwrap();
    let app = app.restart().await;
    for scope in [own("acme"), Scope::All] {
        app.hooks.delete_subscription(&scope, id).await.unwrap();
        assert_eq!(code(app.hooks.subscription(&scope, id).await), "not_found");
        assert_eq!(code(app.hooks.replace_subscription(&scope, id, subscribe(), None).await), "not_found");
    }
    assert_eq!(code(app.hooks.delete_subscription(&own("other"), id).await), "not_found");
    let never = "sub_01h00000000000000000000000".parse().unwrap();
    assert_eq!(code(app.hooks.delete_subscription(&Scope::All, never).await), "not_found");
    assert_eq!(app.emit("acme", "contact.create", "1").await.matched, 0);
    assert!(all(&app, &Scope::All, SubscriptionFilter::default()).await.is_empty());
}

#[tokio::test]
async fn deleting_by_target_ends_all_of_one_account_with_it() {
    let app = App::start().await;
    let target: TargetUrl = "https://hooks.example.com/in".parse().unwrap();
    for n in 0..260 {
        let events = vec![pattern(if n < 2 { "deal.create" } else { "contact.create" })];
        app.hooks
            .create_subscription(&account("acme"), NewSubscription { events, ..subscribe() })
            .await
            .unwrap();
    }
    app.hooks.create_subscription(&account("acme"), to("https://hooks.example.com/other")).await.unwrap();
    app.hooks.create_subscription(&account("other"), subscribe()).await.unwrap();
    let by_target = async |event: Option<&str>| {
        let event = event.map(pattern);
        app.hooks.delete_subscriptions_by_target(&account("acme"), &target, event.as_ref()).await.unwrap()
    };
    assert_eq!(by_target(Some("deal.create")).await, 2);
    assert_eq!(by_target(Some("contact.*")).await, 0);
    assert_eq!(by_target(None).await, 258);
    assert_eq!(by_target(None).await, 0);
    assert_eq!(app.hooks.stats().subscriptions, 2);
    assert_eq!(app.emit("acme", "contact.create", "1").await.matched, 1);
}

#[tokio::test]
async fn a_rotated_secret_goes_on_signing_for_the_grace() {
    let app = App::start().await;
    let first = app.hooks.create_subscription(&account("acme"), subscribe()).await.unwrap().subscription;
    let hour = Duration::from_secs(3600);
    let second = app.hooks.rotate_secret(&own("acme"), first.id, hour).await.unwrap().subscription;
    assert_ne!(second.secret, first.secret);
    let previous = second.previous_secret.unwrap();
    assert_eq!((previous.secret, previous.signs_until), (first.secret, app.now().plus(hour)));
    let third = app.hooks.rotate_secret(&own("acme"), first.id, Duration::ZERO).await.unwrap().subscription;
    assert_eq!(third.previous_secret, None);
    assert_eq!(app.hooks.subscription_secret(&own("acme"), first.id).await.unwrap(), third.secret);
    let month = Duration::from_secs(30 * 24 * 3600);
    assert!(app.hooks.rotate_secret(&own("acme"), first.id, month).await.is_ok());
    let longer = month + Duration::from_millis(1);
    assert_eq!(fields(app.hooks.rotate_secret(&own("acme"), first.id, longer).await), ["grace_seconds"]);
}

#[tokio::test]
async fn a_caller_that_goes_away_leaves_store_and_memory_as_one() {
    let app = App::start().await;
    for _ in 0..50 {
        let owner = account("acme");
        let create = app.hooks.create_subscription(&owner, subscribe());
        // Polled once, then dropped.
        let _ = tokio::time::timeout(Duration::ZERO, create).await;
    }
    // Whatever was begun comes before this one.
    app.hooks.create_subscription(&account("acme"), subscribe()).await.unwrap();
    let stored = all(&app, &own("acme"), SubscriptionFilter::default()).await.len();
    assert_eq!(stored as u64, app.hooks.stats().subscriptions);
    assert_eq!(app.emit("acme", "contact.create", "1").await.matched, stored);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_changes_of_one_are_all_kept() {
    let app = App::start().await;
    let id = app.hooks.create_subscription(&account("acme"), subscribe()).await.unwrap().subscription.id;
    let change = |n: usize| {
        let hooks = app.hooks.clone();
        let change = match n {
            0 => SubscriptionChange {
                description: Some(Some("x".to_owned())),
                ..SubscriptionChange::default()
            },
            1 => SubscriptionChange {
                terms: TermsChange { max_in_flight: Some(Some(9)), ..TermsChange::default() },
                ..SubscriptionChange::default()
            },
            2 => SubscriptionChange { events: Some(vec![pattern("*")]), ..SubscriptionChange::default() },
            _ => SubscriptionChange { active: Some(false), ..SubscriptionChange::default() },
        };
        tokio::spawn(async move { hooks.change_subscription(&Scope::All, id, change, None).await })
    };
    let tasks: Vec<_> = (0..4).map(change).collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    let changed = app.hooks.subscription(&Scope::All, id).await.unwrap().subscription;
    assert_eq!((changed.description.as_deref(), changed.terms.max_in_flight), (Some("x"), Some(9)));
    assert_eq!((changed.events, changed.status), (vec![pattern("*")], SubscriptionStatus::Paused));
    let name = event("any.thing");
    assert_eq!(app.emit("acme", name.as_str(), "1").await.matched, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_changes_of_the_same_version_one_is_made() {
    let app = App::start().await;
    let created = app.hooks.create_subscription(&account("acme"), subscribe()).await.unwrap().subscription;
    let change = |n: usize| {
        let (hooks, id, version) = (app.hooks.clone(), created.id, created.version);
        let change = SubscriptionChange {
            description: Some(Some(format!("change {n}"))),
            ..SubscriptionChange::default()
        };
        tokio::spawn(async move { hooks.change_subscription(&Scope::All, id, change, Some(version)).await })
    };
    let tasks: Vec<_> = (0..8).map(change).collect();
    let mut made = 0;
    for task in tasks {
        match task.await.unwrap() {
            Ok(_) => made += 1,
            refused => assert_eq!(code(refused), "changed_meanwhile"),
        }
    }
    assert_eq!(made, 1);
}
