//! Accepting events: validation, group commit, fan-out, and the watermark.
//!
//! Whoever waits goes in the next transaction: there is no timer. Nothing is answered before it is durable, and what
//! a commit accepted is fanned out in its order, whether or not the caller is still there.

mod batch;
mod check;
mod collect;
mod fanout;
mod ids;
mod line;
mod outcome;
mod recover;
mod tracker;
mod writer;

pub(crate) use check::{checked, emitted};
pub(crate) use collect::collect;
pub(crate) use line::{Append, Origin, Recorded, Writer};
pub(crate) use recover::{recover, recover_taken};
pub(crate) use tracker::Tracker;
pub(crate) use writer::write;
