//! One attempt: build the body, sign, resolve, check the address, connect, send, read a bounded answer.
//!
//! Knows nothing of stores, queues and retries: an attempt that failed is a value that `record` judges.

mod attempt;
mod batch;
pub mod guard;
pub mod http;
pub(crate) mod mask;
pub(crate) mod payload;
mod prepared;
pub mod resolver;
mod sign;

pub(crate) use attempt::{Request, attempt, bodies, payload_of, recorded};
pub(crate) use prepared::Prepared;
