//! Accounts: what they hold, and deleting all of it.

use crate::error::Error;
use crate::hooks::{Hooks, List};
use crate::model::AccountId;
use crate::store::{AccountSummary, Page};

impl Hooks {
    /// Accounts that hold anything, ascending by id.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn accounts(&self, page: Page<AccountId>) -> Result<List<AccountSummary, AccountId>, Error> {
        todo!()
    }

    /// What one account holds.
    ///
    /// # Errors
    /// [`Error::NotFound`] when it holds nothing.
    pub async fn account(&self, id: &AccountId) -> Result<AccountSummary, Error> {
        todo!()
    }

    /// Deletes all that is an account's: keys and subscriptions at once, events and deliveries until the answer.
    /// A crash in between is made up for at the next start.
    ///
    /// # Errors
    /// [`Error::NotFound`] when it holds nothing.
    pub async fn delete_account(&self, id: &AccountId) -> Result<(), Error> {
        todo!()
    }
}
