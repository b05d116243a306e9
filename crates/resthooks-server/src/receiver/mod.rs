//! The other side: what a receiver of hooks does. For `listen` and `demo`.
//!
//! Takes hooks over HTTP and checks their signatures from the text of the specification alone: nothing of the engine's
//! own signing is used, or the check would prove nothing.

mod handshake;
mod server;
mod verify;

pub(crate) use server::{Hook, receive};
pub(crate) use verify::{check_secret, verify};
