//! Intent: finding out whether a target's owner wants hooks, before any is sent, and whether it still does.
//!
//! `policy` says what a subscription has to confirm, `echo`, `challenge` and `options` how each is asked and what an answer
//! means, `handshake` is the state machine from one answer to the next state, `driver` the task that asks, `line` whose turn
//! it is. Everything that is known stands in the subscription itself: a node that dies leaves a confirmation that is due,
//! and any node goes on with it. Nothing here sends an event.

mod agenda;
mod ask;
mod bring;
mod challenge;
mod conclude;
mod driver;
mod echo;
mod finding;
mod handshake;
mod line;
mod options;
mod policy;
mod state;

pub(crate) use agenda::Agenda;
pub(crate) use driver::confirm;
pub(super) use handshake::describe;
pub use policy::IntentChoice;
pub(super) use policy::judge;
pub(crate) use state::IntentState;
