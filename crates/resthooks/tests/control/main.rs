//! What callers manage, through the public handle and on the embedded store: subscriptions, event types, keys,
//! accounts.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod accounts;
mod app;
mod event_types;
mod full_disk;
mod keys;
mod subscriptions;
mod targets;
