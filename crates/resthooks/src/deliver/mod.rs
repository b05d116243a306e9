//! One attempt: build the body, sign, resolve, check the address, connect, send, read a bounded answer.
//!
//! Knows nothing of stores, queues and retries: an attempt that failed is a value that `record` judges.

pub mod guard;
pub mod http;
mod prepared;
pub mod resolver;

pub(crate) use prepared::Prepared;
