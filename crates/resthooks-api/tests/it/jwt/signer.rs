//! The issuer of the tests' tokens: signs whatever it is told to.

use std::sync::Arc;

use axum::Router;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use resthooks_api::Options;
use resthooks_api::credentials::{Jwt, JwtOptions, StaticKeys};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, RSA_PKCS1_SHA256, RSA_PSS_SHA256,
    RsaEncoding, RsaKeyPair,
};
use serde_json::{Value, json};

use crate::harness::{App, Client};

/// When the tests' clock starts, in seconds.
pub(crate) const NOW: u64 = 1_767_323_045;
pub(crate) const ISSUER: &str = "https://issuer.example";
pub(crate) const AUDIENCE: &str = "hooks";
pub(crate) const SECRET: &[u8] = b"a secret of the tests that is long enough";

pub(crate) const RSA_PUBLIC: &str = include_str!("keys/rsa.pub.pem");
pub(crate) const P256_PUBLIC: &str = include_str!("keys/p256.pub.pem");
pub(crate) const ED25519_PUBLIC: &str = include_str!("keys/ed25519.pub.pem");

/// With what is signed.
#[derive(Clone, Copy)]
pub(crate) enum By<'a> {
    Rsa,
    RsaPss,
    RsaOther,
    P256,
    Ed25519,
    Hmac(&'a [u8]),
    /// Not at all: these bytes stand there instead.
    Bytes(&'a [u8]),
}

fn der(pem: &str) -> Vec<u8> {
    STANDARD.decode(pem.lines().filter(|line| !line.starts_with('-')).collect::<String>()).unwrap()
}

fn rsa(pem: &str, encoding: &'static dyn RsaEncoding, signed: &[u8]) -> Vec<u8> {
    let pair = RsaKeyPair::from_pkcs8(&der(pem)).unwrap();
    let mut signature = vec![0; pair.public().modulus_len()];
    pair.sign(encoding, &SystemRandom::new(), signed, &mut signature).unwrap();
    signature
}

impl By<'_> {
    fn sign(self, signed: &[u8]) -> Vec<u8> {
        match self {
            Self::Rsa => rsa(include_str!("keys/rsa.pem"), &RSA_PKCS1_SHA256, signed),
            Self::RsaPss => rsa(include_str!("keys/rsa.pem"), &RSA_PSS_SHA256, signed),
            Self::RsaOther => rsa(include_str!("keys/rsa_other.pem"), &RSA_PKCS1_SHA256, signed),
            Self::P256 => {
                let (kind, random) = (&ECDSA_P256_SHA256_FIXED_SIGNING, SystemRandom::new());
                let pair = EcdsaKeyPair::from_pkcs8(kind, &der(include_str!("keys/p256.pem")), &random);
                pair.unwrap().sign(&random, signed).unwrap().as_ref().to_vec()
            }
            Self::Ed25519 => {
                let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der(include_str!("keys/ed25519.pem")));
                pair.unwrap().sign(signed).as_ref().to_vec()
            }
            Self::Hmac(secret) => {
                let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret);
                ring::hmac::sign(&key, signed).as_ref().to_vec()
            }
            Self::Bytes(bytes) => bytes.to_vec(),
        }
    }
}

/// Signs these very texts.
pub(crate) fn signed(header: &str, claims: &str, by: By<'_>) -> String {
    let text = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let signature = URL_SAFE_NO_PAD.encode(by.sign(text.as_bytes()));
    format!("{text}.{signature}")
}

/// A header with this algorithm.
pub(crate) fn header(algorithm: &str) -> String {
    json!({"alg": algorithm, "typ": "JWT"}).to_string()
}

/// Good claims.
pub(crate) fn claims() -> Value {
    json!({"iss": ISSUER, "aud": AUDIENCE, "sub": "acme", "iat": NOW, "exp": NOW + 300})
}

/// Good claims but for one; without it, when it is null.
pub(crate) fn claims_with(name: &str, value: Value) -> String {
    let mut claims = claims();
    match value {
        Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
        value => claims[name] = value,
    }
    claims.to_string()
}

/// Good but for one claim, by RSA.
pub(crate) fn token_with(name: &str, value: Value) -> String {
    signed(&header("RS256"), &claims_with(name, value), By::Rsa)
}

/// The tests' rules, with keys of each kind.
pub(crate) fn options(app: &App) -> JwtOptions {
    let mut options = JwtOptions::new(Arc::new(app.clock.clone()));
    let mut keys = StaticKeys::default();
    for pem in [RSA_PUBLIC, P256_PUBLIC, ED25519_PUBLIC] {
        keys.add_pem(pem).unwrap();
    }
    options.keys = keys;
    options.issuers = vec![ISSUER.to_owned()];
    options.audiences = vec![AUDIENCE.to_owned()];
    options.provider_claim = Some(("scope".parse().unwrap(), "hooks:admin".to_owned()));
    options
}

/// An API that takes tokens by these rules.
pub(crate) fn taking(app: &App, options: JwtOptions) -> Router {
    let mut api = Options::default();
    api.credentials.jwt = Some(Arc::new(Jwt::new(options)));
    resthooks_api::router(app.hooks.clone(), api)
}

/// A caller with this token.
pub(crate) fn with(router: &Router, token: &str) -> Client {
    Client { router: router.clone(), authorization: Some(format!("Bearer {token}")) }
}
