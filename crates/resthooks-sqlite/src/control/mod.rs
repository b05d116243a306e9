//! What callers manage, as functions over a connection. Mirrors the interface's `Control`.

mod account;
mod audit;
mod deletion;
mod event_type;
mod key;
mod sealing;
mod snapshot;
mod subscription;

pub(crate) use account::{account, list_accounts, put_account, read_settings, written_settings};
pub(crate) use audit::{AUDIT_IN_ORDER, entry as audit_entry, list_audit, write_audit};
pub(crate) use deletion::{begin_delete_account, delete_account_step, delete_deliveries, delete_event};
pub(crate) use event_type::{delete_event_type, put_event_type};
pub(crate) use key::{KEYS, delete_key, insert_key, key, touch_keys};
pub(crate) use sealing::{lacking, note_sealing_key, reseal, sealing_keys, unreadable};
pub(crate) use snapshot::{deletions, snapshot, standing};
pub(crate) use subscription::{
    insert_subscription, list_subscriptions, subscription, subscriptions_by_no, update_subscription,
};
