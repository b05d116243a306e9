//! The form of what is kept as bytes or small numbers rather than as columns of its own.
//!
//! Shared by the backends that keep such forms, so that there is one of each.
//!
//! Each form is read back by every later version: what stands here is never changed, only added to.

mod attempt;
mod document;
mod matched;
mod status;
mod varint;

pub use attempt::{decode_attempt, encode_attempt};
pub use document::{DocumentError, is_sealed_now, open_subscription, reseal_document, seal_subscription};
pub use matched::{count_matched, decode_matched, encode_matched};
pub use status::{delivery_status, delivery_status_code, subscription_status_code};
