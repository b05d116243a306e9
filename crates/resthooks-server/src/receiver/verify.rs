//! Signatures, from the receiver's side: Standard Webhooks 1.0, and REST Hooks' `X-Hook-Signature`.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use resthooks::model::Timestamp;
use ring::hmac::{HMAC_SHA256, Key, verify as hmac_verify};
use ring::signature::{ED25519, UnparsedPublicKey};

/// How far a hook's timestamp may be from the receiver's clock, so that an old one can't be played again.
const TOLERANCE: Duration = Duration::from_secs(5 * 60);

/// What the text of a public key begins with.
const PUBLIC: &str = "whpk_";

/// Checks a hook against what the subscription was shown with: its secret, with which both signatures are made, or its public
/// key, with which the one of scheme `v1a` can be checked.
///
/// # Errors
/// Says what is wrong.
pub(crate) fn verify(headers: &HeaderMap, body: &[u8], secret: &str, now: Timestamp) -> Result<(), String> {
    standard(headers, body, secret, now)?;
    if secret.starts_with(PUBLIC) { Ok(()) } else { rest_hooks(headers, body, secret) }
}

/// A secret or a public key as it was shown, when it is one.
///
/// # Errors
/// Says what it must be, and not what it is.
pub(crate) fn check_secret(text: &str) -> Result<(), String> {
    Verifier::new(text).map(|_| ()).ok_or_else(|| {
        "must be whsec_ and base64, as the subscription's secret, or whpk_ and base64, as its public key"
            .to_owned()
    })
}

/// What checks `webhook-signature`.
enum Verifier {
    Shared(Key),
    Public(UnparsedPublicKey<Vec<u8>>),
}

impl Verifier {
    fn new(text: &str) -> Option<Self> {
        if let Some(rest) = text.strip_prefix(PUBLIC) {
            let key = STANDARD.decode(rest).ok().filter(|key| key.len() == 32)?;
            return Some(Self::Public(UnparsedPublicKey::new(&ED25519, key)));
        }
        let key = STANDARD.decode(text.strip_prefix("whsec_")?).ok().filter(|key| !key.is_empty())?;
        Some(Self::Shared(Key::new(HMAC_SHA256, &key)))
    }

    /// The version of the signatures that it checks.
    const fn version(&self) -> &'static str {
        match self {
            Self::Shared(_) => "v1",
            Self::Public(_) => "v1a",
        }
    }

    fn fits(&self, signed: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Shared(key) => hmac_verify(key, signed, signature).is_ok(),
            Self::Public(key) => key.verify(signed, signature).is_ok(),
        }
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Result<&'a str, String> {
    let value = headers.get(name).ok_or_else(|| format!("has no {name}"))?;
    value.to_str().map_err(|_| format!("has a {name} that is no text"))
}

fn standard(headers: &HeaderMap, body: &[u8], secret: &str, now: Timestamp) -> Result<(), String> {
    let id = text(headers, "webhook-id")?;
    let timestamp = text(headers, "webhook-timestamp")?;
    let signatures = text(headers, "webhook-signature")?;
    let verifier = Verifier::new(secret).ok_or("can't be checked: the secret is not whsec_ and base64")?;
    let seconds: i64 = timestamp.parse().map_err(|_| "has a webhook-timestamp that is no number")?;
    let distance = now.as_millis().abs_diff(seconds.saturating_mul(1000));
    if u128::from(distance) > TOLERANCE.as_millis() {
        return Err("is too old, or from the future".to_owned());
    }
    let signed = [id.as_bytes(), b".", timestamp.as_bytes(), b".", body].concat();
    let version = verifier.version();
    let of_version: Vec<&str> = signatures
        .split(' ')
        .filter_map(|one| one.split_once(','))
        .filter_map(|(given, signature)| (given == version).then_some(signature))
        .collect();
    if of_version.is_empty() {
        return Err(format!("has no {version} in its webhook-signature"));
    }
    // Several while a secret is being rotated: one that fits is enough.
    let fits = |text: &&str| STANDARD.decode(text).is_ok_and(|bytes| verifier.fits(&signed, &bytes));
    if of_version.iter().any(fits) { Ok(()) } else { Err("has a wrong webhook-signature".to_owned()) }
}

fn rest_hooks(headers: &HeaderMap, body: &[u8], secret: &str) -> Result<(), String> {
    let key = Key::new(HMAC_SHA256, secret.as_bytes());
    let given: Vec<&str> =
        headers.get_all("x-hook-signature").iter().filter_map(|value| value.to_str().ok()).collect();
    if given.is_empty() {
        return Err("has no x-hook-signature".to_owned());
    }
    let matches = |hex: &str| unhex(hex.trim()).is_some_and(|tag| hmac_verify(&key, body, &tag).is_ok());
    let any = given.iter().flat_map(|value| value.split(',')).any(matches);
    if any { Ok(()) } else { Err("has a wrong x-hook-signature".to_owned()) }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2)
        || !text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
    const BODY: &[u8] = br#"{"email":"test@example.com","username":"test_user"}"#;

    /// The vector of Standard Webhooks, and a `X-Hook-Signature` made by OpenSSL.
    fn headers() -> HeaderMap {
        let pairs = [
            ("webhook-id", "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk"),
            ("webhook-timestamp", "1649367553"),
            ("webhook-signature", "v1,AAAA v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw="),
            ("x-hook-signature", "e0fc16c6d4a28f39a6e0935569f05d86e87367db24a4b6d9271215c603e49f6a"),
        ];
        pairs.into_iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    #[test]
    fn accepts_what_was_signed_by_others() {
        assert_eq!(verify(&headers(), BODY, SECRET, at(1_649_367_553 + 299)), Ok(()));
    }

    #[test]
    fn refuses_what_was_changed() {
        let now = at(1_649_367_553);
        let refused = |headers: &HeaderMap, body: &[u8], secret: &str, now| {
            verify(headers, body, secret, now).unwrap_err()
        };
        assert!(refused(&headers(), b"{}", SECRET, now).contains("wrong webhook-signature"));
        let other = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        assert!(refused(&headers(), BODY, other, now).contains("wrong webhook-signature"));
        assert!(refused(&headers(), BODY, "secret", now).contains("whsec_"));
        assert!(refused(&headers(), BODY, SECRET, at(1_649_367_553 + 301)).contains("too old"));
        for name in ["webhook-id", "webhook-timestamp", "webhook-signature", "x-hook-signature"] {
            let mut without = headers();
            without.remove(name);
            assert!(refused(&without, BODY, SECRET, now).contains(name));
        }
        let mut changed = headers();
        changed.insert("x-hook-signature", "00".repeat(32).parse().unwrap());
        assert!(refused(&changed, BODY, SECRET, now).contains("wrong x-hook-signature"));
    }

    /// The public key of RFC 8032, §7.1, test 1.
    const PUBLIC_KEY: &str = "whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
    /// Its signature over the vector of Standard Webhooks, made by OpenSSL.
    const V1A: &str =
        "v1a,jfp5j4J3Buv9EPOcc9Bqo8rJqAO1H6lrRl0WZQdzVZI6IttNPT8HSLyPvUvY54dJJt2BQGA01di1ePvigCwlCw==";

    #[test]
    fn a_public_key_is_enough_for_v1a() {
        let now = at(1_649_367_553);
        let mut headers = headers();
        let refused = verify(&headers, BODY, PUBLIC_KEY, now).unwrap_err();
        assert_eq!(refused, "has no v1a in its webhook-signature");
        headers.remove("x-hook-signature");
        let former = headers["webhook-signature"].to_str().unwrap().to_owned();
        headers.insert("webhook-signature", format!("v1a,AAAA {former} {V1A}").parse().unwrap());
        assert_eq!(verify(&headers, BODY, PUBLIC_KEY, now), Ok(()));
        let other = "whpk_PUAXw+hDiVqStwqnTRt+vJyYLM8uxJaMwM1V8Sr0Zgw=";
        for (body, key) in [(&b"{}"[..], PUBLIC_KEY), (BODY, other)] {
            assert_eq!(verify(&headers, body, key, now).unwrap_err(), "has a wrong webhook-signature");
        }
        // One scheme's signature is none of the other's.
        headers.insert("webhook-signature", V1A.replace("v1a", "v1").parse().unwrap());
        assert!(verify(&headers, BODY, PUBLIC_KEY, now).is_err());
        assert!(verify(&headers, BODY, SECRET, now).is_err());
        for bad in ["whpk_", "whpk_AAAA", "whsk_nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=", "whsec_", "x"]
        {
            assert!(!check_secret(bad).unwrap_err().contains("AAAA"));
        }
        assert_eq!((check_secret(PUBLIC_KEY), check_secret(SECRET)), (Ok(()), Ok(())));
    }

    #[test]
    fn agrees_with_the_reference_implementation() {
        let reference = standardwebhooks::Webhook::new(SECRET).unwrap();
        let signed = reference.sign("msg_1", 1_700_000_000, b"{}").unwrap();
        let mut headers = headers();
        headers.insert("webhook-id", "msg_1".parse().unwrap());
        headers.insert("webhook-timestamp", "1700000000".parse().unwrap());
        headers.insert("webhook-signature", signed.parse().unwrap());
        assert_eq!(standard(&headers, b"{}", SECRET, at(1_700_000_000)), Ok(()));
    }
}
