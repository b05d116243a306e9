//! What goes next: queues in memory, bounded; caps in flight; fairness between accounts and between targets.
//!
//! The volatile queues here are never the only record of a delivery: an event above the watermark is fanned out
//! again after a crash, and everything else waits in the store. Nothing here does I/O but `pump`, which fetches
//! what is due, `reopen`, which brings back what was given up, and `runner`, which makes attempts.

mod circuit;
mod lane;
mod pace;
mod plan;
mod pump;
mod queue;
mod reopen;
mod runner;
mod state;
#[cfg(test)]
mod tests;

pub(crate) use circuit::Admitted;
pub use circuit::Circuit;
pub(crate) use lane::{Aim, Job, Outcome};
pub(crate) use pace::{Pace, pacer};
pub(crate) use plan::Item;
pub(crate) use pump::{pump, settler, sweep};
pub(crate) use queue::{Claim, Dispatch, Limits};
pub(crate) use reopen::Return;
pub(crate) use runner::{attempt_now, note_health, start_runners, unsent};
