//! How callers prove themselves: an API key of ours, or what the provider's own API is called with, each by
//! configuration.
//!
//! `authorization` reads the header, `authenticate` tries what there is, in one order for all. A refusal never repeats a
//! credential and tells no more of why than that something has expired; whoever can't be asked (a set of keys, the
//! provider's own authentication) admits nobody.

mod authenticate;
mod authorization;

pub(crate) use authenticate::authenticate;
