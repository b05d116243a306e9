//! Tokens, and the keys that they are verified with.
//!
//! The first byte says what the rest is: a token as it stands; the claims, or the head, of one that is signed as it should
//! be; a set of keys; keys in PEM. Nobody is let in by anything that is not a token of ours with claims that hold.
#![no_main]

use std::sync::{Arc, LazyLock, Mutex};

use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Request;
use libfuzzer_sys::fuzz_target;
use resthooks_api::Options;
use resthooks_api::credentials::{Jwt, JwtOptions, StaticKeys};
use resthooks_fuzz::{App, NOW, clock};
use ring::hmac;
use serde_json::Value;

const SECRET: &[u8] = b"thirty-two bytes and a few more of it";
const HEAD: &[u8] = br#"{"alg":"HS256"}"#;
const CLAIMS: &[u8] = br#"{"sub":"acme","aud":"us","exp":1767323345}"#;
const LEEWAY: f64 = 60.0;

static APP: LazyLock<Mutex<App>> = LazyLock::new(|| {
    let mut options = JwtOptions::new(clock());
    options.keys.add_secret(SECRET).expect("long enough");
    options.audiences = vec!["us".to_owned()];
    let mut api = Options::default();
    api.credentials.jwt = Some(Arc::new(Jwt::new(options)));
    Mutex::new(App::start(api))
});

/// What a token is signed over, and its signature by our secret.
fn signed(head: &[u8], claims: &[u8]) -> String {
    let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(head), URL_SAFE_NO_PAD.encode(claims));
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, SECRET), message.as_bytes());
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(tag))
}

/// Whether it lets in whoever has it.
fn admits(token: &[u8]) -> bool {
    let authorization = [b"Bearer ", token].concat();
    let request =
        Request::builder().uri("/api/v1/subscription/?limit=1").header("authorization", authorization);
    let Ok(request) = request.body(Body::empty()) else { return false };
    let (status, answer) = APP.lock().expect("no panic goes on").ask(request);
    let expected = [200, 400, 401, 403].contains(&status.as_u16());
    assert!(expected, "{status} {}", String::from_utf8_lossy(&answer));
    status == 200
}

fn object(bytes: &[u8]) -> Option<Value> {
    serde_json::from_slice::<Value>(bytes).ok().filter(Value::is_object)
}

fn assert_claims_hold(bytes: &[u8]) {
    let claims = object(bytes).expect("claims are an object");
    let time = |name: &str| claims.get(name).and_then(Value::as_f64);
    let now = NOW as f64;
    assert!(time("exp").is_some_and(|exp| exp + LEEWAY > now), "{claims}");
    assert!(time("nbf").is_none_or(|nbf| nbf - LEEWAY <= now), "{claims}");
    let aud = &claims["aud"];
    assert!(aud == "us" || aud.as_array().is_some_and(|all| all.contains(&"us".into())), "{claims}");
    assert!(claims["sub"].is_string() || claims["sub"].is_number(), "{claims}");
}

fn assert_head_holds(bytes: &[u8]) {
    let head = object(bytes).expect("a head is an object");
    assert!(head["alg"] == "HS256" && head.get("crit").is_none(), "{head}");
}

/// Judges a token that got somebody in by other means than ours.
fn assert_is_ours(token: &[u8]) {
    let token = std::str::from_utf8(token).expect("text");
    let parts: Vec<&str> = token.trim().split('.').collect();
    let [head, claims, signature] = parts[..] else { panic!("{token} has three parts") };
    let decoded = |part: &str| URL_SAFE_NO_PAD.decode(part).expect("base64url");
    let message = format!("{head}.{claims}");
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET);
    hmac::verify(&key, message.as_bytes(), &decoded(signature)).expect("signed by us");
    assert_head_holds(&decoded(head));
    assert_claims_hold(&decoded(claims));
}

/// Whether any of this can fail: what is as it should be gets in, and a changed signature does not.
fn assert_doors_open_and_close() {
    let token = signed(HEAD, CLAIMS);
    assert!(admits(token.as_bytes()), "a good token admits");
    assert!(!admits(&token.as_bytes()[..token.len() - 4]), "a cut one does not");
}

fuzz_target!(init: assert_doors_open_and_close(), |input: &[u8]| {
    let [what, rest @ ..] = input else { return };
    match what % 5 {
        0 if admits(rest) => assert_is_ours(rest),
        1 if admits(signed(HEAD, rest).as_bytes()) => assert_claims_hold(rest),
        2 if admits(signed(rest, CLAIMS).as_bytes()) => assert_head_holds(rest),
        3 | 4 => {
            let Ok(text) = std::str::from_utf8(rest) else { return };
            let mut keys = StaticKeys::default();
            let read = if what % 5 == 3 { keys.add_jwks(text) } else { keys.add_pem(text) };
            assert_eq!(read.is_err(), keys.is_empty(), "{text}");
        }
        _ => {}
    }
});
