//! What callers read back, as functions over a connection. Mirrors the interface's `History`.

mod delivery;
mod event;
mod period;

pub(crate) use delivery::{attempts, deliveries, list_deliveries, missed};
pub(crate) use event::{event_by_uid, events_by_id, list_events};
