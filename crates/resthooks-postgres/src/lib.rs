//! The shared store: everything durable in one PostgreSQL schema, by any number of nodes.
//!
//! In the order in which data flows:
//! - [`PostgresStore`] (`store`) is what the engine holds: one node's way into the database.
//! - `numbers` gives the node's events their numbers; `partitions` sees to it that there is a place for them.
//! - `log`, `control`, `history` and `nodes` mirror the interface's parts. Every write is one statement, a call of one of
//!   the functions in `sql/`, so that no transaction ever waits for this process. `coding` of the library is the form of
//!   what is kept as bytes.
//! - `database` sends statements, each within a time limit, over the connections of a `pool`; `connection` makes those from
//!   an `address`, with `tls`; `listen` keeps the one that is told of news.
//! - `schema` brings tables and functions to this version; `vault` finds the keys that secrets are sealed with; `failure` puts PostgreSQL's errors into the store's words.
//! - `emit` emits within an application's own transaction; `watch` makes tables emit by themselves;
//!   `transfer` moves everything out of a store and into one.
//!
//! It must never judge: what is retried, who may see what and what a name looks like is decided by its caller.

mod address;
mod connection;
mod control;
mod database;
#[cfg(any(feature = "sqlx", feature = "tokio-postgres"))]
pub mod emit;
mod event_row;
mod failure;
mod history;
mod listen;
mod log;
mod nodes;
mod numbers;
mod options;
mod partitions;
mod pool;
mod query;
mod retention;
mod schema;
mod store;
mod tls;
mod transfer;
mod value;
mod vault;
pub mod watch;

pub use control::SealingKey;
pub use options::Options;
pub use store::PostgresStore;
