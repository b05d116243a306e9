//! A target that says back all that it was sent, in its answer's headers and body and in base64, as debugging endpoints do; to
//! each delivery it says no once.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::support::{Received, Reply, Target};

use super::{PASSWORD, SET_COOKIE};

pub(super) fn mirror() -> Target {
    Target::answering(|request, before| match (is_hook(request), before) {
        (true, 0) => reflected(request, 500),
        _ => reflected(request, 200),
    })
}

/// It takes its handshake's secret, and leaves it to somebody else to confirm.
pub(super) fn silent_at_first() -> Target {
    Target::answering(|request, _| {
        if !is_hook(request) {
            return Reply::Status(200);
        }
        reflected(request, 200)
    })
}

pub(super) fn is_hook(request: &Received) -> bool {
    request.message.header("webhook-id").is_some()
}

/// What the target was sent that proves who it is: handshakes' secrets, and challenges.
pub(super) fn handshakes(target: &Target) -> Vec<String> {
    let secret = |request: &Received| {
        let challenge = request.message.first.split_once("hub.challenge=");
        let challenge = challenge.and_then(|(_, rest)| rest.split(['&', ' ']).next());
        request.message.header("x-hook-secret").or(challenge).map(str::to_owned)
    };
    target.received().iter().filter_map(secret).collect()
}

fn reflected(request: &Received, status: u16) -> Reply {
    let mut head = format!("set-cookie: session={SET_COOKIE}; path=/\r\n");
    if let Some((_, rest)) = request.message.first.split_once("hub.challenge=") {
        let challenge = rest.split(['&', ' ']).next().unwrap_or_default();
        return Reply::Body(status, head, challenge.to_owned());
    }
    let mut body = String::new();
    for (name, value) in &request.message.headers {
        body += &format!("{name}: {value}\n");
        head += &format!("x-got-{name}: {value}\r\n");
        if name == "x-hook-secret" {
            head += &format!("{name}: {value}\r\n");
        }
    }
    let encoded = STANDARD.encode(&body);
    body += &format!("{encoded}\n");
    if request.message.header("authorization").is_some() {
        body += &format!("authorised user:{PASSWORD}\n");
    }
    Reply::Body(status, head, body)
}
