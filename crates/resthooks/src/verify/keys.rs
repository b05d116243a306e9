//! Which of a subscription's keys a signature was made with. Signatures are compared in constant time.

use ring::hmac;
use ring::signature::{ED25519, UnparsedPublicKey};
use subtle::ConstantTimeEq as _;

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
                let made = tag(self.secret.expose().as_bytes(), &[body]);
                is_among(&made, signatures).then_some(Scheme::HookSignature)
            }
            Signed::Standard { id, timestamp, signatures } => {
                let parts = [id.as_bytes(), b".", timestamp.as_bytes(), b".", body];
                if !signatures.v1.is_empty() && is_among(&tag(self.secret.key(), &parts), &signatures.v1) {
                    return Some(Scheme::V1);
                }
                if signatures.v1a.is_empty() {
                    return None;
                }
                let public = UnparsedPublicKey::new(&ED25519, self.signing_key?.public_bytes());
                let message = parts.concat();
                let fits = signatures.v1a.iter().any(|one| public.verify(&message, one).is_ok());
                fits.then_some(Scheme::V1a)
            }
        }
    }
}

/// HMAC-SHA256 over these parts: made once, however many signatures it is compared with.
fn tag(key: &[u8], parts: &[&[u8]]) -> hmac::Tag {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key));
    parts.iter().for_each(|part| context.update(part));
    context.sign()
}

fn is_among(made: &hmac::Tag, given: &[[u8; 32]]) -> bool {
    given.iter().any(|one| bool::from(made.as_ref().ct_eq(one)))
}

/// The first of these keys that a claim about this body was made with.
pub(super) fn fitting(keys: &[Keys<'_>], claim: &Claim<'_>, body: &[u8]) -> Option<Fit> {
    keys.iter().find_map(|key| {
        let scheme = key.scheme(claim, body)?;
        Some(Fit { matched: Matched { scheme, is_previous: key.until.is_some() }, until: key.until })
    })
}
