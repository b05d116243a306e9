//! Several nodes on one PostgreSQL that these tests start, stop, break and take away themselves.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests panic where something is wrong")]

#[expect(dead_code, unused_imports, reason = "shared with the tests of a single node, which use more of it")]
#[path = "../it/support/mod.rs"]
mod support;

mod changes;
mod chaos;
mod cluster;
mod counting;
mod intent;
#[path = "../it/ordered.rs"]
mod ordered;
mod outages;
mod planned;
mod pooled;
mod postgres;
mod takeover;
