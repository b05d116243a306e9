//! The claim check: what a subscription has missed.

pub(crate) mod acknowledge;
mod input;
pub(crate) mod list;
pub(crate) mod release;
