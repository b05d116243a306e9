//! What callers read back. Mirrors the interface's `History`.

mod delivery;
mod event;
mod of_events;

pub(crate) use delivery::{attempts, deliveries, list_deliveries, missed};
pub(crate) use event::{event_by_uid, events_by_id, list_events};
