//! Which of a subscription's keys a signature was made with. Signatures are compared in constant time.

use ring::hmac;
use ring::signature::{ED25519, UnparsedPublicKey};

use super::received::{Claim, Signed};
use super::verdict::{Matched, Scheme};
use crate::model::{Secret, SigningKey, Subscription, Timestamp};

/// What a subscription signs with, or did before its last rotation.
pub(super) struct Keys<'a> {
    secret: &'a Secret,
    signing_key: Option<&'a SigningKey>,
    /// The end of the previous ones' grace.
    until: Option<Timestamp>,
}

/// A key that fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fit {
    /// Which.
    pub matched: Matched,
    /// Until when it signs; `None` for a present one.
    pub until: Option<Timestamp>,
}

impl<'a> Keys<'a> {
    /// All of a subscription's, the present ones first.
    pub(super) fn of(subscription: &'a Subscription) -> Vec<Self> {
        let present = Self {
            secret: &subscription.secret,
            signing_key: subscription.signing_key.as_ref(),
            until: None,
        };
        let previous = subscription.previous_secret.as_ref().map(|previous| Self {
            secret: &previous.secret,
            signing_key: previous.signing_key.as_ref(),
            until: Some(previous.signs_until),
        });
        std::iter::once(present).chain(previous).collect()
    }

    /// How a claim fits this body, if it does.
    fn scheme(&self, claim: &Claim<'_>, body: &[u8]) -> Option<Scheme> {
        match &claim.signed {
            Signed::Alone(signatures) => {
                let key = hmac::Key::new(hmac::HMAC_SHA256, self.secret.expose().as_bytes());
                let fits = signatures.iter().any(|one| hmac::verify(&key, body, one).is_ok());
                fits.then_some(Scheme::HookSignature)
            }
            Signed::Standard { id, timestamp, signatures } => {
                let message = [id.as_bytes(), b".", timestamp.as_bytes(), b".", body].concat();
                let key = hmac::Key::new(hmac::HMAC_SHA256, self.secret.key());
                if signatures.v1.iter().any(|one| hmac::verify(&key, &message, one).is_ok()) {
                    return Some(Scheme::V1);
                }
                let public = UnparsedPublicKey::new(&ED25519, self.signing_key?.public_bytes());
                let fits = signatures.v1a.iter().any(|one| public.verify(&message, one).is_ok());
                fits.then_some(Scheme::V1a)
            }
        }
    }
}

/// The first of these keys that a claim about this body was made with.
pub(super) fn fitting(keys: &[Keys<'_>], claim: &Claim<'_>, body: &[u8]) -> Option<Fit> {
    keys.iter().find_map(|key| {
        let scheme = key.scheme(claim, body)?;
        Some(Fit { matched: Matched { scheme, is_previous: key.until.is_some() }, until: key.until })
    })
}
