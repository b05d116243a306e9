//! The embedded store: everything durable in one SQLite file, by one process.
//!
//! In the order in which data flows:
//! - [`SqliteStore`] (`store`) is what the engine holds. It asks the *writer* or the *readers* and nothing else.
//! - `writer` owns the one connection that writes, on a thread of its own, and runs jobs in transactions; `memory`
//!   is what it remembers between them.
//! - `log`, `control` and `history` mirror the interface's parts: plain functions over a connection, SQL inside.
//! - `nodes` is the one node that there is.
//! - `transfer` moves everything out of a store and into one.
//! - `readers` lends read-only connections to blocking threads, so that no read waits for a write.
//! - `checkpoint` moves the write-ahead log into the file, outside the path of commits.
//! - `event_row` reads an event back; `schema` is the tables and their versions; `lock` keeps a second process out; `vault`
//!   has the keys that secrets are sealed with;
//!   `failure` puts SQLite's errors into the store's words. What is kept as bytes has the form of `resthooks::store::coding`.
//!
//! It must never judge: what is retried, who may see what and what a name looks like is decided by its caller.

mod checkpoint;
mod connection;
mod control;
mod event_row;
mod failure;
mod history;
mod lock;
mod log;
mod memory;
mod nodes;
mod options;
mod query;
mod readers;
mod retention;
mod schema;
mod store;
mod transfer;
mod vault;
mod writer;

pub use options::Options;
pub use store::SqliteStore;
