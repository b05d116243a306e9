//! The nodes that share this store, and what others have changed or emitted. Mirrors the interface's `Nodes`.

mod change;
mod emitted;
mod membership;

pub(crate) use change::changes;
pub(crate) use emitted::{emit_statement, emitted};
pub(crate) use membership::{forget, inherit, join, leave, nodes, renew, take_over};
