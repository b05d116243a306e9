//! Signatures: what a receiver checks to know that a hook is ours and unchanged.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use ring::hmac;
use ring::signature::Ed25519KeyPair;

use crate::model::{Secret, SigningKey, Subscription, Timestamp};

/// What a subscription signs with from one rotation to the next, expanded once.
#[derive(Debug)]
pub(crate) struct Key {
    /// Standard Webhooks: the secret's decoded bytes.
    standard: hmac::Key,
    /// Standard Webhooks: the Ed25519 key, for those that have chosen that.
    asymmetric: Option<Ed25519KeyPair>,
    /// REST Hooks: the secret as it is shown.
    hook: hmac::Key,
    /// When it stops signing.
    until: Option<Timestamp>,
}

/// All of a subscription's, the newest first.
pub(crate) fn keys_of(subscription: &Subscription) -> Vec<Key> {
    let previous = subscription.previous_secret.as_ref();
    let old = previous.map(|p| Key::new(&p.secret, p.signing_key.as_ref(), Some(p.signs_until)));
    let new = Key::new(&subscription.secret, subscription.signing_key.as_ref(), None);
    std::iter::once(new).chain(old).collect()
}

impl Key {
    fn new(secret: &Secret, signing_key: Option<&SigningKey>, until: Option<Timestamp>) -> Self {
        let pair = |key: &SigningKey| {
            Ed25519KeyPair::from_seed_and_public_key(key.seed(), key.public_bytes())
                .expect("the public key was made from the seed")
        };
        Self {
            standard: hmac::Key::new(hmac::HMAC_SHA256, secret.key()),
            asymmetric: signing_key.map(pair),
            hook: hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes()),
            until,
        }
    }

    /// Whether it signs at this moment.
    pub(crate) fn signs_at(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| now < until)
    }

    /// `v1,` and base64 of HMAC-SHA256 over `{id}.{timestamp}.{body}` (Standard Webhooks 1.0).
    fn standard_signature(&self, id: &str, seconds: &str, body: &[&[u8]], out: &mut String) {
        let mut context = hmac::Context::with_key(&self.standard);
        for part in [id.as_bytes(), b".", seconds.as_bytes(), b"."] {
            context.update(part);
        }
        body.iter().for_each(|chunk| context.update(chunk));
        out.push_str("v1,");
        STANDARD.encode_string(context.sign(), out);
    }

    /// ` v1a,` and base64 of the Ed25519 signature over the same, when there is a key for that.
    fn asymmetric_signature(&self, id: &str, seconds: &str, body: &[&[u8]], out: &mut String) {
        let Some(pair) = &self.asymmetric else { return };
        // All of it in one piece: what Ed25519 signs is read twice.
        let head = [id.as_bytes(), b".", seconds.as_bytes(), b"."];
        let message = [&head, body].concat().concat();
        out.push_str(" v1a,");
        STANDARD.encode_string(pair.sign(&message), out);
    }

    /// Lower-case hex of HMAC-SHA256 over the body (REST Hooks).
    pub(crate) fn hook_signature(&self, body: &[&[u8]]) -> HeaderValue {
        let mut context = hmac::Context::with_key(&self.hook);
        body.iter().for_each(|chunk| context.update(chunk));
        let mut hex = [0; 64];
        let tag = context.sign();
        for (pair, byte) in hex.chunks_exact_mut(2).zip(tag.as_ref()) {
            let digits = [byte >> 4, byte & 15].map(|n| if n < 10 { b'0' + n } else { b'a' + n - 10 });
            pair.copy_from_slice(&digits);
        }
        HeaderValue::from_bytes(&hex).expect("hex digits are a header value")
    }
}

/// `webhook-signature`: every signing key's signature, the newest key's first, separated by spaces.
pub(crate) fn standard_signatures<'a>(
    keys: impl Iterator<Item = &'a Key>,
    id: &str,
    seconds: &str,
    body: &[&[u8]],
) -> HeaderValue {
    let mut value = String::with_capacity(48);
    for key in keys {
        if !value.is_empty() {
            value.push(' ');
        }
        key.standard_signature(id, seconds, body, &mut value);
        key.asymmetric_signature(id, seconds, body, &mut value);
    }
    HeaderValue::try_from(value).expect("base64, commas and spaces are a header value")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> Key {
        Key::new(&"whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD".parse().unwrap(), None, None)
    }

    const BODY: &[u8] = br#"{"email":"test@example.com","username":"test_user"}"#;

    #[test]
    fn the_vector_of_standard_webhooks() {
        let signed =
            standard_signatures([key()].iter(), "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk", "1649367553", &[BODY]);
        assert_eq!(signed, "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=");
    }

    #[test]
    fn chunks_sign_as_the_whole() {
        let (head, tail) = BODY.split_at(10);
        assert_eq!(key().hook_signature(&[head, b"", tail]), key().hook_signature(&[BODY]));
        // HMAC-SHA256 of "body" keyed with "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD", by another implementation.
        assert_eq!(
            key().hook_signature(&[b"body"]).to_str().unwrap(),
            "f9cd9cb93b123c48d841d4f1d8c098a6248ab3edb4f70c3f3416f7248c3b4115"
        );
    }

    #[test]
    fn the_newest_key_signs_first_and_the_old_one_ends() {
        let old = Key::new(&Secret::from_key([1; 32]), None, Some(Timestamp::from_millis(10)));
        assert!(old.signs_at(Timestamp::from_millis(9)) && !old.signs_at(Timestamp::from_millis(10)));
        let both = standard_signatures([key(), old].iter(), "id", "1", &[BODY]);
        let both = both.to_str().unwrap();
        assert_eq!(both.split(' ').count(), 2);
        assert!(both.starts_with(standard_signatures([key()].iter(), "id", "1", &[BODY]).to_str().unwrap()));
    }

    #[test]
    fn both_schemes_of_a_key_stand_together_the_newest_first() {
        let signing_key = |n| SigningKey::from_seed([n; 32]);
        let with =
            |secret: u8, key: u8| Key::new(&Secret::from_key([secret; 32]), Some(&signing_key(key)), None);
        let (head, tail) = BODY.split_at(10);
        let value = standard_signatures([with(1, 2), with(3, 4)].iter(), "id", "1", &[head, b"", tail]);
        let signatures: Vec<(&str, Vec<u8>)> = value
            .to_str()
            .unwrap()
            .split(' ')
            .map(|one| one.split_once(',').unwrap())
            .map(|(scheme, signature)| (scheme, STANDARD.decode(signature).unwrap()))
            .collect();
        let schemes: Vec<&str> = signatures.iter().map(|(scheme, _)| *scheme).collect();
        assert_eq!(schemes, ["v1", "v1a", "v1", "v1a"]);
        let message = [b"id.1.", BODY].concat();
        for (place, key) in [(1, 2), (3, 4)] {
            let public = signing_key(key).public_bytes().to_vec();
            let public = ring::signature::UnparsedPublicKey::new(&ring::signature::ED25519, public);
            public.verify(&message, &signatures[place].1).unwrap();
        }
    }

    #[test]
    fn nothing_secret_is_in_what_is_printed() {
        let key = Key::new(&Secret::from_key([0x61; 32]), Some(&SigningKey::from_seed([0x62; 32])), None);
        let shown = format!("{key:?}");
        for hidden in ["6161", "6262", "YWFh", "YmJi", "97, 97", "98, 98"] {
            assert!(!shown.contains(hidden), "{shown}");
        }
    }
}
