//! What a node looks like.

use resthooks::model::{Node, NodeNo, NodeStatus, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

/// Whether a node works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = NodeStatus)]
pub(crate) enum Status {
    /// Its lease runs.
    Live,
    /// Its lease has ended and nobody has taken over yet; it may still come back.
    Expired,
    /// It stopped in order; what it left is taken over at once.
    Left,
    /// It was taken over: whatever it still writes is refused.
    Dead,
}

impl From<NodeStatus> for Status {
    fn from(status: NodeStatus) -> Self {
        match status {
            NodeStatus::Live => Self::Live,
            NodeStatus::Expired => Self::Expired,
            NodeStatus::Left => Self::Left,
            NodeStatus::Dead => Self::Dead,
        }
    }
}

/// A process that works on the store.
#[derive(Serialize, ToSchema)]
#[schema(as = Node)]
pub(crate) struct Resource {
    /// Its id, never given twice: a process that starts again is another node.
    #[schema(example = "node_12")]
    id: String,
    /// What its operator calls it.
    #[schema(example = "web-1 4711")]
    name: String,
    /// The version of `resthooks` that it runs.
    #[schema(example = "0.1.0")]
    version: String,
    /// Whether it works.
    status: Status,
    /// When it joined.
    #[schema(value_type = String, format = DateTime)]
    started_at: Timestamp,
    /// When it last lengthened its lease.
    #[schema(value_type = String, format = DateTime)]
    renewed_at: Timestamp,
    /// Until when its lease runs, unless it lengthens it.
    #[schema(value_type = String, format = DateTime)]
    lease_until: Timestamp,
    /// The node that took it over; `null` when none has.
    #[schema(required = true, example = json!(null))]
    taken_by: Option<String>,
    /// Whether it is the one that answers.
    #[serde(rename = "self")]
    is_self: bool,
}

impl Resource {
    pub(super) fn new(node: Node, own: NodeNo) -> Self {
        let Node { no, name, version, status, started_at, renewed_at, lease_until, taken_by } = node;
        Self {
            id: id(no),
            name,
            version,
            status: status.into(),
            started_at,
            renewed_at,
            lease_until,
            taken_by: taken_by.map(id),
            is_self: no == own,
        }
    }
}

fn id(no: NodeNo) -> String {
    format!("node_{}", no.0)
}
