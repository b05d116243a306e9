//! What an API key looks like: never the key itself.

use std::str::FromStr;

use resthooks::model::{AccountId, ApiKey, KeyId, KeyRole, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

/// What a key admits to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Role {
    /// Everything, for any account.
    Provider,
    /// One account's own things.
    Consumer,
}

impl FromStr for Role {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "provider" => Ok(Self::Provider),
            "consumer" => Ok(Self::Consumer),
            _ => Err("must be provider or consumer"),
        }
    }
}

/// An API key, without the key.
#[derive(Serialize, ToSchema)]
#[schema(as = ApiKey)]
pub(crate) struct Resource {
    /// Its id.
    #[schema(value_type = String, example = "key_01k6x8t1m2n3p4q5r6s7t8v9wa")]
    id: KeyId,
    /// What it admits to.
    role: Role,
    /// The account it admits to; `null` for a provider's key.
    #[schema(value_type = Option<String>, required = true)]
    account: Option<AccountId>,
    /// What it was named.
    #[schema(required = true)]
    name: Option<String>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

impl From<ApiKey> for Resource {
    fn from(key: ApiKey) -> Self {
        let (role, account) = match key.role {
            KeyRole::Provider => (Role::Provider, None),
            KeyRole::Consumer(account) => (Role::Consumer, Some(account)),
        };
        Self { id: key.id, role, account, name: key.name, created_at: key.created_at }
    }
}

/// A key that has just been made. It is shown this once.
#[derive(Serialize, ToSchema)]
#[schema(as = NewApiKey)]
pub(crate) struct Made {
    #[serde(flatten)]
    pub resource: Resource,
    /// The key itself, to be sent as `Authorization: Bearer KEY`.
    pub key: String,
}
