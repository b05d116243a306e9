//! Tokens in, callers out.

use std::sync::Arc;
use std::time::Duration;

use resthooks::env::Clock;
use resthooks::model::Invalid;

use super::claims::{Judged, Refusal, Rules};
use super::key::{self, Key};
use super::key_set::{KeySet, Verdict};
use super::pem;
use super::remote::{RemoteKeys, Unavailable};
use super::token::Token;
use crate::caller::Admission;
use crate::credentials::FieldPath;
use crate::credentials::cache::{Cache, Fingerprint};

/// Half of how many verified tokens are remembered.
const REMEMBERED: usize = 8192;

/// Keys that are given, and stay as they are.
#[derive(Debug, Default)]
pub struct StaticKeys(Vec<Key>);

impl StaticKeys {
    /// Adds the secret of an HMAC (HS256, and with 48 and 64 bytes HS384 and HS512).
    ///
    /// # Errors
    /// When it is shorter than 32 bytes.
    pub fn add_secret(&mut self, secret: &[u8]) -> Result<(), Invalid> {
        let material = key::secret(secret.to_vec()).map_err(Invalid::new)?;
        self.0.push(Key { id: None, only: None, material });
        Ok(())
    }

    /// Adds the public keys of a PEM text: RSA from 2048 bits, P-256, P-384, Ed25519.
    ///
    /// # Errors
    /// When it holds none, or something else too.
    pub fn add_pem(&mut self, text: &str) -> Result<(), Invalid> {
        self.0.extend(pem::keys(text).map_err(Invalid)?);
        Ok(())
    }

    /// Adds the keys of a JWK Set; those that can't be used are left out, with a line in the log.
    ///
    /// # Errors
    /// When it is none, or holds no key that can be used.
    pub fn add_jwks(&mut self, text: &str) -> Result<(), Invalid> {
        let keys = KeySet::read(text, true).map_err(Invalid)?.into_keys();
        if keys.is_empty() {
            return Err(Invalid::new("holds no key that can be used"));
        }
        self.0.extend(keys);
        Ok(())
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// How tokens are judged.
#[derive(Debug)]
#[non_exhaustive]
pub struct JwtOptions {
    /// Keys that are given.
    pub keys: StaticKeys,
    /// Keys that are fetched.
    pub remote: Option<RemoteKeys>,
    /// One of these has to have issued a token (`iss`); anybody who has a key, when there are none.
    pub issuers: Vec<String>,
    /// A token has to be for one of these (`aud`). When there are none it may be for anybody: then a token that was made
    /// for another service of the same issuer is as good here.
    pub audiences: Vec<String>,
    /// By so much the issuer's clock and ours may differ (60 s).
    pub leeway: Duration,
    /// The claim that names the account (`sub`).
    pub account_claim: FieldPath,
    /// The claim that, with this value, makes the caller the provider (none). The value may be one of several: in an
    /// array, or, in `scope` and `scp`, among words.
    pub provider_claim: Option<(FieldPath, String)>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
}

impl JwtOptions {
    /// The defaults, with no key at all.
    ///
    /// # Panics
    /// Never: the name of a claim is one.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            keys: StaticKeys::default(),
            remote: None,
            issuers: Vec::new(),
            audiences: Vec::new(),
            leeway: Duration::from_secs(60),
            account_claim: "sub".parse().expect("a member's name"),
            provider_claim: None,
            clock,
        }
    }
}

/// Admits callers by their tokens. `Debug` shows no key.
#[derive(Debug)]
pub struct Jwt {
    keys: KeySet,
    remote: Option<RemoteKeys>,
    rules: Rules,
    clock: Arc<dyn Clock>,
    verified: Cache<Verified>,
}

/// A token that was verified: as long as the keys that it was verified with are the same, it need not be again.
#[derive(Debug, Clone)]
struct Verified {
    admission: Admission,
    /// Which of the sets that were fetched; none for keys that were given.
    generation: Option<u64>,
}

/// Why a token does not admit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::credentials) enum Unverified {
    /// It was good and has expired.
    Expired,
    /// It is not good.
    Refused,
    /// It can't be told now.
    Unavailable,
}

impl From<Refusal> for Unverified {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Expired => Self::Expired,
            Refusal::Because(reason) => {
                tracing::debug!(reason, "a token is refused");
                Self::Refused
            }
        }
    }
}

impl From<Unavailable> for Unverified {
    fn from(_: Unavailable) -> Self {
        Self::Unavailable
    }
}

impl Jwt {
    /// Takes effect at once; keys at a URL are fetched with the first token, or by [`RemoteKeys::prepare`].
    #[must_use]
    pub fn new(options: JwtOptions) -> Self {
        let JwtOptions { keys, remote, issuers, audiences, leeway, account_claim, provider_claim, clock } =
            options;
        let rules = Rules { issuers, audiences, leeway, account: account_claim, provider: provider_claim };
        Self { keys: KeySet::new(keys.0), remote, rules, clock, verified: Cache::new(REMEMBERED) }
    }

    /// Whether this is for it to judge.
    pub(in crate::credentials) fn is_token(text: &str) -> bool {
        Token::looks_like(text)
    }

    /// Judges a token.
    pub(in crate::credentials) async fn admit(&self, text: &str) -> Result<Admission, Unverified> {
        if text.len() > Token::MAX_BYTES {
            return Err(refused("it is too long"));
        }
        let name = Fingerprint::of([text.as_bytes()]);
        if let Some(admission) = self.remembered(&name).await? {
            return Ok(admission);
        }
        let token = Token::read(text).ok_or_else(|| refused("it is none that could be verified"))?;
        let generation = self.verify(&token).await?;
        let claims = token.claims().ok_or_else(|| refused("its claims can't be read"))?;
        let now = self.clock.now();
        let Judged { admission, until } = self.rules.judge(&claims, now)?;
        let left = until.saturating_mul(1000).saturating_sub(u64::try_from(now.as_millis()).unwrap_or(0));
        let until = self.clock.monotonic() + Duration::from_millis(left);
        self.verified.put(name, Verified { admission: admission.clone(), generation }, until);
        Ok(admission)
    }

    /// What a token came to before, if that still stands.
    async fn remembered(&self, name: &Fingerprint) -> Result<Option<Admission>, Unverified> {
        let Some(Verified { admission, generation }) = self.verified.get(name, self.clock.monotonic()) else {
            return Ok(None);
        };
        let stands = match (generation, &self.remote) {
            (None, _) => true,
            (Some(generation), Some(remote)) => remote.current().await?.generation == generation,
            (Some(_), None) => false,
        };
        Ok(stands.then_some(admission))
    }

    /// Sees by which keys a token is signed: by one that was given (none), or of which fetched set.
    async fn verify(&self, token: &Token<'_>) -> Result<Option<u64>, Unverified> {
        let by = |keys: &KeySet| keys.verify(token);
        if by(&self.keys) == Verdict::Good {
            return Ok(None);
        }
        let Some(remote) = &self.remote else { return Err(refused("no key has signed it")) };
        let current = remote.current().await?;
        match by(&current.keys) {
            Verdict::Good => Ok(Some(current.generation)),
            Verdict::Bad => Err(refused("the key that it names has not signed it")),
            Verdict::UnknownKey => match remote.renewed(&current).await {
                Some(newer) if by(&newer.keys) == Verdict::Good => Ok(Some(newer.generation)),
                _ => Err(refused("no key has signed it")),
            },
        }
    }
}

fn refused(reason: &'static str) -> Unverified {
    Refusal::Because(reason).into()
}
