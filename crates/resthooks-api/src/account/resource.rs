//! What an account looks like.

use resthooks::model::{AccountId, Intent, Timestamp};
use resthooks::store::AccountSummary;
use serde::Serialize;
use utoipa::ToSchema;

/// An account and what it holds.
#[derive(Serialize, ToSchema)]
#[schema(as = Account)]
pub(crate) struct Resource {
    /// The identifier that the provider chose.
    #[schema(value_type = String, example = "tenant-42")]
    id: AccountId,
    /// When it was first seen.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// Its subscriptions that have not ended.
    subscriptions: u64,
    /// Its events that are kept.
    events: u64,
    /// Its API keys.
    api_keys: u64,
    /// How its targets confirm that their owners want hooks; `null` for the server's own policy.
    #[schema(value_type = Option<String>, required = true, example = "echo")]
    intent: Option<&'static str>,
}

impl From<AccountSummary> for Resource {
    fn from(summary: AccountSummary) -> Self {
        let AccountSummary { id, created_at, subscriptions, events, api_keys, settings } = summary;
        let intent = settings.intent.map(Intent::as_str);
        Self { id, created_at, subscriptions, events, api_keys, intent }
    }
}
