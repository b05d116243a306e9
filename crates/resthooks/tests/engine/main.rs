//! The running engine on the embedded store and over real sockets, where time matters: its clock stands still until a
//! test turns it, so that days pass in no time and nothing depends on how busy the machine is.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests panic where something is wrong")]

mod anew;
mod disabled;
mod fairness;
mod grant;
mod intent;
mod missed;
mod place;
mod planned;
mod reading;
mod receiver;
mod retention;
mod retry_after;
mod rotation;
mod schedule;
mod target;
mod terms;
mod timeouts;
mod verify;
mod world;
