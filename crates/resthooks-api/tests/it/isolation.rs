//! Must hold: with a consumer's key nothing of another account's can be seen, changed or inferred.

use http::Method;
use serde_json::{Value, json};

use crate::harness::{Answer, App, Target, eventually};
use crate::routes::operations;

/// What one account has.
struct Estate {
    subscription: String,
    event: String,
    delivery: String,
    secret: String,
}

async fn estate(app: &App, target: &Target) -> Estate {
    let provider = app.provider();
    let subscription = provider.subscribe("victim", "victim.event", &target.url).await;
    let event = provider.emit("victim", "victim.event", json!({"needle": "haystack"})).await;
    let event = event["id"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/event/{event}/delivery/");
    let delivery = eventually(async || {
        let found = provider.get(&path).await.data().remove(0);
        (found["status"] == "delivered").then(|| found["id"].as_str().unwrap().to_owned())
    })
    .await;
    let text = |name: &str| subscription[name].as_str().unwrap().to_owned();
    Estate { subscription: text("id"), event, delivery, secret: text("secret") }
}

/// Everything that the victim has, as the provider sees it.
async fn everything(app: &App, estate: &Estate) -> Vec<String> {
    let provider = app.provider();
    let mut seen = Vec::new();
    for path in [
        format!("subscription/{}/", estate.subscription),
        format!("subscription/{}/secret/", estate.subscription),
        format!("subscription/{}/missed/", estate.subscription),
        format!("event/{}/", estate.event),
        format!("event/{}/delivery/", estate.event),
        format!("delivery/{}/", estate.delivery),
        "subscription/?account=victim".to_owned(),
        "event/?account=victim".to_owned(),
        "delivery/?account=victim".to_owned(),
        "account/victim/".to_owned(),
        "api-key/?account=victim".to_owned(),
    ] {
        seen.push(provider.get(&format!("/api/v1/{path}")).await.expect(200).text());
    }
    seen
}

/// A body that each operation would take.
fn body_for(path: &str, account: Option<&str>) -> Option<Value> {
    let mut body = if path.ends_with("/subscription/") || path.ends_with("/subscription/{id}/") {
        json!({"target_url": "https://example.com/", "event": "victim.event"})
    } else if path.ends_with("/event/") {
        json!({"event": "victim.event", "data": 1})
    } else if path.ends_with("/verify/") {
        return Some(json!({"subscription": nobodys().subscription, "headers": {}, "body": ""}));
    } else if path.contains("/missed/") {
        return Some(json!({"all": true}));
    } else if path.ends_with("/event-type/{name}/") {
        json!({})
    } else {
        return None;
    };
    if let Some(account) = account.filter(|_| !path.contains("event-type")) {
        body["account"] = json!(account);
    }
    Some(body)
}

fn with_ids(path: &str, estate: &Estate) -> String {
    let id = match path {
        _ if path.contains("/subscription/") => &estate.subscription,
        _ if path.contains("/event/") => &estate.event,
        _ if path.contains("/delivery/") => &estate.delivery,
        _ => "victim",
    };
    path.replace("{id}", id).replace("{name}", "victim.event")
}

fn tells_nothing(answer: &Answer, estate: &Estate, what: &str) {
    let text = answer.text();
    let headers = format!("{:?}", answer.headers);
    for needle in [&estate.subscription, &estate.event, &estate.delivery, &estate.secret, "haystack"] {
        assert!(!text.contains(needle) && !headers.contains(needle), "{what} tells {needle}: {text}");
    }
}

/// Ids of the same form that nobody has.
fn nobodys() -> Estate {
    let uid = "01k6x8t1m2n3p4q5r6s7t8v9wa";
    Estate {
        subscription: format!("sub_{uid}"),
        event: format!("evt_{uid}"),
        delivery: format!("dlv_{uid}{uid}"),
        secret: "whsec_".to_owned(),
    }
}

#[tokio::test]
async fn every_route_with_a_foreign_id_and_key() {
    let app = App::start().await;
    let target = Target::start().await;
    let estate = estate(&app, &target).await;
    let before = everything(&app, &estate).await;
    let stranger = app.consumer("stranger").await;
    let document = stranger.get("/openapi.json").await.json();
    let mut walked = 0;
    for (method, path, operation) in operations(&document) {
        if operation["security"].as_array().unwrap().is_empty() {
            continue;
        }
        walked += 1;
        let foreign = with_ids(&path, &estate);
        let what = format!("{method} {path}");
        let own = operation["x-scopes"].as_array().unwrap().contains(&json!("consumer"));
        let has_id = path.contains("{id}");

        // As it is: refused like what does not exist, to the byte, or empty.
        let answer = stranger.call(method.clone(), &foreign, body_for(&path, None)).await;
        tells_nothing(&answer, &estate, &what);
        if !own {
            assert_eq!(answer.status, 403, "{what}");
        } else if has_id {
            assert_eq!(answer.status, 404, "{what}");
            let nobodys =
                stranger.call(method.clone(), &with_ids(&path, &nobodys()), body_for(&path, None)).await;
            assert_eq!((answer.status, &answer.body), (nobodys.status, &nobodys.body), "{what}");
        } else if method == Method::GET && !path.contains("event-type") {
            assert_eq!(answer.json(), json!({"data": [], "next_cursor": null}), "{what}");
        }

        // Naming the account, in the query and in the body: 404, as for an account that does not exist.
        let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
        if own && parameters.iter().any(|p| p["name"] == "account") {
            for account in ["victim", "nobody"] {
                let target = if method == Method::DELETE { "&target_url=https://example.com/" } else { "" };
                let target = if has_id { "" } else { target };
                let path_with = format!("{foreign}?account={account}{target}");
                let answer =
                    stranger.call(method.clone(), &path_with, body_for(&path, None)).await.expect(404);
                tells_nothing(&answer, &estate, &what);
                assert_eq!(answer.code(), "not_found", "{what}");
            }
        }
        if own && operation["requestBody"]["content"]["application/json"]["example"].is_object() {
            let answer = stranger.call(method.clone(), &foreign, body_for(&path, Some("victim"))).await;
            assert_eq!(answer.expect(404).code(), "not_found", "{what}");
        }
    }
    assert!(walked >= 30, "{walked}");

    // The routes' own ids in the filters of lists.
    for query in [
        format!("delivery/?subscription={}", estate.subscription),
        format!("delivery/?event={}", estate.event),
        "delivery/?event_type=victim.event".to_owned(),
        "event/?event=victim.event".to_owned(),
        format!("event/?cursor={}", estate.event),
        format!("delivery/?cursor={}", estate.delivery),
        format!("subscription/?cursor={}", estate.subscription),
    ] {
        let answer = stranger.get(&format!("/api/v1/{query}")).await.expect(200);
        tells_nothing(&answer, &estate, &query);
        let leaked = answer.data().iter().any(|item| item["account"] != "stranger");
        assert!(!leaked, "{query}: {}", answer.text());
    }
    let samples = stranger.get("/api/v1/event-type/victim.event/sample/").await.expect(200);
    tells_nothing(&samples, &estate, "samples");

    for (now, then) in everything(&app, &estate).await.iter().zip(&before) {
        assert_eq!(now, then);
    }
    assert_eq!(target.received.lock().unwrap().len(), 1, "nothing was sent to the victim's target");
}

/// The same id of a producer's own in two accounts is two events.
#[tokio::test]
async fn producers_ids_do_not_collide_between_accounts() {
    let app = App::start().await;
    for account in ["a", "b"] {
        let body = json!({"account": account, "event": "x.y", "data": account, "id": "same"});
        app.provider().post("/api/v1/event/", body).await.expect(202);
    }
    for account in ["a", "b"] {
        let read = app.consumer(account).await.get("/api/v1/event/same/").await.expect(200).json();
        assert_eq!((&read["account"], &read["data"]), (&json!(account), &json!(account)));
    }
    app.consumer("c").await.get("/api/v1/event/same/").await.expect(404);
}
