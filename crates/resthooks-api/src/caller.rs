//! Who asks: found out before anything else of a request is looked at.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{HeaderMap, StatusCode};
use resthooks::model::{AccountId, KeyRole};
use resthooks::{Hooks, Scope};

use crate::api::{Api, Callers};
use crate::problem::Problem;

/// Who asks. The server finds it out from an API key; an application that embeds
/// [`consumer_router`](crate::consumer_router) inserts it into the request's extensions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Caller {
    /// May see and change everything, for any account.
    Provider,
    /// May see and change what is this account's.
    Consumer(AccountId),
}

impl Caller {
    /// What the caller may see, narrowed to the account that the request names, if it names one. A consumer that
    /// names another account than its own gets what it would get for one that does not exist.
    pub(crate) fn scope(&self, named: Option<AccountId>) -> Result<Scope, Problem> {
        match (self, named) {
            (Self::Provider, None) => Ok(Scope::All),
            (Self::Provider, Some(account)) => Ok(Scope::Account(account)),
            (Self::Consumer(own), Some(account)) if *own != account => Err(Problem::not_found()),
            (Self::Consumer(own), _) => Ok(Scope::Account(own.clone())),
        }
    }

    /// The one account that something is done for: a consumer's own, or the one that the provider has to name, in
    /// the body or the query.
    pub(crate) fn account(
        &self,
        body: Option<AccountId>,
        query: Option<AccountId>,
    ) -> Result<AccountId, Problem> {
        let named = match (body, query) {
            (Some(one), Some(other)) if one != other => {
                // A consumer must not learn more from naming two accounts than from naming one.
                self.scope(Some(one))?;
                self.scope(Some(other))?;
                return Err(Problem::field("account", "differs between the body and the query"));
            }
            (one, other) => one.or(other),
        };
        match self.scope(named)? {
            Scope::Account(account) => Ok(account),
            Scope::All => Err(Problem::field("account", "must be given: whose it is")),
        }
    }
}

impl FromRequestParts<Arc<Api>> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Problem> {
        match api.callers {
            Callers::ApiKeys => authenticate(&api.hooks, &parts.headers),
            Callers::Embedder => parts.extensions.get::<Self>().cloned().ok_or_else(|| {
                Problem::unauthorized("the application has not said who asks").without_challenge()
            }),
        }
    }
}

/// Admits the provider alone.
#[derive(Debug)]
pub(crate) struct Provider;

impl FromRequestParts<Arc<Api>> for Provider {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Problem> {
        match Caller::from_request_parts(parts, api).await? {
            Caller::Provider => Ok(Self),
            Caller::Consumer(_) => {
                Err(Problem::new(StatusCode::FORBIDDEN, "forbidden", "this is for the provider alone"))
            }
        }
    }
}

fn authenticate(hooks: &Hooks, headers: &HeaderMap) -> Result<Caller, Problem> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next().ok_or_else(|| Problem::unauthorized("an API key is needed"))?;
    if values.next().is_some() {
        return Err(Problem::unauthorized("there is more than one Authorization header"));
    }
    let role = match credentials(value.as_bytes()) {
        Some(Credentials::Bearer(key)) => hooks.authenticate(key),
        Some(Credentials::Basic(user)) => hooks.authenticate(&user),
        None => {
            return Err(Problem::unauthorized(
                "Authorization must be 'Bearer KEY', or Basic with the key as user name",
            ));
        }
    };
    match role {
        Some(KeyRole::Provider) => Ok(Caller::Provider),
        Some(KeyRole::Consumer(account)) => Ok(Caller::Consumer(account)),
        None => Err(Problem::unauthorized("this API key is not known")),
    }
}

enum Credentials<'a> {
    Bearer(&'a str),
    Basic(String),
}

/// Reads `Bearer KEY` or `Basic base64(KEY:ignored)`; the scheme in any case.
fn credentials(value: &[u8]) -> Option<Credentials<'_>> {
    let (scheme, rest) = std::str::from_utf8(value).ok()?.split_once(' ')?;
    let rest = rest.trim_matches(' ');
    if rest.is_empty() {
        return None;
    }
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(Credentials::Bearer(rest));
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = STANDARD.decode(rest).or_else(|_| STANDARD_NO_PAD.decode(rest)).ok()?;
    let mut text = String::from_utf8(decoded).ok()?;
    text.truncate(text.find(':').unwrap_or(text.len()));
    Some(Credentials::Basic(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &str) -> Option<String> {
        credentials(value.as_bytes()).map(|found| match found {
            Credentials::Bearer(key) => key.to_owned(),
            Credentials::Basic(user) => user,
        })
    }

    #[test]
    fn bearer_and_basic_carry_a_key() {
        let basic = |text: &str| format!("Basic {}", STANDARD.encode(text));
        for good in ["Bearer k1", "bearer k1", "BEARER  k1 ", "Basic azE6", "Basic azE"] {
            assert_eq!(read(good).as_deref(), Some("k1"), "{good}");
        }
        assert_eq!(read(&basic("k1:password")).as_deref(), Some("k1"));
        assert_eq!(read(&basic("k1")).as_deref(), Some("k1"));
        for bad in ["", "k1", "Bearer", "Bearer ", "Digest k1", "Basic %%%", "Basic /w=="] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_consumer_naming_another_account_finds_nothing() {
        let account = |text: &str| text.parse::<AccountId>().unwrap();
        let consumer = Caller::Consumer(account("a"));
        assert_eq!(consumer.scope(None).unwrap(), Scope::Account(account("a")));
        assert_eq!(consumer.scope(Some(account("b"))).unwrap_err().code(), "not_found");
        assert_eq!(consumer.account(Some(account("a")), Some(account("b"))).unwrap_err().code(), "not_found");
        assert_eq!(Caller::Provider.account(None, None).unwrap_err().errors()[0].field, "account");
        assert_eq!(Caller::Provider.account(None, Some(account("b"))).unwrap(), account("b"));
        let both = Caller::Provider.account(Some(account("a")), Some(account("b")));
        assert_eq!(both.unwrap_err().errors()[0].field, "account");
    }
}
