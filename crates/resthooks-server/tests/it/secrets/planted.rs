//! What is planted. All of it is made up.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::support::ACCOUNT;

use super::evidence::Secrets;

pub(super) const ADMIN_KEY: &str = "planted-admin-key-7f3a9c1e5d";
pub(super) const METRICS_KEY: &str = "planted-metrics-key-2b8d4f6a0c";
const JWT_SECRET: &str = "planted-jwt-secret-9e1c3b5d7f0a2c4e6f8091a3b5c7d9e1";
/// `planted-sealing-key-0123456789ab`.
const SECRET_KEY: &str = "cGxhbnRlZC1zZWFsaW5nLWtleS0wMTIzNDU2Nzg5YWI=";
/// `planted-signing-secret-0123456789`.
pub(super) const GIVEN_SECRET: &str = "whsec_cGxhbnRlZC1zaWduaW5nLXNlY3JldC0wMTIzNDU2Nzg5";
pub(super) const BROKEN_SECRET: &str = "whsec_planted!broken!secret";
/// `planted-ed25519-seed-0123456789a`.
pub(super) const PRIVATE_KEY: &str = "whsk_cGxhbnRlZC1lZDI1NTE5LXNlZWQtMDEyMzQ1Njc4OWE=";
pub(super) const PASSWORD: &str = "planted-basic-password-5a7c9e";
pub(super) const PROXY_PASSWORD: &str = "planted-proxy-password-9e7c5a";
pub(super) const HEADER_TOKEN: &str = "planted-header-token-1d3f5b7a";
const API_KEY: &str = "planted-api-key-of-a-target-0f2b4d";
const COOKIE: &str = "planted-cookie-8c0e2a4d";
pub(super) const SET_COOKIE: &str = "planted-set-cookie-6e8a0c2f";
pub(super) const UNKNOWN_KEY: &str = "rhk_planted-unknown-key-4b6d8f";
/// One that the provider's authentication breaks on.
pub(super) const BROKEN_KEY: &str = "planted-broken-key-7b9d1f3a";
pub(super) const QUERY: &str = "planted-in-a-query-3c5e7a9b";
/// A part of a target's address, which is no secret to those who may read the subscription, nor in the store.
pub(super) const TARGET_QUERY: &str = "planted-in-a-targets-url-5e7a9c";

/// The operator's secrets, as variables.
pub(super) const fn operators() -> [(&'static str, &'static str); 4] {
    [
        ("RESTHOOKS_ADMIN_KEY", ADMIN_KEY),
        ("RESTHOOKS_METRICS_KEY", METRICS_KEY),
        ("RESTHOOKS_JWT_SECRET", JWT_SECRET),
        ("RESTHOOKS_SECRET_KEY", SECRET_KEY),
    ]
}

pub(super) fn plant(secrets: &mut Secrets) {
    for (name, secret) in [
        ("the admin key", ADMIN_KEY),
        ("the metrics key", METRICS_KEY),
        ("the JWT secret", JWT_SECRET),
        ("a broken signing secret", "planted!broken!secret"),
        ("a password", PASSWORD),
        ("a proxy's password", PROXY_PASSWORD),
        ("a target's API key", API_KEY),
        ("a cookie", COOKIE),
        ("a cookie that a target sets", SET_COOKIE),
        ("a key that is not known", UNKNOWN_KEY),
        ("a key that others break on", BROKEN_KEY),
    ] {
        secrets.add(name, secret);
    }
    secrets.add_key("the sealing key", &format!("_{SECRET_KEY}"));
    secrets.add_key("a private key", PRIVATE_KEY);
    secrets.add_key("a given signing secret", GIVEN_SECRET);
    // Where a caller puts one in the place of a name, it is told which name is wrong.
    secrets.add_but_at("a target's token", HEADER_TOKEN, &["an unknown field's answer"]);
    secrets.add_but_at("a key in a query", QUERY, &["what a query is answered"]);
    let subscriptions =
        ["GET /api/v1/subscription/", "GET over HTTP/2", "what activate/ answers", "the store", "the export"];
    secrets.add_but_at("a token in a target's URL", TARGET_QUERY, &subscriptions);
}

/// A subscription with every kind of secret in it.
pub(super) fn subscription(target: &str, event: &str) -> Value {
    json!({
        "account": ACCOUNT,
        "event": event,
        "target_url": target,
        "secret": GIVEN_SECRET,
        "headers": {
            "authorization": format!("Basic {}", STANDARD.encode(format!("user:{PASSWORD}"))),
            "x-upstream": format!("Bearer {HEADER_TOKEN}"),
            "x-api-key": API_KEY,
            "cookie": format!("lang=en; session={COOKIE}"),
        },
    })
}

/// A consumer's token, as another library makes it.
pub(super) fn token() -> String {
    let claims = json!({"iss": "tests", "aud": "hooks", "sub": ACCOUNT, "exp": 4_102_444_800_u64});
    let parts =
        [json!({"alg": "HS256", "typ": "JWT"}), claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
    let signed = parts.join(".");
    let tag = hmac_sha256::HMAC::mac(signed.as_bytes(), JWT_SECRET.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag))
}
