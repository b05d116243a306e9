//! Who asks, found out before anything else of a request is looked at: whose things they may see, how much they may do
//! with those, and under which name it stands in the audit trail.
//!
//! A handler takes an [`Asker`], or one of the gates that admit fewer; which one it takes is all that it says of who may
//! call it. How callers prove themselves is `credentials`' affair.

mod asker;
mod gate;
mod identity;
mod whose;

pub(crate) use asker::{Admission, Asker};
pub(crate) use gate::{Emitter, Owner, Provider};
pub(crate) use identity::Identity;
pub use whose::Caller;
