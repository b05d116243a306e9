//! The HTTP client against real sockets: receivers that behave, that break, and that mean harm.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests panic where something is wrong")]

mod addresses;
mod authority;
mod calls;
mod hostile;
mod identity;
mod peer;
mod plain;
mod proxies;
mod tables;
mod tls;
