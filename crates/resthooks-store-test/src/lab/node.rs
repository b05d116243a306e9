//! The node that a lab works as: how it joins, how the next one goes on where it left off, and others beside it.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use resthooks::model::{EventSeq, NodeNo};
use resthooks::store::{Backlog, NewNode, Position, Store, Unrecorded};

use super::{Lab, Place, at};

/// Longer than any test.
const LEASE: Duration = Duration::from_secs(3_600);

/// So many deliveries are moved at once, so that it takes several steps.
const STEP: usize = 5;

/// More than any test has.
const ALL: usize = 100_000;

/// A node that joins.
fn new_node(name: &str, lease: Duration) -> NewNode {
    NewNode {
        name: name.to_owned(),
        version: "1.2.3".to_owned(),
        lease,
        started_at: at(0),
        registers_types: false,
    }
}

impl Lab {
    pub(super) async fn new(place: Arc<dyn Place>) -> Self {
        let store = place.open().await;
        let joined = store.join(&new_node("lab", LEASE)).await.expect("a node joins");
        Self {
            place,
            store: Some(store),
            joined,
            past: Vec::new(),
            inherited: Vec::new(),
            sequences: Mutex::default(),
            made: Arc::new(AtomicU64::new(0)),
        }
    }

    /// Another node on the same store, beside this one. For stores that are shared.
    pub async fn another(&self) -> Self {
        self.another_for(LEASE).await
    }

    /// The same with a lease that runs so long.
    pub async fn another_for(&self, lease: Duration) -> Self {
        let store = self.place.open().await;
        let joined = store.join(&new_node("another", lease)).await.expect("a node joins");
        let sequences = self.sequences.lock().expect("nothing panics with it").clone();
        Self {
            place: Arc::clone(&self.place),
            store: Some(store),
            joined,
            past: Vec::new(),
            inherited: Vec::new(),
            sequences: Mutex::new(sequences),
            made: Arc::clone(&self.made),
        }
    }

    /// The place.
    #[must_use]
    pub fn place(&self) -> &dyn Place {
        &*self.place
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &dyn Store {
        &**self.store.as_ref().expect("it is absent only while it is reopened")
    }

    /// The store, for another task.
    #[must_use]
    pub fn share(&self) -> Arc<dyn Store> {
        Arc::clone(self.store.as_ref().expect("it is absent only while it is reopened"))
    }

    /// The node that works here.
    #[must_use]
    pub const fn node(&self) -> NodeNo {
        self.joined.node
    }

    /// Its events are numbered above this one.
    #[must_use]
    pub const fn joined_after(&self) -> EventSeq {
        self.joined.last
    }

    /// How far this node's log goes.
    pub async fn position(&self) -> Position {
        self.store().position(self.node()).await.expect("it can be read")
    }

    /// Closes the store and opens it again: what is durable must be there. Where nodes share it, the next one takes
    /// over what this one leaves.
    pub async fn reopen(&mut self) {
        let before = self.node();
        let shared = self.store().is_shared();
        if shared {
            self.store().leave(before).await.expect("a node may leave");
        }
        drop(self.store.take());
        let store = self.place.open().await;
        self.joined = store.join(&new_node("lab", LEASE)).await.expect("a node joins");
        self.store = Some(store);
        if !shared {
            assert_eq!(self.joined.watermark, Some(self.position().await.watermark));
            self.inherited = self.inherit(&[self.node()]).await;
            return;
        }
        assert_ne!(self.node(), before, "every node has a number of its own");
        self.past.push(before);
        let taken = self.store().take_over(self.node(), true).await.expect("a live node may take over");
        assert!(taken.contains(&before), "{taken:?} has not {before:?}, which has left");
        self.inherited = self.inherit(&taken).await;
        for gone in taken {
            if self.unrecorded_of(gone).await.iter().all(|one| one.missing.is_empty()) {
                self.store().forget(self.node(), gone).await.expect("nothing is left of it");
                self.past.retain(|past| *past != gone);
            }
        }
    }

    /// Takes what waits from these nodes, in steps; how much it was.
    pub async fn inherit(&self, from: &[NodeNo]) -> Vec<Backlog> {
        let mut all: BTreeMap<_, Backlog> = BTreeMap::new();
        for gone in from {
            loop {
                let step = self.store().inherit(self.node(), *gone, STEP).await.expect("it may be inherited");
                for one in step.backlog {
                    let sum = all.entry(one.subscription).or_insert(Backlog { scheduled: 0, held: 0, ..one });
                    sum.next_due = sum.next_due.into_iter().chain(one.next_due).min();
                    sum.scheduled += one.scheduled;
                    sum.held += one.held;
                }
                if step.done {
                    break;
                }
            }
        }
        all.into_values().collect()
    }

    /// What waited when the store was last opened, by subscription.
    #[must_use]
    pub fn inherited(&self) -> &[Backlog] {
        &self.inherited
    }

    /// What waits, as a restart finds it, by subscription.
    pub async fn backlog(&mut self) -> Vec<Backlog> {
        self.reopen().await;
        self.inherited.clone()
    }

    /// The events above the watermarks of this node and of those before it, as a restart finds them.
    pub async fn unrecorded(&self) -> Vec<Unrecorded> {
        let mut all = Vec::new();
        for node in self.past.iter().chain([&self.joined.node]) {
            all.extend(self.unrecorded_of(*node).await);
        }
        all
    }

    /// A node's events above its watermark.
    pub async fn unrecorded_of(&self, node: NodeNo) -> Vec<Unrecorded> {
        let after = self.store().position(node).await.expect("it can be read").watermark;
        self.store().unrecorded(node, after, EventSeq(i64::MAX), ALL).await.expect("they can be read")
    }
}
