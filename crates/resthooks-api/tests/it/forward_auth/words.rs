//! What the provider says, and what that comes to.

use axum::body::Body;
use http::Request;
use resthooks_api::credentials::Reading;
use serde_json::json;

use super::authority::{Authority, Says, Setup, account, by_header, in_field, status};
use crate::harness::{ADMIN, Client};

#[tokio::test]
async fn the_provider_says_whose_a_request_is() {
    let authority = Authority::start(account("acme")).await;
    let setup = Setup::at(&authority.url).await;
    for name in ["acme", "other"] {
        setup.app.provider().emit(name, "a.b", json!(1)).await;
    }
    let caller = setup.caller("theirs");
    let events = caller.get("/api/v1/event/?limit=5").await.expect(200).data();
    assert_eq!((events.len(), &events[0]["account"]), (1, &json!("acme")));
    caller.get("/api/v1/event/?account=other").await.expect(404);
    caller.get("/api/v1/account/").await.expect(403);
    let made = caller.subscribe("acme", "a.b", "https://example.com/").await;
    assert_eq!(made["account"], "acme");
    let trail = setup.app.provider().get("/api/v1/audit/?action=subscription.created").await.data();
    assert_eq!(trail[0]["actor"], "forward:acme");
    // And it may say that it is the provider's own.
    authority.say(Says::Plain(204, vec![("x-role", "provider".to_owned())], String::new()));
    setup.caller("its own").get("/api/v1/account/").await.expect(200);
}

#[tokio::test]
async fn it_is_shown_what_was_listed_and_what_is_wanted() {
    let authority = Authority::start(account("acme")).await;
    let setup = Setup::with(&authority.url, by_header(), |options| {
        options.headers = vec![http::header::AUTHORIZATION, http::header::COOKIE];
    })
    .await;
    let request = Request::get("/api/v1/event/?limit=7")
        .header("cookie", "session=1")
        .header("x-original-uri", "/forged")
        .header("x-account", "victim")
        .header("x-secret", "not for others");
    setup.caller("theirs").request(request.body(Body::empty()).unwrap()).await.expect(200);
    let asked = authority.asked.lock().unwrap().clone();
    let (question, shown) = &asked[0];
    assert_eq!((asked.len(), question.as_str()), (1, "GET /check?by=hooks"));
    for (name, value) in [
        ("authorization", "Bearer theirs"),
        ("cookie", "session=1"),
        ("x-original-method", "GET"),
        ("x-original-uri", "/api/v1/event/?limit=7"),
    ] {
        assert_eq!(shown.get_all(name).iter().collect::<Vec<_>>(), [value], "{name}");
    }
    assert!(!shown.contains_key("x-secret") && !shown.contains_key("x-account"), "{shown:?}");
}

#[tokio::test]
async fn a_field_may_name_the_account() {
    let authority = Authority::start(status(200)).await;
    let provider = Some((in_field("user.is_staff"), "true".to_owned()));
    let reading = Reading { account: in_field("user.tenant"), provider };
    let setup = Setup::with(&authority.url, reading, |_| {}).await;
    for (number, (body, expected)) in [
        (json!({"user": {"tenant": "acme", "name": "Jo"}}), 403),
        (json!({"user": {"tenant": 7, "is_staff": false}}), 403),
        (json!({"user": {"is_staff": true}}), 200),
        (json!({"user": {}}), 503),
        (json!({"tenant": "acme"}), 503),
        (json!(["acme"]), 503),
    ]
    .into_iter()
    .enumerate()
    {
        authority.say(Says::Plain(200, vec![("x-account", "header".to_owned())], body.to_string()));
        setup.caller(&number.to_string()).get("/api/v1/account/").await.expect(expected);
    }
}

/// Only a plain no is a no, and it says nothing of why.
#[tokio::test]
async fn a_no_is_plain() {
    for no in [401, 403] {
        let body = json!({"error": "account frozen"}).to_string();
        let headers = vec![
            ("www-authenticate", "Digest realm=\"theirs\"".to_owned()),
            ("x-account", "acme".to_owned()),
        ];
        let authority = Authority::start(Says::Plain(no, headers, body)).await;
        let setup = Setup::at(&authority.url).await;
        let refused = setup.ask("theirs").await.expect(401);
        assert_eq!(refused.code(), "unauthorized");
        assert!(
            !refused.text().contains("frozen") && !refused.text().contains("theirs"),
            "{}",
            refused.text()
        );
        assert!(refused.header("www-authenticate").unwrap().starts_with("Bearer "));
    }
}

/// What needs no question is not asked: keys of ours, what looks like one, nothing at all, and two things at once.
#[tokio::test]
async fn what_is_known_is_not_asked() {
    let authority = Authority::start(account("acme")).await;
    let setup = Setup::at(&authority.url).await;
    setup.ask(ADMIN).await.expect(200);
    setup.ask("rhk_withdrawn").await.expect(401);
    let mut nobody = setup.caller("");
    nobody.authorization = None;
    assert_eq!(nobody.get("/api/v1/event/").await.expect(401).code(), "unauthorized");
    let two = Request::get("/api/v1/event/")
        .header("authorization", "Bearer a")
        .header("authorization", "Bearer b");
    nobody.request(two.body(Body::empty()).unwrap()).await.expect(401);
    for open in ["/healthz", "/openapi.json"] {
        setup.caller("theirs").get(open).await.expect(200);
    }
    assert_eq!(authority.count(), 0);
    // Whatever scheme the provider's API has.
    for scheme in ["Basic dXNlcjpwYXNz", "Token abc", "abc", "DPoP a.b.c"] {
        nobody.authorization = Some(scheme.to_owned());
        nobody.get("/api/v1/event/").await.expect(200);
    }
    assert_eq!(authority.count(), 4);
}

/// What is guessed in a cookie is counted as what is guessed in `Authorization` is.
#[tokio::test]
async fn guesses_in_any_header_that_is_shown_are_counted() {
    let authority = Authority::start(status(401)).await;
    let setup = Setup::with(&authority.url, by_header(), |options| {
        options.headers = vec![http::header::AUTHORIZATION, http::header::COOKIE];
    })
    .await;
    let caller = Client { router: setup.router.clone(), authorization: None }.from("192.0.2.1");
    let guess = async |header: &str, value: String| {
        let request = Request::get("/api/v1/event/").header(header, value);
        caller.request(request.body(Body::empty()).unwrap()).await
    };
    for number in 0..60 {
        guess("cookie", format!("session={number}")).await.expect(401);
    }
    guess("cookie", "session=60".to_owned()).await.expect(429);
    guess("x-shown-to-nobody", "1".to_owned()).await.expect(401);
}

/// A form on another origin's page needs nobody's leave to be sent, and the browser adds its cookies.
#[tokio::test]
async fn another_origins_page_changes_nothing_by_a_cookie() {
    let authority = Authority::start(account("acme")).await;
    let setup = Setup::with(&authority.url, by_header(), |options| {
        options.headers = vec![http::header::COOKIE];
    })
    .await;
    let made = setup.app.provider().subscribe("acme", "a.b", "http://example.com:9/").await;
    let caller = Client { router: setup.router.clone(), authorization: None };
    let form = async |method: &str, path: &str, site: &str| {
        let request = Request::builder()
            .method(method)
            .uri(format!("/api/v1/subscription/{}/{path}", made["id"].as_str().unwrap()))
            .header("cookie", "session=1")
            .header("content-type", "application/x-www-form-urlencoded")
            .header("sec-fetch-site", site);
        caller.request(request.body(Body::empty()).unwrap()).await
    };
    for path in ["rotate-secret/", "ping/", "activate/"] {
        for site in ["cross-site", "same-site"] {
            let refused = form("POST", path, site).await.expect(403);
            assert_eq!(refused.code(), "cross_origin");
        }
        form("POST", path, "same-origin").await.expect(200);
    }
    form("GET", "", "cross-site").await.expect(200);
}
