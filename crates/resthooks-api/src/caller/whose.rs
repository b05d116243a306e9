//! Whose things a caller may see and change.

use resthooks::Scope;
use resthooks::model::{AccountId, KeyRole};

use crate::problem::Problem;

/// Who asks. The server finds it out from credentials; an application that embeds
/// [`consumer_router`](crate::consumer_router) inserts it into the request's extensions, and beside it, if it wants
/// another name to stand in the audit trail than its own or its account's, an [`Actor`](resthooks::model::Actor).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Caller {
    /// May see and change everything, for any account.
    Provider,
    /// May see and change what is this account's.
    Consumer(AccountId),
}

impl Caller {
    /// See [`Asker::scope`](super::Asker::scope).
    pub(super) fn scope(&self, named: Option<AccountId>) -> Result<Scope, Problem> {
        match (self, named) {
            (Self::Provider, None) => Ok(Scope::All),
            (Self::Provider, Some(account)) => Ok(Scope::Account(account)),
            (Self::Consumer(own), Some(account)) if *own != account => Err(Problem::not_found()),
            (Self::Consumer(own), _) => Ok(Scope::Account(own.clone())),
        }
    }

    /// See [`Asker::account`](super::Asker::account).
    pub(super) fn account(
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

impl From<KeyRole> for Caller {
    fn from(role: KeyRole) -> Self {
        match role {
            KeyRole::Provider => Self::Provider,
            KeyRole::Consumer(account) => Self::Consumer(account),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
