//! The form of what is kept as bytes or small numbers rather than as columns of its own.
//!
//! Each form is read back by every later version: what stands here is never changed, only added to.

mod attempt;
mod matched;
mod status;
mod varint;

pub(crate) use attempt::{decode_attempt, encode_attempt};
pub(crate) use matched::{count_matched, decode_matched, encode_matched};
pub(crate) use status::{delivery_status, delivery_status_code, subscription_status_code};
