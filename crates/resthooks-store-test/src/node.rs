//! The node that works on a store.

use resthooks::model::NodeStatus;

use crate::lab::{Lab, at};

/// Whoever has joined is seen as it called itself, and lives.
pub async fn a_node_is_seen_once_it_has_joined(mut lab: Lab) {
    for _ in 0..2 {
        let nodes = lab.store().nodes().await.unwrap();
        let own = nodes.iter().find(|node| node.no == lab.node()).unwrap();
        assert_eq!((own.name.as_str(), own.version.as_str()), ("lab", "1.2.3"));
        assert_eq!((own.status, own.taken_by, own.started_at), (NodeStatus::Live, None, at(0)));
        assert!(own.renewed_at < own.lease_until);
        let live = nodes.iter().filter(|node| node.status == NodeStatus::Live).count();
        assert_eq!(live, 1, "the one before it has ended: {nodes:?}");
        lab.reopen().await;
    }
}
