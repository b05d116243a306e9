//! A node's life: it opens its store, starts the engine, lets callers in, and ends all of that in the opposite order.
//!
//! [`Node`] is the whole of it; [`store`] opens a store of either kind and [`admin_key`] sees to the provider's key. [`door`]
//! accepts connections, [`crowd`] counts them, and [`connection`] serves one of them, a [`stream`] in clear text or within
//! [`tls`], bounded in time by [`patience`]; [`signals`] says when to stop. Nothing here knows what a request means.

mod admin_key;
mod connection;
mod crowd;
mod door;
mod node;
mod patience;
mod signals;
mod store;
mod stream;
#[cfg(test)]
mod tests;
pub(crate) mod tls;

pub(crate) use node::Node;
pub(crate) use signals::{Signals, Wish};
pub(crate) use store::{OpenStore, named, postgres_options};
