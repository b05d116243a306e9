//! The nodes under test: the real binary, each as a process of its own, together on a store of their own.

mod binary;
mod control;
pub(crate) mod metric;
mod nodes;
mod process;

pub(crate) use binary::Binary;
pub(crate) use nodes::{Aim, Nodes};
