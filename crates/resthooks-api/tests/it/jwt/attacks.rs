//! Must hold: a table of attacks, all refused, none of them told more than that it is refused.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::signer::{
    By, ED25519_PUBLIC, ISSUER, NOW, P256_PUBLIC, RSA_PUBLIC, SECRET, claims, claims_with, header, options,
    signed, taking, token_with, with,
};
use crate::harness::App;

type Attack = (&'static str, String);

fn good() -> String {
    signed(&header("RS256"), &claims().to_string(), By::Rsa)
}

fn parts(token: &str) -> (&str, &str, &str) {
    let (text, signature) = token.rsplit_once('.').unwrap();
    let (header, claims) = text.split_once('.').unwrap();
    (header, claims, signature)
}

fn rs256(claims: &str) -> String {
    signed(&header("RS256"), claims, By::Rsa)
}

fn with_header(header: &Value, by: By<'_>) -> String {
    signed(&header.to_string(), &claims().to_string(), by)
}

/// Tokens that nobody has signed, in all spellings of that.
fn unsigned() -> Vec<Attack> {
    let mut all = Vec::new();
    for (name, algorithm) in [
        ("none", "none"),
        ("None", "None"),
        ("NONE", "NONE"),
        ("nOnE", "nOnE"),
        ("none with a space", "none "),
        ("none with a NUL", "none\0"),
        ("no name", ""),
        ("HS256 in lower case", "hs256"),
        ("RS256 in lower case", "rs256"),
    ] {
        let text = claims().to_string();
        all.push((name, signed(&header(algorithm), &text, By::Bytes(b""))));
        all.push((name, signed(&header(algorithm), &text, By::Bytes(b"x"))));
        all.push((name, signed(&header(algorithm), &text, By::Rsa)));
    }
    for (name, header) in [
        ("no alg", json!({"typ": "JWT"})),
        ("alg null", json!({"alg": null})),
        ("alg a number", json!({"alg": 0})),
        ("alg a list", json!({"alg": ["RS256", "none"]})),
        ("alg an object", json!({"alg": {"RS256": true}})),
        ("alg unknown", json!({"alg": "RS255"})),
        ("alg of encryption", json!({"alg": "RSA-OAEP", "enc": "A256GCM"})),
    ] {
        all.push((name, with_header(&header, By::Rsa)));
        all.push((name, with_header(&header, By::Bytes(b""))));
    }
    all
}

/// Public keys taken for the secret of an HMAC, in every form in which somebody may have them.
fn confused() -> Vec<Attack> {
    let mut all = Vec::new();
    for pem in [RSA_PUBLIC, P256_PUBLIC, ED25519_PUBLIC] {
        let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        let der = STANDARD.decode(&body).unwrap();
        let windows = pem.replace('\n', "\r\n");
        for secret in [pem.as_bytes(), pem.trim().as_bytes(), windows.as_bytes(), body.as_bytes(), &der] {
            all.push(("HS256 by a public key", with_header(&json!({"alg": "HS256"}), By::Hmac(secret))));
        }
        all.push((
            "HS256 by the end of a public key",
            with_header(&json!({"alg": "HS256"}), By::Hmac(&der[der.len() - 32..])),
        ));
    }
    for secret in [&b""[..], b"secret", b"null", b"undefined", &[0; 32], SECRET] {
        all.push(("HS256 by what is no key here", with_header(&json!({"alg": "HS256"}), By::Hmac(secret))));
    }
    for (name, algorithm, by) in [
        ("RS256 that is ES256", "RS256", By::P256),
        ("ES256 that is RS256", "ES256", By::Rsa),
        ("EdDSA that is RS256", "EdDSA", By::Rsa),
        ("RS256 that is EdDSA", "RS256", By::Ed25519),
        ("RS256 that is PS256", "RS256", By::RsaPss),
        ("PS256 that is RS256", "PS256", By::Rsa),
        ("RS512 that is RS256", "RS512", By::Rsa),
        ("ES384 that is ES256", "ES384", By::P256),
    ] {
        all.push((name, signed(&header(algorithm), &claims().to_string(), by)));
    }
    all
}

/// Keys that are not the issuer's.
fn foreign() -> Vec<Attack> {
    let set: Value = serde_json::from_str(include_str!("keys/jwks_other.json")).unwrap();
    let jwk = &set["keys"][0];
    let other = |header: Value| with_header(&header, By::RsaOther);
    vec![
        ("another key", other(json!({"alg": "RS256"}))),
        ("another key under a path", other(json!({"alg": "RS256", "kid": "../../../../dev/null"}))),
        ("another key under SQL", other(json!({"alg": "RS256", "kid": "x' UNION SELECT 'key'--"}))),
        ("another key, embedded", other(json!({"alg": "RS256", "jwk": jwk}))),
        ("another key, embedded and named", other(json!({"alg": "RS256", "jwk": jwk, "kid": jwk["kid"]}))),
        ("another key at a URL", other(json!({"alg": "RS256", "jku": "http://127.0.0.1:1/jwks.json"}))),
        ("another certificate at a URL", other(json!({"alg": "RS256", "x5u": "http://127.0.0.1:1/c.pem"}))),
        ("another certificate, embedded", other(json!({"alg": "RS256", "x5c": ["MIIB"]}))),
        ("kid a number", with_header(&json!({"alg": "RS256", "kid": 0}), By::Rsa)),
        ("kid null", with_header(&json!({"alg": "RS256", "kid": null}), By::Rsa)),
        ("kid a list", with_header(&json!({"alg": "RS256", "kid": ["rsa"]}), By::Rsa)),
        ("kid huge", with_header(&json!({"alg": "RS256", "kid": "k".repeat(257)}), By::Rsa)),
        (
            "an extension that must be understood",
            with_header(&json!({"alg": "RS256", "crit": ["x"], "x": 1}), By::Rsa),
        ),
        ("no extension that must be understood", with_header(&json!({"alg": "RS256", "crit": []}), By::Rsa)),
        (
            "claims not in base64",
            with_header(&json!({"alg": "RS256", "b64": false, "crit": ["b64"]}), By::Rsa),
        ),
        ("a token to log out", with_header(&json!({"alg": "RS256", "typ": "logout+jwt"}), By::Rsa)),
        ("a proof of possession", with_header(&json!({"alg": "RS256", "typ": "dpop+jwt"}), By::Rsa)),
        ("a security event", with_header(&json!({"alg": "RS256", "typ": "secevent+jwt"}), By::Rsa)),
        ("typ no text", with_header(&json!({"alg": "RS256", "typ": true}), By::Rsa)),
    ]
}

/// Signatures that are not this token's.
fn tampered() -> Vec<Attack> {
    let token = good();
    let (head, body, signature) = parts(&token);
    let other = token_with("sub", json!("victim"));
    let (_, others_body, others_signature) = parts(&other);
    let zero = |algorithm: &str, length: usize| {
        signed(&header(algorithm), &claims().to_string(), By::Bytes(&vec![0; length]))
    };
    let fill = |algorithm: &str, length: usize| {
        signed(&header(algorithm), &claims().to_string(), By::Bytes(&vec![0xff; length]))
    };
    let mut one_and_one = vec![0; 64];
    (one_and_one[31], one_and_one[63]) = (1, 1);
    let flipped: String = signature.chars().rev().collect();
    vec![
        ("no signature", format!("{head}.{body}.")),
        ("no signature and no dot", format!("{head}.{body}")),
        ("half a signature", format!("{head}.{body}.{}", &signature[..signature.len() / 2])),
        ("a byte of the signature missing", format!("{head}.{body}.{}", &signature[..signature.len() - 2])),
        ("the signature backwards", format!("{head}.{body}.{flipped}")),
        ("the signature twice", format!("{head}.{body}.{signature}{signature}")),
        ("another token's signature", format!("{head}.{body}.{others_signature}")),
        ("another token's claims", format!("{head}.{others_body}.{signature}")),
        ("another header", format!("{}.{body}.{signature}", URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256"}"#))),
        ("ES256 of zeros", zero("ES256", 64)),
        ("ES256 of ones", signed(&header("ES256"), &claims().to_string(), By::Bytes(&one_and_one))),
        ("ES256 beyond the order", fill("ES256", 64)),
        ("ES256 empty", zero("ES256", 0)),
        ("EdDSA of zeros", zero("EdDSA", 64)),
        ("EdDSA too short", zero("EdDSA", 32)),
        ("RS256 of zeros", zero("RS256", 256)),
        ("RS256 beyond the modulus", fill("RS256", 256)),
        ("HS256 of zeros", zero("HS256", 32)),
    ]
}

/// What is no token in form.
fn malformed() -> Vec<Attack> {
    let token = good();
    let (head, body, signature) = parts(&token);
    let standard = |part: &str| STANDARD.encode(URL_SAFE_NO_PAD.decode(part).unwrap());
    let deep = format!(r#"{{"a":{}{},"exp":{}}}"#, "[".repeat(1000), "]".repeat(1000), NOW + 300);
    let text = claims().to_string();
    let huge = claims_with("filler", json!("x".repeat(8 * 1024)));
    let duplicated = |member: &str| rs256(&format!("{},{member}}}", text.strip_suffix('}').unwrap()));
    let doubled = |json: &str| signed(json, &text, By::Rsa);
    vec![
        ("dots alone", "..".to_owned()),
        ("four parts", format!("{token}.x")),
        ("five parts, as if encrypted", format!("{token}.x.y")),
        ("an empty header", format!(".{body}.{signature}")),
        ("no claims", format!("{head}..{signature}")),
        ("padding", format!("{head}.{body}.{signature}=")),
        ("the other alphabet with padding", format!("{head}.{body}.{}", standard(signature))),
        ("a space inside", format!("{head}. {body}.{signature}")),
        ("trailing garbage", format!("{token}garbage")),
        ("trailing garbage after a space", format!("{token} garbage")),
        ("a comma and another", format!("{token},{token}")),
        ("a header that is no JSON", signed("alg: RS256", &text, By::Rsa)),
        ("a header that is a list", signed(r#"["RS256"]"#, &text, By::Rsa)),
        ("a header and more", signed(r#"{"alg":"RS256"}{}"#, &text, By::Rsa)),
        (
            "a header that is no UTF-8",
            format!("{}.{body}.{signature}", URL_SAFE_NO_PAD.encode(b"{\"alg\":\"RS256\xff\"}")),
        ),
        ("alg twice", doubled(r#"{"alg":"RS256","alg":"none"}"#)),
        ("alg twice, none first", doubled(r#"{"alg":"none","alg":"RS256"}"#)),
        ("alg twice, escaped", doubled(r#"{"alg":"RS256","\u0061\u006cg":"RS256"}"#)),
        ("kid twice", doubled(r#"{"alg":"RS256","kid":"a","kid":"b"}"#)),
        ("claims that are no JSON", rs256("sub=acme")),
        ("claims that are a list", rs256("[]")),
        ("claims that are a text", rs256("\"acme\"")),
        ("claims that are nothing", rs256("")),
        ("claims that break off", rs256(text.strip_suffix('}').unwrap())),
        ("claims and more", rs256(&format!("{text} {text}"))),
        ("claims nested deep", rs256(&deep)),
        ("claims after a byte order mark", rs256(&format!("\u{feff}{text}"))),
        ("a huge token", rs256(&huge)),
        (
            "a huge header",
            signed(&json!({"alg": "RS256", "x": "x".repeat(9000)}).to_string(), &text, By::Rsa),
        ),
        ("sub twice", duplicated(r#""sub":"victim""#)),
        ("sub twice, escaped", duplicated(r#""\u0073ub":"victim""#)),
        ("exp twice", duplicated(r#""exp":9999999999"#)),
        ("aud twice", duplicated(r#""aud":"hooks""#)),
        ("a member twice, deep inside", duplicated(r#""x":{"y":[{"z":1,"z":2}]}"#)),
    ]
}

/// Claims that are not good now, or not for us.
fn misclaimed() -> Vec<Attack> {
    let exp = |value: Value| token_with("exp", value);
    vec![
        ("no exp", exp(json!(null))),
        ("exp null", rs256(&claims().to_string().replace(&(NOW + 300).to_string(), "null"))),
        ("exp a text", exp(json!((NOW + 300).to_string()))),
        ("exp a fraction", exp(json!((NOW + 300) as f64 + 0.5))),
        ("exp with an exponent", rs256(&claims().to_string().replace(&(NOW + 300).to_string(), "2e9"))),
        ("exp negative", exp(json!(-1))),
        ("exp huge", exp(json!(u64::MAX))),
        ("exp beyond the year 9999", exp(json!(253_402_300_800_u64))),
        ("exp beyond all numbers", rs256(&claims().to_string().replace(&(NOW + 300).to_string(), "1e999"))),
        ("exp in milliseconds", exp(json!((NOW + 300) * 1000))),
        ("exp a list", exp(json!([NOW + 300]))),
        ("exp true", exp(json!(true))),
        ("expired", exp(json!(NOW - 60))),
        ("expired long ago", exp(json!(1))),
        ("expired at the epoch", exp(json!(0))),
        ("nbf in the future", token_with("nbf", json!(NOW + 61))),
        ("nbf a text", token_with("nbf", json!("0"))),
        ("nbf a fraction", token_with("nbf", json!(0.5))),
        ("iat in the future", token_with("iat", json!(NOW + 61))),
        ("iat negative", token_with("iat", json!(-1))),
        ("no iss", token_with("iss", json!(null))),
        ("another iss", token_with("iss", json!("https://evil.example"))),
        ("iss with a slash", token_with("iss", json!(format!("{ISSUER}/")))),
        ("iss in other letters", token_with("iss", json!(ISSUER.to_uppercase()))),
        ("iss a list", token_with("iss", json!([ISSUER]))),
        ("no aud", token_with("aud", json!(null))),
        ("another aud", token_with("aud", json!("billing"))),
        ("a longer aud", token_with("aud", json!("hooks2"))),
        ("aud among words", token_with("aud", json!("billing hooks"))),
        ("aud nested", token_with("aud", json!([["hooks"]]))),
        ("aud with something else", token_with("aud", json!(["hooks", {}]))),
        ("aud an object", token_with("aud", json!({"hooks": "hooks"}))),
        ("aud empty", token_with("aud", json!([]))),
        ("no sub", token_with("sub", json!(null))),
        ("sub empty", token_with("sub", json!(""))),
        ("sub no account", token_with("sub", json!("a b"))),
        ("sub with a NUL", token_with("sub", json!("acme\0"))),
        ("sub too long", token_with("sub", json!("a".repeat(129)))),
        ("sub a list", token_with("sub", json!(["acme"]))),
        ("sub an object", token_with("sub", json!({"id": "acme"}))),
        ("sub negative", token_with("sub", json!(-1))),
    ]
}

#[tokio::test]
async fn every_attack_is_refused() {
    let app = App::start().await;
    let router = taking(&app, options(&app));
    app.provider().emit("acme", "a.b", json!(1)).await;
    with(&router, &good()).get("/api/v1/event/").await.expect(200);
    let attacks: Vec<Attack> =
        [unsigned(), confused(), foreign(), tampered(), malformed(), misclaimed()].concat();
    assert!(attacks.len() >= 150, "{}", attacks.len());
    let mut said = std::collections::BTreeSet::new();
    for (name, token) in &attacks {
        // Twice: what was refused must not be remembered as anything else.
        for _ in 0..2 {
            let Ok(authorization) = format!("Bearer {token}").parse::<http::HeaderValue>() else {
                panic!("{name} is no header");
            };
            let request = http::Request::get("/api/v1/event/").header("authorization", authorization);
            let mut caller = with(&router, "");
            caller.authorization = None;
            let answer = caller.request(request.body(axum::body::Body::empty()).unwrap()).await;
            assert_eq!(answer.status, 401, "{name}: {token} {}", answer.text());
            let answer = answer.expect(401);
            let is_late = name.starts_with("expired");
            assert_eq!(answer.code(), if is_late { "token_expired" } else { "unauthorized" }, "{name}");
            assert!(answer.header("www-authenticate").is_some_and(|value| value.starts_with("Bearer ")));
            assert!(token.len() < 5 || !answer.text().contains(token.as_str()), "{name}");
            said.insert(answer.text());
        }
    }
    assert!(said.len() <= 3, "refusals tell them apart: {said:?}");
    with(&router, &good()).get("/api/v1/event/").await.expect(200);
}

/// Where the only key is a secret, nothing but that secret signs.
#[tokio::test]
async fn a_secret_is_no_public_key() {
    let app = App::start().await;
    let mut options = options(&app);
    options.keys = resthooks_api::credentials::StaticKeys::default();
    options.keys.add_secret(SECRET).unwrap();
    let router = taking(&app, options);
    let hmac = |secret: &[u8]| with_header(&json!({"alg": "HS256"}), By::Hmac(secret));
    with(&router, &hmac(SECRET)).get("/api/v1/event/").await.expect(200);
    for token in [
        hmac(&SECRET[1..]),
        hmac(b""),
        good(),
        with_header(&json!({"alg": "HS512"}), By::Hmac(SECRET)),
        with_header(&json!({"alg": "none"}), By::Bytes(b"")),
    ] {
        with(&router, &token).get("/api/v1/event/").await.expect(401);
    }
    assert!(resthooks_api::credentials::StaticKeys::default().add_secret(b"too short").is_err());
}
