//! A node's life: it opens its store, starts the engine, lets callers in, and ends all of that in the opposite order.
//!
//! [`Node`] is the whole of it; [`store`] opens a store of either kind and [`admin_key`] sees to the provider's key. [`door`]
//! accepts connections and [`connection`] serves one of them, bounded in time by [`patience`]; [`signals`] says when to stop. Nothing here knows what a request means.

mod admin_key;
mod connection;
mod door;
mod node;
mod patience;
mod signals;
mod store;
#[cfg(test)]
mod tests;

pub(crate) use node::Node;
pub(crate) use signals::Signals;
pub(crate) use store::{OpenStore, postgres_options};
