//! Keys, and a JWK Set (RFC 7517) as text.
//!
//! A set may hold what is not for us: keys to encrypt with, of kinds that are not supported, too short ones. Those are
//! left out, with a line in the log. Bounded in number, so that a token that names no key can't have many tried.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::algorithm::Algorithm;
use super::key::{self, Key, Material};
use super::token::Token;
use crate::body::Object;

/// The most keys of one set that are looked at.
const MAX_KEYS: usize = 100;
/// The most keys that a token which names none, or one of several of the same name, is tried with.
const MAX_TRIED: usize = 8;

/// Keys to verify with.
#[derive(Debug, Clone, Default)]
pub(super) struct KeySet(Vec<Key>);

/// What a key that a token names came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// One of the keys verifies it.
    Good,
    /// There are keys of the name that is given, and none does.
    Bad,
    /// None does, and none has the name that is given, if one is: there may be one elsewhere.
    UnknownKey,
}

impl KeySet {
    pub(super) const fn new(keys: Vec<Key>) -> Self {
        Self(keys)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether one of the keys signed this. When a key is named, only keys of that name and those without any count.
    pub(super) fn verify(&self, token: &Token<'_>) -> Verdict {
        let (id, algorithm) = (token.key_id.as_deref(), token.algorithm);
        let is_meant = |key: &&Key| id.is_none() || key.id.is_none() || key.id.as_deref() == id;
        let meant = self.0.iter().filter(is_meant).filter(|key| key.is_for(algorithm)).take(MAX_TRIED);
        if meant.into_iter().any(|key| key.verifies(algorithm, token.signed, &token.signature)) {
            return Verdict::Good;
        }
        let is_known = id.is_some() && self.0.iter().any(|key| key.id.as_deref() == id);
        if is_known { Verdict::Bad } else { Verdict::UnknownKey }
    }

    pub(super) fn into_keys(self) -> Vec<Key> {
        self.0
    }

    /// Reads a set. Secrets are taken only when they may be in it: never from what is fetched.
    ///
    /// # Errors
    /// Says what is wrong, when it is not a set at all.
    pub(super) fn read(text: &str, with_secrets: bool) -> Result<Self, String> {
        let Object(set) = serde_json::from_str(text).map_err(|e| format!("is not a JWK Set: {e}"))?;
        let Some(Value::Array(items)) = set.get("keys") else {
            return Err("is not a JWK Set: it has no array of keys".to_owned());
        };
        if items.len() > MAX_KEYS {
            return Err(format!("holds more than {MAX_KEYS} keys"));
        }
        let mut keys = Vec::new();
        for (place, item) in items.iter().enumerate() {
            match item.as_object().ok_or("is not an object").and_then(|jwk| read_key(jwk, with_secrets)) {
                Ok(key) => keys.push(key),
                Err(reason) => {
                    let id = item.get("kid").and_then(Value::as_str).unwrap_or_default();
                    tracing::info!(place, id = printable(id), reason, "a key of a JWK Set is left out");
                }
            }
        }
        Ok(Self(keys))
    }
}

fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(100).collect()
}

fn read_key(jwk: &Map<String, Value>, with_secrets: bool) -> Result<Key, &'static str> {
    let text = |name: &str| match jwk.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.as_str())),
        Some(_) => Err("has a member that is not a text"),
    };
    if text("use")?.is_some_and(|purpose| purpose != "sig") {
        return Err("is not for signatures");
    }
    if let Some(operations) = jwk.get("key_ops") {
        let verify = |all: &Vec<Value>| all.iter().any(|operation| operation == "verify");
        if !operations.as_array().is_some_and(verify) {
            return Err("is not for verifying");
        }
    }
    let only = text("alg")?.map(str::parse::<Algorithm>).transpose();
    let only = only.map_err(|()| "is for an algorithm that is not supported")?;
    let bytes = |name: &str| {
        let text = text(name)?.ok_or("lacks a member")?;
        URL_SAFE_NO_PAD.decode(text).map_err(|_| "has a member that is not base64url")
    };
    let material = match (text("kty")?, text("crv")?) {
        (Some("RSA"), _) => key::rsa(&bytes("n")?, &bytes("e")?)?,
        (Some("EC"), Some("P-256")) => Material::P256(point(&bytes("x")?, &bytes("y")?, 32)?),
        (Some("EC"), Some("P-384")) => Material::P384(point(&bytes("x")?, &bytes("y")?, 48)?),
        (Some("OKP"), Some("Ed25519")) => Material::Ed25519(of_length(bytes("x")?, 32)?),
        (Some("oct"), _) if with_secrets => key::secret(bytes("k")?)?,
        (Some("oct"), _) => return Err("is a secret, which has no place in a set that is fetched"),
        _ => return Err("is of a kind that is not supported"),
    };
    let key = Key { id: text("kid")?.map(str::to_owned), only, material };
    let fits = only.is_none_or(|only| key.is_for(only));
    if fits { Ok(key) } else { Err("is for an algorithm that its kind can't have") }
}

fn point(x: &[u8], y: &[u8], length: usize) -> Result<Vec<u8>, &'static str> {
    if x.len() != length || y.len() != length {
        return Err("has a point of a wrong length");
    }
    Ok([&[4], x, y].concat())
}

fn of_length(bytes: Vec<u8>, length: usize) -> Result<Vec<u8>, &'static str> {
    if bytes.len() == length { Ok(bytes) } else { Err("is of a wrong length") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn jwk(members: &Value) -> Result<Key, &'static str> {
        read_key(members.as_object().unwrap(), true)
    }

    fn rsa(bytes: usize) -> Value {
        let n = URL_SAFE_NO_PAD.encode(vec![0xc1; bytes]);
        json!({"kty": "RSA", "n": n, "e": "AQAB"})
    }

    fn with(base: &Value, name: &str, value: Value) -> Value {
        let mut jwk = base.clone();
        jwk[name] = value;
        jwk
    }

    #[test]
    fn keys_are_for_what_they_say() {
        let plain = rsa(256);
        let key = jwk(&plain).unwrap();
        assert!(
            key.is_for(Algorithm::Rs256) && key.is_for(Algorithm::Ps512) && !key.is_for(Algorithm::Hs256)
        );
        let only = jwk(&with(&plain, "alg", json!("PS256"))).unwrap();
        assert!(only.is_for(Algorithm::Ps256) && !only.is_for(Algorithm::Rs256));
        assert!(jwk(&with(&plain, "use", json!("sig"))).is_ok());
        assert!(jwk(&with(&plain, "key_ops", json!(["verify"]))).is_ok());
        let secret = json!({"kty": "oct", "k": URL_SAFE_NO_PAD.encode([7; 48])});
        let key = jwk(&secret).unwrap();
        assert!(key.is_for(Algorithm::Hs256) && key.is_for(Algorithm::Hs384));
        assert!(!key.is_for(Algorithm::Hs512) && !key.is_for(Algorithm::Rs256));
        assert!(read_key(secret.as_object().unwrap(), false).is_err());
    }

    #[test]
    fn what_is_not_for_us_is_left_out() {
        let plain = rsa(256);
        for (bad, reason) in [
            (rsa(255), "2048"),
            (rsa(1025), "8192"),
            (with(&plain, "use", json!("enc")), "signatures"),
            (with(&plain, "use", json!(["sig"])), "not a text"),
            (with(&plain, "key_ops", json!(["sign"])), "verifying"),
            (with(&plain, "key_ops", json!("verify")), "verifying"),
            (with(&plain, "alg", json!("HS256")), "its kind can't have"),
            (with(&plain, "alg", json!("none")), "not supported"),
            (with(&plain, "alg", json!("RSA-OAEP")), "not supported"),
            (with(&plain, "e", json!("AQ")), "exponent"),
            (with(&plain, "e", json!("Ag")), "exponent"),
            (with(&plain, "e", json!("")), "exponent"),
            (with(&plain, "n", json!("+/")), "base64url"),
            (json!({"kty": "RSA", "n": "AQAB"}), "lacks"),
            (json!({"kty": "EC", "crv": "P-521", "x": "AA", "y": "AA"}), "not supported"),
            (json!({"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}), "length"),
            (json!({"kty": "OKP", "crv": "X25519", "x": "AA"}), "not supported"),
            (json!({"kty": "OKP", "crv": "Ed25519", "x": "AA"}), "length"),
            (json!({"kty": "oct", "k": "c2hvcnQ"}), "32 bytes"),
            (json!({}), "not supported"),
        ] {
            let error = jwk(&bad).unwrap_err();
            assert!(error.contains(reason), "{bad:.200}: {error}");
        }
    }

    #[test]
    fn a_set_is_an_array_of_keys() {
        let set = |keys: Value| KeySet::read(&json!({"keys": keys}).to_string(), false);
        assert_eq!(set(json!([rsa(256), {"kty": "?"}, 7, rsa(256)])).unwrap().len(), 2);
        assert_eq!(set(json!([])).unwrap().len(), 0);
        assert!(set(json!(vec![json!({}); MAX_KEYS + 1])).is_err());
        for bad in ["", "[]", "{}", r#"{"keys":{}}"#, r#"{"keys":[],"keys":[]}"#, "<html>"] {
            assert!(KeySet::read(bad, false).is_err(), "{bad}");
        }
    }
}
