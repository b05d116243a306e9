//! What the provider says of an account.

use serde::{Deserialize, Serialize};

use super::Intent;

/// An account's settings; what is absent is as the server has it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct AccountSettings {
    /// How its receivers confirm their intent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intent: Option<Intent>,
}

impl AccountSettings {
    /// Whether they say anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
