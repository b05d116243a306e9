//! What an API key looks like: never the key itself.

use std::str::FromStr;

use resthooks::model::{Access, AccountId, ApiKey, KeyId, KeyRole, KeyScope, Timestamp};
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

/// What a key may do.
#[derive(ToSchema)]
#[schema(as = ApiKeyScope, rename_all = "snake_case")]
#[expect(dead_code, reason = "only its schema is used: keys have the engine's own words")]
pub(crate) enum Scope {
    /// Everything, for any account.
    Provider,
    /// Everything with what is its account's.
    Consumer,
    /// Posting events, and nothing else.
    Emit,
    /// Reading all but secrets, and nothing else.
    Read,
}

/// An API key, without the key.
#[derive(Serialize, ToSchema)]
#[schema(as = ApiKey)]
pub(crate) struct Resource {
    /// Its id.
    #[schema(value_type = String, example = "key_01k6x8t1m2n3p4q5r6s7t8v9wa")]
    id: KeyId,
    /// What it may do.
    #[schema(value_type = Vec<Scope>)]
    scopes: Vec<KeyScope>,
    /// The account that it admits to; `null` for any.
    #[schema(value_type = Option<String>, required = true)]
    account: Option<AccountId>,
    /// The older form of `scopes`; `null` for a key with `emit` or `read`.
    #[schema(required = true, deprecated)]
    role: Option<Role>,
    /// What it was named.
    #[schema(required = true)]
    name: Option<String>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it ends by itself; `null` for never.
    #[schema(value_type = Option<String>, format = DateTime, required = true)]
    expires_at: Option<Timestamp>,
    /// When it was last used, to the minute or so; `null` for never.
    #[schema(value_type = Option<String>, format = DateTime, required = true)]
    last_used_at: Option<Timestamp>,
}

impl From<ApiKey> for Resource {
    fn from(key: ApiKey) -> Self {
        let role = match (key.access, &key.role) {
            (Access::Limited { .. }, _) => None,
            (Access::Full, KeyRole::Provider) => Some(Role::Provider),
            (Access::Full, KeyRole::Consumer(_)) => Some(Role::Consumer),
        };
        Self {
            id: key.id,
            scopes: key.scopes(),
            account: key.role.account().cloned(),
            role,
            name: key.name,
            created_at: key.created_at,
            expires_at: key.expires_at,
            last_used_at: key.last_used_at,
        }
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
