//! What callers manage. Mirrors the interface's `Control`.

mod account;
mod audit;
mod deletion;
mod event_type;
mod key;
mod sealing;
mod snapshot;
mod subscription;

pub(crate) use account::{account, list_accounts, put_account, read_settings, settings_of, written_settings};
pub(crate) use audit::{changed, entry as audit_entry, list_audit};
pub(crate) use deletion::{begin_delete_account, delete_account_step, deletions};
pub(crate) use event_type::{delete_event_type, event_types_named, put_event_type};
pub(crate) use key::{
    COLUMNS as KEY_COLUMNS, delete_key, insert_key, key, key_id, keys_of, keys_with, touch_keys,
};
pub use sealing::SealingKey;
pub(crate) use sealing::{bring_keys, reseal, seal_clear, sealing, sealing_keys, unreadable};
pub(crate) use snapshot::{snapshot, standing};
pub(crate) use subscription::{
    insert_subscription, list_subscriptions, live_subscriptions_of, subscription, subscriptions_by_no,
    update_subscription,
};
