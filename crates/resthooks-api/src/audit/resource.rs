//! What an entry of the audit trail looks like.

use resthooks::model::{AccountId, Actor, AuditAction, AuditEntry, AuditId, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

/// One change, and who made it.
#[derive(Serialize, ToSchema)]
#[schema(as = AuditEntry)]
pub(crate) struct Resource {
    /// Its id.
    #[schema(value_type = String, example = "aud_01k6x8t1m2n3p4q5r6s7t8v9wa")]
    id: AuditId,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// Who made it: a kind and which one, such as `key:key_…`, `jwt:…`, `forward:…`, `proxy:…`, `command:key`;
    /// `application` for the one that embeds the engine, `system` for the engine itself.
    #[schema(value_type = String, example = "key:key_01k6x8t1m2n3p4q5r6s7t8v9wa")]
    actor: Actor,
    /// What was done.
    #[schema(value_type = String, example = "subscription.updated")]
    action: AuditAction,
    /// To what: its id or its name.
    #[schema(example = "sub_01k6x8t1m2n3p4q5r6s7t8v9wa")]
    object: String,
    /// Whose that is; `null` for what is the provider's.
    #[schema(value_type = Option<String>, required = true)]
    account: Option<AccountId>,
    /// The settings that were changed: their names alone.
    #[schema(example = json!(["target_url"]))]
    changed: Vec<String>,
    /// Why, where that is not plain.
    #[schema(required = true)]
    reason: Option<String>,
}

impl From<AuditEntry> for Resource {
    fn from(entry: AuditEntry) -> Self {
        let AuditEntry { id, at, actor, action, object, account, changed, reason } = entry;
        Self { id, at, actor, action, object, account, changed, reason }
    }
}
