//! A receiver as the public examples of this handshake are: one endpoint, which keeps the secret that it is sent, says it
//! back, and from then on checks what comes. Its create call is still open when it is asked.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use hmac_sha256::HMAC;
use serde_json::{Value, json};

use super::start;
use crate::support::{ACCOUNT, Received, Reply, Target, eventually};

/// What the example keeps.
#[derive(Default)]
struct Integration {
    /// Of the handshake: what it was asked with.
    handshake_secret: Option<String>,
    /// Of the create call's answer: what hooks are signed with.
    signing_secret: Option<String>,
    events: Vec<Value>,
    refused: usize,
}

impl Integration {
    /// `POST /receiveWebhook`
    fn receive(&mut self, request: &Received) -> Reply {
        if let Some(secret) = request.message.header("x-hook-secret") {
            self.handshake_secret = Some(secret.to_owned());
            return Reply::Header(200, "X-Hook-Secret", secret.to_owned());
        }
        let Some(signature) = request.message.header("x-hook-signature") else {
            self.refused += 1;
            return Reply::Status(400);
        };
        // The create call may still be open: what can't be checked yet is asked for again.
        let Some(secret) = &self.signing_secret else { return Reply::Status(503) };
        let mac = HMAC::mac(&request.message.body, secret.as_bytes());
        let digest: String = mac.iter().map(|byte| format!("{byte:02x}")).collect();
        if digest != signature {
            self.refused += 1;
            return Reply::Status(401);
        }
        self.events.push(request.json());
        Reply::Status(200)
    }
}

#[test]
fn a_receiver_written_as_the_examples_are_works() {
    let (_server, mut api) = start("echo");
    let integration = Arc::new(Mutex::new(Integration::default()));
    let endpoint = Arc::clone(&integration);
    let target = Target::answering(move |request, _| endpoint.lock().unwrap().receive(request));
    // The examples hold their lock over the create call: the handshake is answered only after it, if it is not
    // answered meanwhile.
    let created = {
        let body = json!({"account": ACCOUNT, "event": "task.added", "target_url": target.url()});
        api.post("/api/v1/subscription/", &body).expect(201).json
    };
    integration.lock().unwrap().signing_secret = Some(created["secret"].as_str().unwrap().to_owned());
    assert_eq!(created["status"], "pending", "the answer came first, or told so");
    let id = created["id"].as_str().unwrap();
    api.becomes_active(id);
    let sent: Vec<String> = (0..5).map(|n| api.emit("task.added", &json!({"task": n}))).collect();
    sent.iter().for_each(|event| drop(api.settled(event, "delivered")));
    let kept = integration.lock().unwrap();
    assert_eq!((kept.refused, kept.events.len()), (0, 5));
    assert_ne!(kept.handshake_secret, kept.signing_secret);
    let ids: HashMap<_, _> = kept.events.iter().map(|event| (event["id"].as_str().unwrap(), event)).collect();
    assert!(sent.iter().all(|event| ids.contains_key(event.as_str())));
}

/// A receiver that handles one request at a time, and makes its create call from within one: the handshake waits in its
/// backlog until the call is answered. If the answer waited for the handshake, neither would ever come.
#[test]
fn a_receiver_with_a_single_thread_does_not_lock_itself_out() {
    let (_server, mut api) = start("echo");
    let single = Arc::new(Mutex::new(()));
    let busy = Arc::clone(&single);
    let target = Target::answering(move |request, _| {
        let _one_at_a_time = busy.lock().unwrap();
        match request.message.header("x-hook-secret") {
            Some(secret) => Reply::Header(200, "X-Hook-Secret", secret.to_owned()),
            None => Reply::Status(200),
        }
    });
    let guard = single.lock().unwrap();
    let one = api.subscribe("task.added", &target.url());
    eventually(|| match target.count() {
        0 => Err("not asked yet".to_owned()),
        _ => Ok(()),
    });
    assert_eq!(api.subscription(&one.id)["status"], "pending");
    drop(guard);
    api.becomes_active(&one.id);
}
