//! Property: whatever a token is made of, judging it never panics, and one that was changed in any way never admits.

use axum::Router;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use serde_json::json;

use super::signer::{By, NOW, SECRET, claims, header, options, signed, taking, with};
use crate::harness::App;

/// A change of a token's text.
#[derive(Debug, Clone)]
enum Change {
    Replace(prop::sample::Index, char),
    Insert(prop::sample::Index, char),
    Remove(prop::sample::Index),
    Swap(prop::sample::Index, prop::sample::Index),
    Cut(prop::sample::Index),
}

impl Change {
    fn apply(&self, token: &mut Vec<char>) {
        if token.is_empty() {
            return;
        }
        let length = token.len();
        match self {
            Self::Replace(at, with) => token[at.index(length)] = *with,
            Self::Insert(at, what) => token.insert(at.index(length + 1), *what),
            Self::Remove(at) => drop(token.remove(at.index(length))),
            Self::Swap(one, other) => token.swap(one.index(length), other.index(length)),
            Self::Cut(at) => token.truncate(at.index(length)),
        }
    }
}

/// What base64 is made of, and what is near it.
fn letter() -> impl Strategy<Value = char> {
    prop_oneof![9 => proptest::char::range('!', '~'), 1 => prop::sample::select(vec!['.', '=', '-', '_', '+', '/'])]
}

fn change() -> impl Strategy<Value = Change> {
    let at = any::<prop::sample::Index>;
    prop_oneof![
        (at(), letter()).prop_map(|(at, with)| Change::Replace(at, with)),
        (at(), letter()).prop_map(|(at, what)| Change::Insert(at, what)),
        at().prop_map(Change::Remove),
        (at(), at()).prop_map(|(one, other)| Change::Swap(one, other)),
        at().prop_map(Change::Cut),
    ]
}

/// Runs each case against a router on a runtime of the test's own.
fn holds<S: Strategy>(
    cases: u32,
    strategy: S,
    test: impl AsyncFn(&Router, S::Value) -> Result<(), TestCaseError>,
) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (app, router) = runtime.block_on(async {
        let app = App::start().await;
        let mut options = options(&app);
        options.keys.add_secret(SECRET).unwrap();
        let router = taking(&app, options);
        (app, router)
    });
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let result = TestRunner::new(config).run(&strategy, |value| runtime.block_on(test(&router, value)));
    drop(app);
    assert!(result.is_ok(), "{}", result.unwrap_err());
}

async fn status(router: &Router, token: &str) -> u16 {
    with(router, token).get("/api/v1/event/").await.status.as_u16()
}

fn good(kind: usize) -> String {
    let (algorithm, by) =
        [("EdDSA", By::Ed25519), ("ES256", By::P256), ("HS256", By::Hmac(SECRET))][kind % 3];
    signed(&header(algorithm), &claims().to_string(), by)
}

#[test]
fn a_changed_token_never_admits() {
    let changes = (0_usize..3, prop::collection::vec(change(), 1..5));
    holds(3000, changes, async |router, (kind, changes)| {
        let token = good(kind);
        let mut changed: Vec<char> = token.chars().collect();
        changes.iter().for_each(|change| change.apply(&mut changed));
        let changed: String = changed.into_iter().collect();
        let expected = if changed == token { 200 } else { 401 };
        prop_assert_eq!(status(router, &changed).await, expected, "{}", changed);
        Ok(())
    });
}

/// Parts of good tokens put together otherwise, under signatures of one another.
#[test]
fn parts_of_several_tokens_never_admit() {
    let parts = (prop::collection::vec((0_usize..3, 0_usize..3), 3), 0_u64..2);
    holds(1000, parts, async |router, (parts, other)| {
        let tokens = [good(0), good(1), good(2)];
        let pieces: Vec<&str> =
            parts.iter().map(|(token, part)| tokens[*token].split('.').nth(*part).unwrap()).collect();
        let whole = pieces.join(".");
        let expected = if tokens.contains(&whole) { 200 } else { 401 };
        prop_assert_eq!(status(router, &whole).await, expected);
        // A header of one kind over claims of another time, by a third's signature.
        let late = claims().to_string().replace(&(NOW + 300).to_string(), &(NOW + 300 + other).to_string());
        let made = signed(&header("EdDSA"), &late, By::Bytes(whole.as_bytes()));
        prop_assert_eq!(status(router, &made).await, 401);
        Ok(())
    });
}

fn json_value() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(|value| json!(value)),
        any::<i64>().prop_map(|value| json!(value)),
        any::<f64>().prop_map(|value| json!(value)),
        (NOW - 1000..NOW + 1000).prop_map(|value| json!(value)),
        prop::sample::select(vec!["RS256", "HS256", "EdDSA", "none", "hooks", "acme", "JWT"])
            .prop_map(|text| json!(text)),
        "\\PC{0,12}".prop_map(|text| json!(text)),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|items| json!(items)),
            prop::collection::hash_map("[a-z]{1,4}", inner, 0..4).prop_map(|members| json!(members)),
        ]
    })
}

fn object(names: &'static [&'static str]) -> impl Strategy<Value = serde_json::Value> {
    prop::collection::hash_map(prop::sample::select(names), json_value(), 0..6)
        .prop_map(|members| json!(members))
}

/// Any header over any claims, signed by a key that is known. The answer is always an answer; and it is yes only when the
/// claims say so.
#[test]
fn any_header_and_any_claims_are_judged() {
    let headers = object(&["alg", "kid", "typ", "crit", "jwk", "b64", "x"]);
    let claims = object(&["iss", "aud", "sub", "exp", "nbf", "iat", "scope", "x"]);
    holds(3000, (headers, claims), async |router, (mut header, claims)| {
        header["alg"] = json!("EdDSA");
        let token = signed(&header.to_string(), &claims.to_string(), By::Ed25519);
        let status = status(router, &token).await;
        prop_assert!(matches!(status, 200 | 401), "{}", status);
        let is_ours = claims["iss"] == "https://issuer.example";
        prop_assert!(status == 401 || is_ours, "{} {}", header, claims);
        Ok(())
    });
}

#[test]
fn any_text_is_judged() {
    holds(2000, "[!-~]{0,40}(\\.[!-~]{0,60}){0,3}", async |router, text| {
        prop_assert_eq!(status(router, &text).await, 401, "{}", text);
        Ok(())
    });
}
