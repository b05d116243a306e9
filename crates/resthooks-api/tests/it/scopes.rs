//! What each kind of caller may do: every route of the document by every kind, against a table that has to name them
//! all.

use http::Method;
use resthooks::model::{Access, KeyRole};
use resthooks::{KeyInput, NewKey};
use serde_json::{Value, json};

use crate::harness::{App, Client};
use crate::routes::{filled, operations};

/// Who may use a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Who {
    /// Whoever has a provider's or a consumer's key; and to read, if it is a GET.
    All,
    /// The same, but not to read: it shows secrets.
    Owners,
    /// The provider; and to read, if it is a GET.
    Provider,
    /// The provider, and whoever may emit.
    Emitters,
}

/// Every route that wants credentials.
const TABLE: &[(&str, Who)] = &[
    ("GET /api/v1/subscription/", Who::All),
    ("POST /api/v1/subscription/", Who::All),
    ("DELETE /api/v1/subscription/", Who::All),
    ("GET /api/v1/subscription/{id}/", Who::All),
    ("PUT /api/v1/subscription/{id}/", Who::All),
    ("PATCH /api/v1/subscription/{id}/", Who::All),
    ("DELETE /api/v1/subscription/{id}/", Who::All),
    ("POST /api/v1/subscription/{id}/ping/", Who::All),
    ("GET /api/v1/subscription/{id}/secret/", Who::Owners),
    ("POST /api/v1/subscription/{id}/activate/", Who::All),
    ("GET /api/v1/subscription/{id}/handshake/", Who::Owners),
    ("POST /api/v1/subscription/{id}/rotate-secret/", Who::All),
    ("GET /api/v1/subscription/{id}/missed/", Who::All),
    ("POST /api/v1/subscription/{id}/missed/acknowledge/", Who::All),
    ("POST /api/v1/subscription/{id}/missed/release/", Who::All),
    ("GET /api/v1/event-type/", Who::All),
    ("POST /api/v1/event-type/", Who::Provider),
    ("GET /api/v1/event-type/{name}/", Who::All),
    ("PUT /api/v1/event-type/{name}/", Who::Provider),
    ("DELETE /api/v1/event-type/{name}/", Who::Provider),
    ("GET /api/v1/event-type/{name}/sample/", Who::All),
    ("GET /api/v1/event/", Who::All),
    ("POST /api/v1/event/", Who::Emitters),
    ("POST /api/v1/event/batch/", Who::Emitters),
    ("GET /api/v1/event/{id}/", Who::All),
    ("GET /api/v1/event/{id}/delivery/", Who::All),
    ("GET /api/v1/delivery/", Who::All),
    ("GET /api/v1/delivery/{id}/", Who::All),
    ("POST /api/v1/delivery/{id}/retry/", Who::All),
    ("POST /api/v1/delivery/{id}/cancel/", Who::All),
    ("POST /api/v1/verify/", Who::All),
    ("GET /api/v1/api-key/", Who::Provider),
    ("POST /api/v1/api-key/", Who::Provider),
    ("DELETE /api/v1/api-key/{id}/", Who::Provider),
    ("GET /api/v1/account/", Who::Provider),
    ("GET /api/v1/account/{id}/", Who::Provider),
    ("PUT /api/v1/account/{id}/", Who::Provider),
    ("DELETE /api/v1/account/{id}/", Who::Provider),
    ("GET /api/v1/audit/", Who::Provider),
    ("GET /api/v1/node/", Who::Provider),
];

/// A kind of caller.
#[derive(Debug, Clone, Copy)]
struct Kind {
    account: bool,
    access: Access,
}

const fn limited(account: bool, emit: bool, read: bool) -> Kind {
    Kind { account, access: Access::Limited { emit, read } }
}

const KINDS: [Kind; 8] = [
    Kind { account: false, access: Access::Full },
    Kind { account: true, access: Access::Full },
    limited(false, true, false),
    limited(true, true, false),
    limited(false, false, true),
    limited(true, false, true),
    limited(false, true, true),
    limited(true, true, true),
];

/// What a caller of this kind gets: nothing, when it is admitted, else the problem's code and the scope that would do.
fn refusal(kind: Kind, who: Who, method: &Method) -> Option<(&'static str, Option<&'static str>)> {
    let (emit, read) = match kind.access {
        Access::Full => (true, true),
        Access::Limited { emit, read } => (emit, read),
    };
    let is_full = kind.access == Access::Full;
    let owner = if kind.account { "consumer" } else { "provider" };
    let lacks = |scope| Some(("insufficient_scope", Some(scope)));
    match who {
        Who::Provider if kind.account => Some(("forbidden", None)),
        Who::All | Who::Provider if method == Method::GET => (!read).then(|| lacks("read")).flatten(),
        Who::All | Who::Provider | Who::Owners => (!is_full).then(|| lacks(owner)).flatten(),
        Who::Emitters if is_full && kind.account => Some(("forbidden", None)),
        Who::Emitters => (!emit).then(|| lacks("emit")).flatten(),
    }
}

async fn key(app: &App, kind: Kind) -> NewKey {
    let role = if kind.account { KeyRole::Consumer("acme".parse().unwrap()) } else { KeyRole::Provider };
    app.hooks.make_key(KeyInput { access: kind.access, ..KeyInput::new(role) }).await.unwrap()
}

/// Refusals come before anything else of the request is looked at; who is admitted gets whatever else is wrong with it.
#[tokio::test]
async fn every_route_by_every_kind_of_caller() {
    let app = App::start().await;
    let document = app.anonymous().get("/openapi.json").await.json();
    let walked: Vec<_> = operations(&document)
        .into_iter()
        .filter(|(_, _, operation)| !operation["security"].as_array().unwrap().is_empty())
        .collect();
    for kind in KINDS {
        let caller = app.with_key(&key(&app, kind).await.key);
        for (method, path, operation) in &walked {
            let route = format!("{method} {path}");
            let who = TABLE.iter().find(|(named, _)| *named == route);
            let (_, who) = who.unwrap_or_else(|| panic!("say in the table who may use {route}"));
            let said = operation["x-scopes"].as_array().unwrap();
            let path = filled(path, "sub_x", "a.b");
            let answer = caller.send(method.clone(), &path, None, "{\"malformed").await;
            let what = format!("{kind:?} {route}");
            match refusal(kind, *who, method) {
                None => assert!(!matches!(answer.status.as_u16(), 401 | 403), "{what}: {}", answer.text()),
                Some((code, scope)) => {
                    let answer = answer.expect(403);
                    assert_eq!(answer.code(), code, "{what}");
                    if let Some(scope) = scope {
                        assert!(answer.json()["detail"].as_str().unwrap().ends_with(scope), "{what}");
                        let challenge = answer.header("www-authenticate").unwrap();
                        assert!(challenge.contains(&format!("scope=\"{scope}\"")), "{challenge}");
                        assert!(said.contains(&json!(scope)), "{what}: the document says {said:?}");
                    }
                }
            }
            let head = Method::HEAD;
            if *method == Method::GET {
                let answer = caller.send(head, &path, None, "").await;
                let refused = refusal(kind, *who, method).is_some();
                assert_eq!(answer.status == 403, refused, "{what} by HEAD");
            }
        }
    }
    for (route, _) in TABLE {
        assert!(walked.iter().any(|(m, p, _)| *route == format!("{m} {p}")), "{route} is not there");
    }
}

/// What the document says of scopes, in full.
#[tokio::test]
async fn the_document_says_which_scopes_will_do() {
    let app = App::start().await;
    let document = app.anonymous().get("/openapi.json").await.json();
    for (method, path, operation) in operations(&document) {
        let Some((_, who)) = TABLE.iter().find(|(named, _)| *named == format!("{method} {path}")) else {
            assert!(operation["x-scopes"].is_null(), "{path}");
            continue;
        };
        let mut scopes = match who {
            Who::All | Who::Owners => vec!["provider", "consumer"],
            Who::Provider => vec!["provider"],
            Who::Emitters => vec!["provider", "emit"],
        };
        if method == Method::GET && *who != Who::Owners {
            scopes.push("read");
        }
        assert_eq!(operation["x-scopes"], json!(scopes), "{method} {path}");
        assert!(operation["responses"]["403"].is_object(), "{method} {path}");
    }
}

async fn with_scopes(app: &App, body: Value) -> Client {
    let made = app.provider().post("/api/v1/api-key/", body).await.expect(201).json();
    app.with_key(made["key"].as_str().unwrap())
}

#[tokio::test]
async fn who_emits_for_one_account_emits_for_no_other() {
    let app = App::start().await;
    let any = with_scopes(&app, json!({"scopes": ["emit"]})).await;
    let own = with_scopes(&app, json!({"scopes": ["emit"], "account": "acme"})).await;
    let event = |account: Option<&str>| {
        let mut event = json!({"event": "a.b", "data": 1});
        if let Some(account) = account {
            event["account"] = json!(account);
        }
        event
    };
    let path = "/api/v1/event/";
    for (caller, account, query, status) in [
        (&any, Some("acme"), "", 202),
        (&any, Some("other"), "", 202),
        (&any, None, "", 422),
        (&own, None, "", 202),
        (&own, Some("acme"), "", 202),
        (&own, None, "?account=acme", 202),
        (&own, Some("other"), "", 404),
        (&own, None, "?account=other", 404),
        (&own, Some("acme"), "?account=other", 404),
    ] {
        let answer = caller.post(&format!("{path}{query}"), event(account)).await.expect(status);
        if status == 202 {
            assert_eq!(answer.json()["account"], account.unwrap_or("acme"));
        }
        let batch = json!([event(Some("acme").filter(|_| account.is_some())), event(account)]);
        let answer = caller.post(&format!("{path}batch/{query}"), batch).await;
        assert_eq!(answer.status.as_u16(), status, "{account:?} {query}: {}", answer.text());
    }
    let others = app.provider().get("/api/v1/event/?account=other").await.expect(200).data();
    assert_eq!(others.len(), 2, "by the one that may emit for any, alone and in a batch");
}

#[tokio::test]
async fn who_reads_one_account_sees_no_other() {
    let app = App::start().await;
    app.provider().emit("acme", "a.b", json!(1)).await;
    app.provider().emit("other", "a.b", json!(2)).await;
    let any = with_scopes(&app, json!({"scopes": ["read"]})).await;
    let own = with_scopes(&app, json!({"scopes": ["read"], "account": "acme"})).await;
    assert_eq!(any.get("/api/v1/event/").await.expect(200).data().len(), 2);
    assert_eq!(own.get("/api/v1/event/").await.expect(200).data().len(), 1);
    own.get("/api/v1/event/?account=other").await.expect(404);
    any.get("/api/v1/api-key/").await.expect(200);
    any.get("/api/v1/audit/").await.expect(200);
    assert_eq!(own.get("/api/v1/audit/").await.expect(403).code(), "forbidden");
}
