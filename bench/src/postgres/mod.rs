//! A PostgreSQL server of the bench's own: a cluster in a temporary folder, and a database in it for each store.
//!
//! `programs` finds PostgreSQL and runs it as a user that it accepts, `cluster` is the running server, `session` speaks
//! SQL with it, `database` is one store's and says what it has done. It flushes as it does by default: what is measured
//! is durable.

mod cluster;
mod database;
mod programs;
mod session;

pub(crate) use cluster::Cluster;
pub(crate) use database::{Database, Done};
