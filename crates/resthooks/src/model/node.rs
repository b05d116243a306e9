//! Nodes: the processes that work on one store.

use super::Timestamp;

/// A node's number, given by the store when it joins and never given twice: a process that starts again, or joins
/// again after it was taken over, is another node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct NodeNo(pub i64);

/// Whether a node works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NodeStatus {
    /// Its lease runs.
    Live,
    /// Its lease has ended and nobody has taken over yet; it may still come back.
    Expired,
    /// It stopped in order; what it left is taken over at once.
    Left,
    /// It was taken over: whatever it still writes is refused.
    Dead,
}

impl NodeStatus {
    /// The word used in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Expired => "expired",
            Self::Left => "left",
            Self::Dead => "dead",
        }
    }
}

/// A node as the store knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Its number.
    pub no: NodeNo,
    /// What its operator calls it.
    pub name: String,
    /// The program's version.
    pub version: String,
    /// Whether it works.
    pub status: NodeStatus,
    /// When it joined.
    pub started_at: Timestamp,
    /// When it last lengthened its lease.
    pub renewed_at: Timestamp,
    /// Until when its lease runs, unless it lengthens it.
    pub lease_until: Timestamp,
    /// Who took it over, if somebody has.
    pub taken_by: Option<NodeNo>,
}
