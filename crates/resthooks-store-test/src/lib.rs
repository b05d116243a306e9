//! What every store must do, as one suite of named tests for all backends.
//!
//! A backend's own test binary says how a fresh store is opened ([`Place`]) and gets one test per behaviour:
//!
//! ```ignore
//! resthooks_store_test::suite!(fresh_place);
//! ```
//!
//! A store that several nodes share passes the same suite, in which one node goes on where the one before left off, and
//! [`shared_suite!`] besides.
//!
//! The modules follow the interface: `log`, `record`, `lease`, `settle` and `recovery` are its write path,
//! `control`, `key` and `account` what callers manage, `audit` what tells of that, `sealing` what nobody else may read, `event` and `delivery` what they read back, `node` who works on it and
//! `shared` what nodes do beside each other; `model` does all of it at
//! random and compares with a plain model in memory. A new behaviour is a `pub async fn` in one of them and a line
//! in [`suite!`] or [`shared_suite!`].
//!
//! Nothing here knows a backend, and no test may pass because another one ran before it.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "all of it is tests: a panic is how they fail"
)]

pub mod lab;
mod suite;

pub mod account;
pub mod audit;
pub mod control;
pub mod delivery;
pub mod event;
pub mod key;
pub mod lease;
pub mod log;
pub mod model;
pub mod node;
pub mod record;
pub mod recovery;
pub mod reopen;
pub mod retention;
pub mod sealing;
pub mod settle;
pub mod shared;

pub use lab::{Emission, Lab, Place, run};
