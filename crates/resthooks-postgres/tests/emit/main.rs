//! Emitting within transactions and straight from tables, on a real server.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "all of it is tests: a panic is how they fail"
)]

mod app;
mod arriving;
mod bulk;
mod changing;
mod emitting;
mod tables;
mod watching;

#[path = "../it/place.rs"]
mod place;
