//! Tokens of others, through the router: good ones, attacks, and keys that are fetched.

mod attacks;
mod good;
mod mutated;
mod remote;
pub(crate) mod signer;
