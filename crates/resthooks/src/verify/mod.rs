//! Finding out why a receiver does not accept a hook: what is wrong with a request as the receiver has it.
//!
//! `header` reads the signature headers, `received` the rest of the request, `keys` says which of a subscription's keys a
//! signature was made with, `compare` what has become of a body, and `ask` puts a verdict together, with what the store
//! knows of the delivery. Nothing here tells a secret, or whether a guess at one was close.

mod ask;
mod compare;
mod header;
mod keys;
mod received;
mod verdict;

pub use header::{Broken, MAX_HEADER_BYTES, MAX_SIGNATURES, Signatures, hook_signatures, signatures};
pub use received::Received;
pub use verdict::{Code, Matched, Scheme, Verdict};
