//! The server under test: the real binary, as a process of its own on a store of its own.

mod binary;
mod control;
pub(crate) mod metric;
mod process;

pub(crate) use binary::Binary;
pub(crate) use process::Server;
