//! The HTTP API over a real engine on a real store, called as the server calls it. Laid out as the URLs are; then
//! what holds for all of them.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics is one that fails")]

mod harness;
mod place;

mod account;
mod api_key;
mod audit;
mod delivery;
mod echoing_target;
mod event;
mod event_batch;
mod event_type;
mod intent;
mod missed;
mod node;
mod ops;
mod signing;
mod subscription;
mod subscription_lists;
mod terms;
mod verify;

mod authentication;
mod embedded;
mod forward_auth;
mod guard;
mod isolation;
mod jwt;
mod refusals;
mod routes;
mod scopes;
mod trusted_proxy;
