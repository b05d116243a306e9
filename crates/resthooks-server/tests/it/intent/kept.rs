//! What else holds while a subscription is pending, whatever its policy: what it is changed to, whose policy it follows, a
//! crash in the middle, and its end.

use std::time::Duration;

use serde_json::{Value, json};

use super::{delivered, echo, handshakes, is_pending, secret, start, subscribe, target};
use crate::running::Running;
use crate::support::{ACCOUNT, Api, Reply, Setup, Target, eventually, within};

fn path(id: &str) -> String {
    format!("/api/v1/subscription/{id}/")
}

#[test]
fn another_target_confirms_again_and_what_waits_goes_there() {
    let server = Setup::new().flag("--intent=echo").flag("--retry-schedule=1h").start();
    let mut api = server.api();
    let failing =
        Target::answering(
            |request, _| {
                if super::is_handshake(request) { echo(request) } else { Reply::Status(500) }
            },
        );
    let one = subscribe(&mut api, &failing, json!({}));
    api.becomes_active(&one.id);
    let event = api.matched("contact.create", 1);
    api.settled(&event, "scheduled");
    let silent = target(|_| Reply::Status(200));
    let moved = api.patch(&path(&one.id), &json!({"target_url": silent.url()})).expect(200).json;
    is_pending(&moved);
    let held = api.settled(&event, "held");
    assert!(held["reason"].as_str().unwrap().contains("not confirmed"), "{held:#}");
    api.matched("contact.create", 0);
    let sent = secret(&silent);
    // Nothing by hand, either.
    let refused = api.post(&format!("{}ping/", path(&one.id)), &json!({})).expect(409);
    assert_eq!(refused.str("code"), "subscription_pending");
    let retry = format!("/api/v1/delivery/{}/retry/", held["id"].as_str().unwrap());
    assert_eq!(api.post(&retry, &json!({})).expect(409).str("code"), "subscription_pending");
    assert_eq!(delivered(&silent).len(), 0);
    assert_eq!(api.activate(&one.id, Some(&sent)).expect(200).json["status"], "active");
    api.settled(&event, "delivered");
    assert_eq!((delivered(&failing).len(), delivered(&silent).len()), (1, 1));
    // What leaves the target alone leaves it confirmed.
    let described = api.patch(&path(&one.id), &json!({"description": "x", "target_url": silent.url()}));
    assert_eq!(described.expect(200).json["status"], "active");
    // Back where it had been confirmed: again.
    is_pending(&api.patch(&path(&one.id), &json!({"target_url": failing.url()})).expect(200).json);
    api.becomes_active(&one.id);
    assert_eq!(handshakes(&failing).len(), 2);
}

#[test]
fn a_pause_meanwhile_holds_afterwards() {
    let (_server, mut api) = start("echo");
    let target = target(|_| Reply::Status(200));
    let [one, two] = [json!({"active": false}), json!({})].map(|further| {
        let one = subscribe(&mut api, &target, further);
        let shown = eventually(|| {
            let shown = api.subscription(&one.id);
            let reason = shown["status_reason"].as_str().unwrap_or_default();
            if reason.contains("activate/") { Ok(shown) } else { Err(reason.to_owned()) }
        });
        is_pending(&shown);
        (one.id, secret(&target))
    });
    // The second one is paused, and resumed, and paused.
    for active in [false, true, false] {
        let shown = api.patch(&path(&two.0), &json!({"active": active})).expect(200).json;
        is_pending(&shown);
        let reason = shown["status_reason"].as_str().unwrap();
        assert_eq!(reason.contains("paused once"), !active, "{reason}");
    }
    for (id, secret) in [one, two] {
        let confirmed = api.activate(&id, Some(&secret)).expect(200).json;
        assert_eq!(confirmed["status"], "paused");
        let resumed = api.patch(&path(&id), &json!({"active": true})).expect(200).json;
        assert_eq!(resumed["status"], "active", "confirmed once");
    }
}

/// The provider sets what holds for an account; a consumer may be stricter than that, and not less strict.
#[test]
fn an_account_has_its_own_policy() {
    let (server, mut api) = start("echo");
    let target = target(|asked| match asked.message.header("x-hook-secret") {
        Some(_) => echo(asked),
        None => Reply::Status(200),
    });
    let account = api.put("/api/v1/account/free/", &json!({"intent": "none"})).expect(200).json;
    assert_eq!((&account["id"], &account["intent"]), (&json!("free"), &json!("none")));
    assert_eq!(api.get("/api/v1/account/free/").expect(200).json["intent"], "none");
    let mut key = |account: &str| {
        let key = api.post("/api/v1/api-key/", &json!({"account": account})).expect(201).str("key");
        Api::with_key(server.address(), &key)
    };
    let [mut free, mut bound] = [key("free"), key("bound")];
    let wants = |intent: Value| {
        let mut body = json!({"event": "contact.create", "target_url": target.url()});
        if !intent.is_null() {
            body["intent"] = intent;
        }
        body
    };
    let list = "/api/v1/subscription/";
    let created = free.post(list, &wants(Value::Null)).expect(201).json;
    assert_eq!((&created["status"], &created["intent"]), (&json!("active"), &json!("none")));
    let stricter = free.post(list, &wants(json!("echo"))).expect(201).json;
    is_pending(&stricter);
    for weaker in ["none", "challenge", "options"] {
        let refused = bound.post(list, &wants(json!(weaker))).expect(422);
        assert_eq!(refused.json["errors"][0]["field"], "intent", "{weaker}: {}", refused.json);
    }
    let refused = bound.post(list, &wants(json!("sometimes"))).expect(422);
    assert!(refused.text().contains("must be one of none, echo, challenge, options"), "{}", refused.text());
    let own = bound.post(list, &wants(json!("echo"))).expect(201).json;
    is_pending(&own);
    // The provider may choose any, in the account's name too.
    let mut body = wants(json!("none"));
    body["account"] = json!("bound");
    let chosen = api.post(list, &body).expect(201).json;
    assert_eq!(chosen["status"], "active");
    let id = chosen["id"].as_str().unwrap();
    let again =
        api.patch(&format!("{}?account=bound", path(id)), &json!({"intent": "challenge"})).expect(200).json;
    is_pending(&again);
    let lifted = api.patch(&path(id), &json!({"intent": "none"})).expect(200).json;
    assert_eq!((&lifted["status"], &lifted["intent"]), (&json!("active"), &json!("none")));
    bound.patch(&path(id), &json!({"intent": "none", "description": "as it was read"})).expect(200);
    let moved =
        bound.patch(&path(id), &json!({"target_url": format!("{}?b", target.url())})).expect(200).json;
    assert_eq!(moved["intent"], "echo", "with another target it follows its account");
    api.becomes(id, "bound", "active");
    // Back to the server's own, and only for the provider.
    assert_eq!(
        api.put("/api/v1/account/free/", &json!({"intent": null})).expect(200).json["intent"],
        Value::Null
    );
    is_pending(&free.post(list, &wants(Value::Null)).expect(201).json);
    free.put("/api/v1/account/free/", &json!({"intent": "none"})).expect(403);
    let refused = api.put("/api/v1/account/free/", &json!({"intent": "maybe"})).expect(422);
    assert_eq!(refused.json["errors"][0]["field"], "intent");
    // It outlives a restart.
    api.put("/api/v1/account/free/", &json!({"intent": "none"})).expect(200);
    let server = server.killed_and_restarted();
    let mut free = Api::with_key(server.address(), free.key());
    assert_eq!(free.post(list, &wants(Value::Null)).expect(201).json["status"], "active");
}

impl Api {
    #[track_caller]
    fn becomes(&mut self, id: &str, account: &str, status: &str) {
        eventually(|| {
            let shown = self.get(&format!("{}?account={account}", path(id))).expect(200).json;
            if shown["status"] == status { Ok(()) } else { Err(shown.to_string()) }
        });
    }
}

/// `resthooks listen` wants hooks, however it is asked.
#[test]
fn the_programs_own_receiver_confirms() {
    let (server, mut api) = start("none");
    let dir = tempfile::tempdir().unwrap();
    let mut listener = Running::start(dir.path(), &["listen", "--listen=127.0.0.1:0", "--count=3"]);
    let out = listener.printed("waiting for hooks on ");
    let line = out.lines().find(|line| line.contains("waiting for hooks")).unwrap();
    let url = line.rsplit(' ').next().unwrap();
    for policy in ["echo", "challenge", "options"] {
        let one = api.subscribe_with("contact.create", url, json!({"intent": policy}));
        api.becomes_active(&one.id);
    }
    api.matched("contact.create", 3);
    assert_eq!(listener.exit_code(), 0);
    let out = listener.read("out");
    for policy in ["echo", "challenge", "options"] {
        assert!(out.contains(&format!("asked whether hooks are wanted ({policy})")), "{out}");
    }
    let metrics = server.api().get("/metrics").text();
    assert!(metrics.contains("resthooks_handshakes_total{outcome=\"confirmed\"} 3"), "{metrics}");
}

/// Killed while the target is being asked: the next start goes on with the same secret.
#[test]
fn a_crash_in_the_middle_does_no_harm() {
    let (server, mut api) = start("echo");
    let hanging = Target::answering(|request, before| match super::is_handshake(request) {
        true if before == 0 => Reply::Hang,
        true => echo(request),
        false => Reply::Status(200),
    });
    let one = subscribe(&mut api, &hanging, json!({}));
    let sent = secret(&hanging);
    let server = server.killed_and_restarted();
    let mut api = server.api();
    is_pending(&api.subscription(&one.id));
    within(Duration::from_secs(45), || match api.subscription(&one.id) {
        shown if shown["status"] == "active" => Ok(()),
        shown => Err(shown.to_string()),
    });
    assert_eq!(secret(&hanging), sent);
    let event = api.matched("contact.create", 1);
    api.settled(&event, "delivered");
    assert_eq!((handshakes(&hanging).len(), delivered(&hanging).len()), (2, 1));
}

#[test]
fn what_is_never_confirmed_is_removed() {
    let server = Setup::new().flag("--intent=echo").flag("--intent-timeout=6s").start();
    let mut api = server.api();
    let silent = target(|_| Reply::Status(200));
    let confirming = target(echo);
    let [one, kept] = [&silent, &confirming].map(|target| subscribe(&mut api, target, json!({})));
    is_pending(&api.subscription(&one.id));
    let sent = secret(&silent);
    eventually(|| match api.get(&path(&one.id)).status {
        404 => Ok(()),
        status => Err(format!("{status}")),
    });
    assert_eq!(api.subscription(&kept.id)["status"], "active");
    api.activate(&one.id, Some(&sent)).expect(404);
    let log = server.log();
    let told: Vec<_> = log.lines().filter(|line| line.contains("never confirmed")).collect();
    assert_eq!(told.len(), 1, "{log}");
    assert!(told[0].contains(&one.id), "{}", told[0]);
    let trail = api.get(&format!("/api/v1/audit/?account={ACCOUNT}")).json;
    if let Some(entries) = trail["data"].as_array() {
        let removed = entries.iter().find(|entry| entry["action"] == "subscription.deleted");
        assert_eq!(removed.map(|entry| &entry["actor"]), Some(&json!("system")), "{trail:#}");
    }
}
