//! What callers manage. Mirrors the interface's `Control`.

mod account;
mod deletion;
mod event_type;
mod key;
mod snapshot;
mod subscription;

pub(crate) use account::{account, list_accounts};
pub(crate) use deletion::{begin_delete_account, delete_account_step, deletions};
pub(crate) use event_type::{delete_event_type, event_types_named, put_event_type};
pub(crate) use key::{delete_key, insert_key, key_id, keys_of, keys_with};
pub(crate) use snapshot::{snapshot, standing};
pub(crate) use subscription::{
    insert_subscription, list_subscriptions, live_subscriptions_of, subscription, subscriptions_by_no,
    update_subscription,
};
