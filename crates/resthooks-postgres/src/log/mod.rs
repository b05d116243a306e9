//! The write path and what a restart needs. Mirrors the interface's `Log`.

mod columns;
mod commit;
mod find;
mod planned;
mod recovery;
mod reopen;
mod waiting;

pub(crate) use commit::{Seen, commit, statement as commit_statement};
pub(crate) use find::find_ids;
pub(crate) use planned::{lease_planned, planned_news};
pub(crate) use recovery::{position, unrecorded};
pub(crate) use reopen::reopen;
pub(crate) use waiting::{claim, lease_due, settle};
