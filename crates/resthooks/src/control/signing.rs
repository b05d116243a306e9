//! What a subscription signs with, and how that changes: chosen, given, rotated. Pure but for the randomness of new keys.

use crate::env::Random;
use crate::model::{PreviousSecret, Secret, SigningKey, Subscription, Timestamp};

/// How a subscription's hooks are to be signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignatureChoice {
    /// By HMAC alone; an Ed25519 key is dropped.
    V1,
    /// By Ed25519 as well: with this key, or the one that is there, or a new one.
    V1a(Option<SigningKey>),
}

/// A new secret.
pub(super) fn new_secret(random: &dyn Random) -> Secret {
    let mut key = [0; Secret::GENERATED_LEN];
    random.fill(&mut key);
    Secret::from_key(key)
}

fn new_signing_key(random: &dyn Random) -> SigningKey {
    let mut seed = [0; SigningKey::LEN];
    random.fill(&mut seed);
    SigningKey::from_seed(seed)
}

/// Follows a choice, at once and without grace; without one all stays.
pub(super) fn choose(subscription: &mut Subscription, choice: Option<SignatureChoice>, random: &dyn Random) {
    let key = match choice {
        None => return,
        Some(SignatureChoice::V1) => None,
        Some(SignatureChoice::V1a(Some(given))) => Some(given),
        Some(SignatureChoice::V1a(None)) if subscription.signing_key.is_some() => return,
        Some(SignatureChoice::V1a(None)) => Some(new_signing_key(random)),
    };
    if key == subscription.signing_key {
        return;
    }
    subscription.signing_key = key;
    if let Some(previous) = &mut subscription.previous_secret {
        previous.signing_key = None;
    }
}

/// Puts new keys in the place of all that sign now; those sign beside them until then, if at all.
pub(super) fn rotate(subscription: &mut Subscription, until: Option<Timestamp>, random: &dyn Random) {
    let secret = std::mem::replace(&mut subscription.secret, new_secret(random));
    let next = subscription.signing_key.as_ref().map(|_| new_signing_key(random));
    let signing_key = std::mem::replace(&mut subscription.signing_key, next);
    subscription.previous_secret =
        until.map(|signs_until| PreviousSecret { secret, signing_key, signs_until });
}

#[cfg(test)]
mod tests {
    use super::SignatureChoice::{V1, V1a};
    use super::*;
    use crate::env::SystemRandom;

    fn subscription() -> Subscription {
        let document = serde_json::json!({
            "id": "sub_01h00000000000000000000000", "account": "a", "events": ["a.b"], "status": "active",
            "target_url": "https://example.com/", "secret": "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
            "created_at": "2026-01-01T00:00:00.000Z", "updated_at": "2026-01-01T00:00:00.000Z",
        });
        serde_json::from_value(document).unwrap()
    }

    fn key(n: u8) -> SigningKey {
        SigningKey::from_seed(std::array::from_fn(|at| n.wrapping_add(at as u8)))
    }

    fn chosen(from: &Subscription, choice: SignatureChoice) -> Subscription {
        let mut after = from.clone();
        choose(&mut after, Some(choice), &SystemRandom);
        after
    }

    #[test]
    fn a_key_is_made_once_given_or_dropped() {
        let plain = subscription();
        assert_eq!(chosen(&plain, V1), plain);
        let made = chosen(&plain, V1a(None));
        assert!(made.signing_key.is_some() && made.secret == plain.secret);
        assert_ne!(made, chosen(&plain, V1a(None)), "each has a key of its own");
        assert_eq!(chosen(&made, V1a(None)), made, "what is there stays");
        assert_eq!(chosen(&made, V1a(Some(key(1)))).signing_key, Some(key(1)));
        assert_eq!(chosen(&made, V1), plain);
        let mut same = made.clone();
        choose(&mut same, None, &SystemRandom);
        assert_eq!(same, made);
    }

    #[test]
    fn rotation_keeps_all_keys_for_the_grace_and_makes_no_scheme_up() {
        let until = Timestamp::from_millis(5);
        let mut plain = subscription();
        rotate(&mut plain, Some(until), &SystemRandom);
        assert_eq!(plain.signing_key, None);
        let before = chosen(&subscription(), V1a(Some(key(1))));
        let mut rotated = before.clone();
        rotate(&mut rotated, Some(until), &SystemRandom);
        let previous = rotated.previous_secret.clone().unwrap();
        assert_eq!(
            (previous.secret, previous.signing_key),
            (before.secret.clone(), before.signing_key.clone())
        );
        assert!(rotated.secret != before.secret && rotated.signing_key.is_some());
        assert_ne!(rotated.signing_key, before.signing_key);
        // A key that is given afterwards, or none, is meant at once; the other scheme's grace goes on.
        for choice in [V1, V1a(Some(key(2)))] {
            let previous = chosen(&rotated, choice).previous_secret.unwrap();
            assert_eq!((previous.secret, previous.signing_key), (before.secret.clone(), None));
        }
        rotate(&mut rotated, None, &SystemRandom);
        assert_eq!(rotated.previous_secret, None);
    }
}
