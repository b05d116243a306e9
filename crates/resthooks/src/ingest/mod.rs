//! Accepting events: validation, group commit, fan-out, and the watermark.
//!
//! Whoever waits goes in the next transaction: there is no timer. Nothing is answered before it is durable, and what
//! a commit accepted is fanned out in its order, whether or not the caller is still there.

mod check;
mod fanout;
mod ids;
mod recover;
mod tracker;
mod writer;

pub(crate) use check::checked;
pub(crate) use recover::recover;
pub(crate) use tracker::Tracker;
pub(crate) use writer::{Append, Recorded, Writer, write};
