//! `consumer_router` below an application's own routes and authentication.

use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use resthooks_api::Caller;
use serde_json::json;

use crate::harness::{ADMIN, App, Client};

async fn authenticate(mut request: Request, next: Next) -> Response {
    let user = request.headers().get("authorization").and_then(|v| v.to_str().ok()?.strip_prefix("Bearer "));
    let caller = user.and_then(|user| match user {
        "boss" => Some(Caller::Provider),
        user => user.parse().ok().map(Caller::Consumer),
    });
    if let Some(caller) = caller {
        request.extensions_mut().insert(caller);
    }
    next.run(request).await
}

fn embed(app: &App) -> Router {
    let hooks = resthooks_api::consumer_router(app.hooks.clone()).layer(from_fn(authenticate));
    Router::new().nest("/tenants/{tenant}/webhooks", hooks)
}

fn caller(app: &App, user: Option<&str>) -> Client {
    Client { router: embed(app), authorization: user.map(|user| format!("Bearer {user}")) }
}

const BASE: &str = "/tenants/t1/webhooks";

#[tokio::test]
async fn the_application_says_who_asks() {
    let app = App::start().await;
    let refused = caller(&app, None).get(&format!("{BASE}/subscription/")).await.expect(401);
    assert!(refused.header("www-authenticate").is_none());
    // A key of ours says nothing here: it is read as the name of a user.
    let own = caller(&app, Some(ADMIN)).get(&format!("{BASE}/subscription")).await.expect(200);
    assert!(own.data().is_empty());
}

#[tokio::test]
async fn consumers_manage_their_own_below_the_applications_paths() {
    let app = App::start().await;
    let jane = caller(&app, Some("jane"));
    let body = json!({"url": "https://example.com/h", "event": "a.b"});
    let made = jane.post(&format!("{BASE}/subscription"), body.clone()).await.expect(201);
    let location = made.header("location").unwrap().to_owned();
    assert_eq!(location, format!("{BASE}/subscription/{}/", made.json()["id"].as_str().unwrap()));
    jane.get(&location).await.expect(200);
    caller(&app, Some("joe")).get(&location).await.expect(404);
    caller(&app, Some("boss")).get(&location).await.expect(200);
    jane.post(&format!("{BASE}/subscription/"), body).await.expect(201);
    let page = jane.get(&format!("{BASE}/subscription/?limit=1")).await.expect(200);
    assert!(page.header("link").unwrap().starts_with(&format!("<{BASE}/subscription/?limit=1&cursor=sub_")));
    app.provider().emit("jane", "c.d", json!(1)).await;
    assert_eq!(jane.get(&format!("{BASE}/event/")).await.expect(200).data().len(), 1);
    jane.get(&format!("{BASE}/event-type/c.d/")).await.expect(200);
    assert!(jane.get(&format!("{BASE}/delivery/")).await.expect(200).data().is_empty());
}

#[tokio::test]
async fn what_is_the_applications_own_is_not_offered() {
    let app = App::start().await;
    let boss = caller(&app, Some("boss"));
    let event = json!({"account": "jane", "event": "a.b", "data": 1});
    let refused = boss.post(&format!("{BASE}/event/"), event.clone()).await.expect(405);
    assert_eq!(refused.header("allow"), Some("GET,HEAD"));
    for (path, status) in
        [("/event/batch/", 405), ("/event-type/", 405), ("/api-key/", 404), ("/account/", 404)]
    {
        let answer = boss.post(&format!("{BASE}{path}"), event.clone()).await;
        assert_eq!(answer.status.as_u16(), status, "{path}");
    }
}
