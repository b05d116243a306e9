//! Intent: a target's owner confirms that it wants hooks, in each of the ways there are, and fails to in each of the ways
//! there are.

#[path = "intent/asana.rs"]
mod asana;
#[path = "intent/challenge.rs"]
mod challenge;
#[path = "intent/echo.rs"]
mod echo;
#[path = "intent/kept.rs"]
mod kept;
#[path = "intent/options.rs"]
mod options;

use serde_json::{Value, json};

use crate::support::{Api, Received, Reply, Server, Setup, Subscribed, Target, eventually, now};

/// A server whose subscriptions have to confirm in this way.
fn start(policy: &str) -> (Server, Api) {
    let server = Setup::new().flag(format!("--intent={policy}")).start();
    let api = server.api();
    (server, api)
}

/// Whether it asks for intent: what is delivered has an id.
fn is_handshake(request: &Received) -> bool {
    request.message.header("webhook-id").is_none()
}

/// A target that answers handshakes in this way, and acknowledges whatever is delivered.
fn target(answering: impl Fn(&Received) -> Reply + Send + Sync + 'static) -> Target {
    Target::answering(
        move |request, _| {
            if is_handshake(request) { answering(request) } else { Reply::Status(200) }
        },
    )
}

/// Says the secret back.
fn echo(request: &Received) -> Reply {
    Reply::Header(200, "X-Hook-Secret", request.header("x-hook-secret").to_owned())
}

fn handshakes(target: &Target) -> Vec<Received> {
    target.received().into_iter().filter(is_handshake).collect()
}

fn delivered(target: &Target) -> Vec<Received> {
    target.received().into_iter().filter(|request| !is_handshake(request)).collect()
}

/// The secret that the target was sent last.
fn secret(target: &Target) -> String {
    eventually(|| {
        let last = handshakes(target).pop().ok_or("no handshake yet")?;
        Ok(last.header("x-hook-secret").to_owned())
    })
}

impl Api {
    #[track_caller]
    fn subscription(&mut self, id: &str) -> Value {
        self.get(&format!("/api/v1/subscription/{id}/")).expect(200).json
    }

    /// Waits until it is active.
    #[track_caller]
    fn becomes_active(&mut self, id: &str) -> Value {
        let shown = self.subscription_when(id, "active");
        assert_eq!((&shown["active"], &shown["status_reason"]), (&json!(true), &Value::Null), "{shown:#}");
        assert!(shown["intent_confirmed_at"].is_string(), "{shown:#}");
        shown
    }

    /// The handshake once so many attempts were noted.
    #[track_caller]
    fn noted(&mut self, id: &str, attempts: u64) -> Value {
        eventually(|| {
            let shown = self.get(&format!("/api/v1/subscription/{id}/handshake/")).expect(200).json;
            match shown["attempt_count"].as_u64() {
                Some(count) if count >= attempts => Ok(shown),
                _ => Err(format!("{shown:#}")),
            }
        })
    }

    /// `activate/`, with a secret or without.
    #[track_caller]
    fn activate(&mut self, id: &str, secret: Option<&str>) -> crate::support::Answer {
        let path = format!("/api/v1/subscription/{id}/activate/");
        let headers: Vec<_> = secret.iter().map(|secret| ("X-Hook-Secret", *secret)).collect();
        self.ask("POST", &path, &headers, None).unwrap()
    }

    /// Emits an event and asserts that it matches so many.
    #[track_caller]
    fn matched(&mut self, event: &str, count: u64) -> String {
        let body = json!({"account": crate::support::ACCOUNT, "event": event, "data": {}});
        let accepted = self.post("/api/v1/event/", &body).expect(202);
        assert_eq!(accepted.json["matched"], count, "{}", accepted.json);
        accepted.str("id")
    }
}

/// The last attempt's outcome, and what is said of it.
#[track_caller]
fn last(handshake: &Value) -> (Value, String) {
    let last = handshake["attempts"].as_array().unwrap().last().unwrap();
    let outcome = if last["error"].is_null() { &last["status_code"] } else { &last["error"] };
    (outcome.clone(), last["error_detail"].as_str().unwrap_or_default().to_owned())
}

/// A pending subscription's state: it is not there, and not gone.
#[track_caller]
fn is_pending(shown: &Value) {
    assert_eq!((&shown["status"], &shown["active"]), (&json!("pending"), &json!(false)), "{shown:#}");
    assert_eq!(shown["intent_confirmed_at"], Value::Null, "{shown:#}");
    let reason = shown["status_reason"].as_str().unwrap_or_default();
    assert!(reason.contains("removed unless it is confirmed by"), "{reason}");
}

/// How long something takes.
fn timed<T>(what: impl FnOnce() -> T) -> (T, std::time::Duration) {
    let begun = now();
    let done = what();
    (done, begun.elapsed())
}

/// Subscribes with a policy of its own.
#[track_caller]
fn subscribe(api: &mut Api, target: &Target, further: Value) -> Subscribed {
    api.subscribe_with("contact.create", &target.url(), further)
}
