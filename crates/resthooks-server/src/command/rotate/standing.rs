//! Whether the nodes that work on a store can bear that it is sealed with another key: each must have it, or it could not
//! read its subscriptions any more, and none may seal with a former one, or that could never be given up. Pure.

use resthooks::model::{Node, NodeStatus};
use resthooks_postgres::SealingKey;

/// The nodes that work, or may come back: one whose lease is over may be a paused machine.
pub(super) fn working(nodes: &[Node], expired_are_gone: bool) -> Vec<&Node> {
    let works = |node: &&Node| match node.status {
        NodeStatus::Live => true,
        NodeStatus::Expired => !expired_are_gone,
        NodeStatus::Left | NodeStatus::Dead => false,
    };
    nodes.iter().filter(works).collect()
}

/// Those of them that may lack the key with this id, or seal with another.
pub(super) fn behind<'a>(working: &[&'a Node], in_use: &[SealingKey], first: &str) -> Vec<&'a Node> {
    let may_fail = |node: &&&Node| {
        in_use.iter().any(|key| node.no <= if key.id == first { key.known_at } else { key.brought_at })
    };
    working.iter().filter(may_fail).copied().collect()
}

/// Why no new key is made for nodes that work.
pub(super) fn none_knows(working: &[&Node]) -> String {
    format!(
        "{} on this store, and can't know the new key yet. Stop all nodes, run this again and start them; or, without a \
         pause: give each node the new key behind the present one and start them anew one after the other, then put it in front \
         and start them anew again, then run this with the keys in that order (docs/operations.md){}",
        names(working, "works", "work"),
        about_expired(working),
    )
}

/// What is to be done with those that are behind.
pub(super) fn must_restart(behind: &[&Node], first: &str) -> String {
    format!(
        "{} with a former key, or without the key {first}. Start them anew with it as their first key, the former ones behind \
         it, then run this again; nothing was sealed anew{}",
        names(behind, "may work", "may work"),
        about_expired(behind),
    )
}

fn names(nodes: &[&Node], one: &str, several: &str) -> String {
    let named: Vec<_> =
        nodes.iter().map(|node| format!("{} ({})", node.name, node.status.as_str())).collect();
    match nodes.len() {
        1 => format!("the node {} {one}", named.join(", ")),
        _ => format!("the nodes {} {several}", named.join(", ")),
    }
}

fn about_expired(nodes: &[&Node]) -> &'static str {
    if nodes.iter().any(|node| node.status == NodeStatus::Expired) {
        ". Those that are expired and do not run any more need not be waited for: --nodes-stopped"
    } else {
        ""
    }
}

#[cfg(test)]
mod tests {
    use resthooks::model::{NodeNo, Timestamp};

    use super::*;

    fn node(no: i64, status: NodeStatus) -> Node {
        let at = Timestamp::from_millis(0);
        Node {
            no: NodeNo(no),
            name: format!("node-{no}"),
            version: String::new(),
            status,
            started_at: at,
            renewed_at: at,
            lease_until: at,
            taken_by: None,
        }
    }

    fn key(id: &str, known_at: i64, brought_at: i64) -> SealingKey {
        SealingKey { id: id.to_owned(), known_at: NodeNo(known_at), brought_at: NodeNo(brought_at) }
    }

    fn numbers(nodes: &[&Node]) -> Vec<i64> {
        nodes.iter().map(|node| node.no.0).collect()
    }

    #[test]
    fn who_may_come_back_works() {
        let nodes =
            [(1, NodeStatus::Dead), (2, NodeStatus::Left), (3, NodeStatus::Expired), (4, NodeStatus::Live)]
                .map(|(no, status)| node(no, status));
        assert_eq!(numbers(&working(&nodes, false)), [3, 4]);
        assert_eq!(numbers(&working(&nodes, true)), [4]);
        let said = none_knows(&working(&nodes, false));
        assert!(
            said.contains("node-3 (expired), node-4 (live) work") && said.contains("--nodes-stopped"),
            "{said}"
        );
        assert!(!none_knows(&working(&nodes, true)).contains("--nodes-stopped"));
    }

    #[test]
    fn who_came_before_the_key_or_seals_with_another_is_behind() {
        let nodes = [5, 6, 7].map(|no| node(no, NodeStatus::Live));
        let all = working(&nodes, false);
        // As it should be: the former key was last brought by 4, the new one by 5, 6 and 7.
        assert!(behind(&all, &[key("new", 4, 7), key("old", 0, 4)], "new").is_empty());
        // 5 was there before the new key was known.
        assert_eq!(numbers(&behind(&all, &[key("new", 5, 7), key("old", 0, 4)], "new")), [5]);
        // 6 came with the former one as its first; 5 came before it, and nobody can tell.
        assert_eq!(numbers(&behind(&all, &[key("new", 4, 7), key("old", 0, 6)], "new")), [5, 6]);
        assert_eq!(numbers(&behind(&all, &[key("new", 7, 7)], "new")), [5, 6, 7]);
        assert!(behind(&[], &[key("new", 7, 7), key("old", 0, 6)], "new").is_empty());
    }
}
