//! The node that a lab works as: how it joins, how the next one goes on where it left off, and others beside it.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use resthooks::model::{EventSeq, NodeNo};
use resthooks::seal::Vault;
use resthooks::store::{Backlog, Error, NewNode, Position, Store, Unrecorded};

use super::{Lab, Place, at, vault};

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
        let vault = vault(&[1]);
        let store = place.open(&vault).await.expect("a fresh store is opened with any key");
        let joined = store.join(&new_node("lab", LEASE)).await.expect("a node joins");
        Self {
            place,
            vault,
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
        self.beside(Arc::clone(&self.vault), lease).await.expect("what is open may be opened beside")
    }

    /// Another node with other keys.
    ///
    /// # Errors
    /// When the store is not to be opened with these.
    pub async fn another_with(&self, vault: Arc<Vault>) -> Result<Self, Error> {
        self.beside(vault, LEASE).await
    }

    async fn beside(&self, vault: Arc<Vault>, lease: Duration) -> Result<Self, Error> {
        let store = self.place.open(&vault).await?;
        let joined = store.join(&new_node("another", lease)).await.expect("a node joins");
        let sequences = self.sequences.lock().expect("nothing panics with it").clone();
        Ok(Self {
            place: Arc::clone(&self.place),
            vault,
            store: Some(store),
            joined,
            past: Vec::new(),
            inherited: Vec::new(),
            sequences: Mutex::new(sequences),
            made: Arc::clone(&self.made),
        })
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
        self.reopen_with(Arc::clone(&self.vault)).await.expect("it is opened as it was before");
    }

    /// The same with other keys. When it is not to be opened with these, it is opened with the former ones again.
    ///
    /// # Errors
    /// Why it is not.
    pub async fn reopen_with(&mut self, vault: Arc<Vault>) -> Result<(), Error> {
        if self.store().is_shared() {
            self.store().leave(self.node()).await.expect("a node may leave");
        }
        drop(self.store.take());
        let (store, refused) = match self.place.open(&vault).await {
            Ok(store) => {
                self.vault = vault;
                (store, Ok(()))
            }
            Err(error) => {
                let former = self.place.open(&self.vault).await;
                (former.expect("it is opened as it was before"), Err(error))
            }
        };
        self.go_on(store).await;
        refused
    }

    /// Goes on with what this lab's node has left.
    async fn go_on(&mut self, store: Arc<dyn Store>) {
        let before = self.node();
        let shared = store.is_shared();
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
