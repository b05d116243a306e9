//! What the end-to-end tests are made of: the real binary as a process of its own ([`Server`]), a plain client to
//! ask it with ([`Api`]), and targets that behave as they are told, byte by byte ([`Target`]).
//!
//! Nothing here uses the product's own code: what it says is judged from outside.

mod api;
mod chance;
mod hooks;
pub(crate) mod line;
mod patience;
mod server;
mod target;
mod wire;

pub(crate) use api::{Answer, Api};
pub(crate) use chance::Chance;
pub(crate) use hooks::{ACCOUNT, Subscribed, duration_ms, outcomes};
pub(crate) use patience::{eventually, now, pass, within};
pub(crate) use server::{Server, Setup};
pub(crate) use target::{Received, Reply, Target};
