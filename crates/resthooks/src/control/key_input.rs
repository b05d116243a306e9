//! What an API key is made from, and making one. Pure: the clock and the randomness are handed in, so that a command
//! can make one where no engine runs.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::validate::Findings;
use crate::env::Random;
use crate::error::Error;
use crate::limits::MAX_KEY_NAME_BYTES;
use crate::model::{Access, AccountId, ApiKey, KeyHash, KeyId, KeyRole, KeyScope, Timestamp, Uid};

/// What a key is made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyInput {
    /// Whose things it admits to.
    pub role: KeyRole,
    /// How much of what may be done with those.
    pub access: Access,
    /// For humans, at most 128 bytes.
    pub name: Option<String>,
    /// When it ends by itself; in the future.
    pub expires_at: Option<Timestamp>,
}

impl KeyInput {
    /// A key that admits to all of this, without end.
    #[must_use]
    pub const fn new(role: KeyRole) -> Self {
        Self { role, access: Access::Full, name: None, expires_at: None }
    }

    /// A key of these scopes: `provider` or `consumer` alone, or any of `emit` and `read`. The account is a consumer's;
    /// with `emit` and `read` it may be left out, for any account.
    ///
    /// # Errors
    /// [`Error::Invalid`] for `scopes` or `account`.
    pub fn scoped(scopes: &[KeyScope], account: Option<AccountId>) -> Result<Self, Error> {
        let mut distinct = scopes.to_vec();
        distinct.dedup();
        let (role, access) = match (distinct.as_slice(), account) {
            ([], _) => return Err(Error::field("scopes", "must name at least one scope")),
            ([KeyScope::Provider], None) => (KeyRole::Provider, Access::Full),
            ([KeyScope::Provider], Some(_)) => {
                return Err(Error::field("account", "must be left out: a provider's key admits to all"));
            }
            ([KeyScope::Consumer], Some(account)) => (KeyRole::Consumer(account), Access::Full),
            ([KeyScope::Consumer], None) => {
                return Err(Error::field("account", "must be given: what the key admits to"));
            }
            (several, _)
                if several.contains(&KeyScope::Provider) || several.contains(&KeyScope::Consumer) =>
            {
                let message =
                    "must not have provider or consumer beside another scope: each admits to all of its own";
                return Err(Error::field("scopes", message));
            }
            (limited, account) => {
                let (emit, read) = (limited.contains(&KeyScope::Emit), limited.contains(&KeyScope::Read));
                let role = account.map_or(KeyRole::Provider, KeyRole::Consumer);
                (role, Access::Limited { emit, read })
            }
        };
        Ok(Self { role, access, name: None, expires_at: None })
    }

    /// Whether a key can be made from this now.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the name is too long or reserved, or the end has passed.
    pub fn check(&self, now: Timestamp) -> Result<(), Error> {
        let mut findings = Findings::default();
        findings.check_text("name", self.name.as_deref(), MAX_KEY_NAME_BYTES);
        if self.name.as_deref() == Some(NewKey::GIVEN) {
            findings.add("name", "is reserved");
        }
        if self.expires_at.is_some_and(|end| end <= now) {
            findings.add("expires_at", "must be in the future");
        }
        findings.into_result()
    }
}

/// A key that has just been made.
#[derive(Clone)]
pub struct NewKey {
    /// As it is stored.
    pub stored: ApiKey,
    /// The key itself, shown this once.
    pub key: String,
}

impl NewKey {
    /// The name of a provider's key that the operator gave, see
    /// [`Hooks::ensure_provider_key`](crate::Hooks::ensure_provider_key). No other key gets it.
    pub const GIVEN: &'static str = "given at start";

    /// Makes one, and stores nothing.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the name is too long or the end has passed.
    pub fn make(input: KeyInput, now: Timestamp, random: &dyn Random) -> Result<Self, Error> {
        input.check(now)?;
        let key = Self::text(random);
        let KeyInput { role, access, name, expires_at } = input;
        let id = KeyId(Uid::new(now, random.u128()));
        let hash = KeyHash::of(&key);
        let stored = ApiKey { id, role, access, name, hash, created_at: now, expires_at, last_used_at: None };
        Ok(Self { stored, key })
    }

    /// A key's text: 256 random bits.
    pub(super) fn text(random: &dyn Random) -> String {
        let mut bytes = [0; 32];
        random.fill(&mut bytes);
        format!("{}{}", ApiKey::PREFIX, URL_SAFE_NO_PAD.encode(bytes))
    }
}

impl std::fmt::Debug for NewKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewKey").field("stored", &self.stored).field("key", &"…").finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::SeededRandom;

    fn scoped(scopes: &[&str], account: Option<&str>) -> Result<(Vec<KeyScope>, Option<String>), String> {
        let words: Vec<KeyScope> = scopes.iter().map(|word| word.parse().unwrap()).collect();
        let input = KeyInput::scoped(&words, account.map(|text| text.parse().unwrap()));
        let key = input.and_then(|input| NewKey::make(input, Timestamp::EPOCH, &SeededRandom::new(1)));
        match key {
            Ok(key) => Ok((key.stored.scopes(), key.stored.role.account().map(ToString::to_string))),
            Err(Error::Invalid(wrong)) => Err(wrong[0].field.clone()),
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn scopes_say_what_a_key_may_do_and_come_back() {
        use KeyScope::{Consumer, Emit, Provider, Read};
        let of = |account: &str| Some(account.to_owned());
        assert_eq!(scoped(&["provider"], None), Ok((vec![Provider], None)));
        assert_eq!(scoped(&["consumer"], Some("a")), Ok((vec![Consumer], of("a"))));
        assert_eq!(scoped(&["emit"], None), Ok((vec![Emit], None)));
        assert_eq!(scoped(&["emit", "emit"], Some("a")), Ok((vec![Emit], of("a"))));
        assert_eq!(scoped(&["read", "emit", "read"], Some("a")), Ok((vec![Emit, Read], of("a"))));
        for (scopes, account, field) in [
            (&[][..], None, "scopes"),
            (&["provider"], Some("a"), "account"),
            (&["consumer"], None, "account"),
            (&["provider", "consumer"], None, "scopes"),
            (&["consumer", "read"], Some("a"), "scopes"),
            (&["read", "provider"], None, "scopes"),
        ] {
            assert_eq!(scoped(scopes, account), Err(field.to_owned()), "{scopes:?} {account:?}");
        }
        assert!("admin".parse::<KeyScope>().is_err());
    }

    #[test]
    fn an_end_lies_in_the_future() {
        let at = Timestamp::from_millis;
        let make = |end| {
            let input = KeyInput { expires_at: Some(at(end)), ..KeyInput::new(KeyRole::Provider) };
            NewKey::make(input, at(1000), &SeededRandom::new(1))
        };
        assert!(make(999).is_err() && make(1000).is_err());
        let made = make(1001).unwrap().stored;
        assert!(!made.is_expired(at(1000)) && made.is_expired(at(1001)));
    }
}
