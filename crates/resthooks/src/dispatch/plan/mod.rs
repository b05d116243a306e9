//! Planned deliveries of one subscription: what is sent when, and what of it is read from the store.
//!
//! Each planned delivery has its row from the start, so that this is a memory of the store and nothing more: it may be
//! cleared at any moment, and is read again. Fed by commits while it is at the end of what there is, else by reads.
//! Decides alone: no I/O, no clock but the moments that it is told.

mod batched;
mod debounced;
mod ordered;
#[cfg(test)]
mod tests;
mod whole;

use whole::Next;
pub(crate) use whole::{Item, Key, Plan, Read, Replaced};
