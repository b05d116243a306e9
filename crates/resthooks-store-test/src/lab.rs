//! Where a behaviour is tried: one fresh store, and makers of what goes into it.

mod made;
mod node;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use resthooks::env::SeededRandom;
use resthooks::model::{
    AccountId, Actor, AuditAction, AuditEntry, AuditId, Event, EventId, EventName, Match, NodeNo,
    PayloadKind, Secret, SequencedEvent, Subscription, SubscriptionId, SubscriptionNo, SubscriptionStatus,
    Timestamp, Uid,
};
use resthooks::seal::{SecretKey, Vault};
use resthooks::store::{Backlog, Batch, Committed, Error, Joined, Page, Record, Store};

pub use made::{attempt, delivered, key, places, record, scheduled};

/// Where a backend keeps one store of its own.
#[async_trait]
pub trait Place: Send + Sync + 'static {
    /// Opens it with these keys; the first time it is empty. A store that is shared may be opened several times at once;
    /// another one is opened again only when everything of the time before was dropped.
    ///
    /// # Errors
    /// The store's, when it is not to be opened with these keys.
    async fn open(&self, vault: &Arc<Vault>) -> Result<Arc<dyn Store>, Error>;

    /// Executes the store's statement for emitting, in a transaction that is then committed or rolled back, and gives
    /// what it answered. Asked of stores that have such a statement.
    async fn emit(&self, statement: &str, emission: &Emission, commit: bool) -> String {
        panic!("{statement} of {emission:?} (committed: {commit}) can't be executed here")
    }
}

/// What an application emits: the statement's parameters, in their order.
#[derive(Debug, Clone, Default)]
pub struct Emission {
    /// The event's type.
    pub event: String,
    /// Whose it is.
    pub account: String,
    /// The data, JSON as text.
    pub data: String,
    /// The producer's id.
    pub id: Option<String>,
    /// When it happened, in milliseconds.
    pub created_at: Option<i64>,
    /// Where the resource can be read.
    pub resource_url: Option<String>,
    /// Its key for order.
    pub order_key: Option<String>,
    /// Its key for debouncing.
    pub debounce_key: Option<String>,
}

/// Tries one behaviour on a fresh store.
///
/// # Panics
/// When the store does not behave so.
pub fn run(place: impl Place, behaviour: impl AsyncFnOnce(Lab)) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime needs only threads");
    runtime.block_on(async {
        behaviour(Lab::new(Arc::new(place)).await).await;
    });
}

/// A store under test, and the node that works on it.
pub struct Lab {
    place: Arc<dyn Place>,
    vault: Arc<Vault>,
    store: Option<Arc<dyn Store>>,
    joined: Joined,
    /// The nodes before this one whose events are not all recorded.
    past: Vec<NodeNo>,
    /// What waited when the store was last opened.
    inherited: Vec<Backlog>,
    /// The last sequence given for each subscription, as this node believes.
    sequences: Mutex<BTreeMap<SubscriptionNo, u64>>,
    made: Arc<AtomicU64>,
}

impl std::fmt::Debug for Lab {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Lab")
    }
}

/// The time at which tests begin.
pub const START: i64 = 1_767_323_045_678;

/// So many milliseconds after [`START`].
#[must_use]
pub fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(START + millis)
}

/// An account's id.
#[must_use]
pub fn account(id: &str) -> AccountId {
    id.parse().expect("tests write valid ids")
}

/// The name of an event type.
#[must_use]
pub fn name(name: &str) -> EventName {
    name.parse().expect("tests write valid names")
}

/// The nth key to seal with.
#[must_use]
pub fn secret_key(n: u64) -> SecretKey {
    SecretKey::random(&SeededRandom::new(n))
}

/// A vault that seals with the first of these keys and opens with all of them. Labs begin with key 1 alone.
///
/// # Panics
/// Without a key.
#[must_use]
pub fn vault(keys: &[u64]) -> Arc<Vault> {
    let keys: Vec<SecretKey> = keys.iter().map(|n| secret_key(*n)).collect();
    let (first, others) = keys.split_first().expect("a vault has a key");
    Arc::new(Vault::new(first, others))
}

/// The first page.
#[must_use]
pub const fn first<C>(limit: usize) -> Page<C> {
    Page { after: None, limit }
}

/// The page after this one.
#[must_use]
pub const fn after<C>(cursor: C, limit: usize) -> Page<C> {
    Page { after: Some(cursor), limit }
}

impl Lab {
    /// A unique part that no other call gives, ascending.
    pub fn uid(&self) -> Uid {
        let n = self.made.fetch_add(1, Ordering::Relaxed);
        Uid::new(at(0), u128::from(n))
    }

    /// An entry of the audit trail that tells of a provider's thing, not written yet.
    pub fn entry(&self, action: AuditAction, object: impl ToString) -> AuditEntry {
        AuditEntry {
            id: AuditId(self.uid()),
            at: at(0),
            actor: Actor::application(),
            action,
            object: object.to_string(),
            account: None,
            changed: Vec::new(),
            reason: None,
        }
    }

    /// A subscription of this account to everything, not inserted yet.
    #[must_use]
    pub fn subscription(&self, of: &str) -> Subscription {
        let id = SubscriptionId(self.uid());
        Subscription {
            no: SubscriptionNo(0),
            version: 0,
            id,
            account: account(of),
            events: vec!["*".parse().expect("a valid pattern")],
            target_url: "https://example.com/hook".parse().expect("a valid URL"),
            status: SubscriptionStatus::Active,
            status_reason: None,
            description: None,
            metadata: None,
            payload: PayloadKind::Full,
            headers: std::collections::BTreeMap::new(),
            terms: Default::default(),
            secret: Secret::from_key([7; 32]),
            previous_secret: None,
            signing_key: None,
            intent: resthooks::model::Intent::None,
            intent_confirmed_at: None,
            handshake: None,
            grant: None,
            created_at: at(0),
            updated_at: at(0),
        }
    }

    /// Inserts a subscription of this account.
    pub async fn subscribe(&self, of: &str) -> Subscription {
        self.insert(self.subscription(of)).await
    }

    /// Inserts this subscription.
    pub async fn insert(&self, mut new: Subscription) -> Subscription {
        new.no = self.store().insert_subscription(&new, None).await.expect("a new subscription is inserted");
        new
    }

    /// Changes this subscription.
    pub async fn update(&self, changed: Subscription) -> Subscription {
        self.store().update_subscription(&changed, None).await.expect("it has this version");
        Subscription { version: changed.version + 1, ..changed }
    }

    /// An event of this account that matches these subscriptions, each with the next sequence.
    #[must_use]
    pub fn event(&self, of: &str, matched: &[&Subscription]) -> Event {
        let uid = self.uid();
        let mut sequences = self.sequences.lock().expect("nothing panics with it");
        let mut next = |no: SubscriptionNo| {
            let last = sequences.entry(no).or_default();
            *last += 1;
            *last
        };
        let mut matched: Vec<Match> =
            matched.iter().map(|one| Match { subscription: one.no, sequence: next(one.no) }).collect();
        matched.sort_unstable();
        Event {
            uid,
            id: EventId::generated(uid),
            account: account(of),
            event: name("contact.create"),
            created_at: at(0),
            data: Bytes::from_static(b"{\"id\": 7}"),
            resource_url: None,
            order_key: None,
            debounce_key: None,
            digest: None,
            matched,
        }
    }

    /// Commits this batch as this lab's node.
    ///
    /// # Errors
    /// The store's.
    pub async fn commit(&self, batch: Batch) -> Result<Committed, Error> {
        self.store().commit(Arc::new(Batch { node: self.node(), ..batch })).await
    }

    /// Appends these events in one batch and gives them as the store has them.
    pub async fn append(&self, events: Vec<Event>) -> Vec<SequencedEvent> {
        let batch =
            Batch { events: events.iter().cloned().map(Arc::new).collect(), now: at(0), ..Batch::default() };
        let committed = self.commit(batch).await.expect("new events are appended");
        assert_eq!(committed.numbers.len(), events.len());
        self.appended(events, &committed)
    }

    /// What became of these events in a commit.
    pub fn appended(&self, mut events: Vec<Event>, committed: &Committed) -> Vec<SequencedEvent> {
        let mut sequences = self.sequences.lock().expect("nothing panics with it");
        for shift in &committed.shifts {
            let moved = |sequence: &mut u64| *sequence = sequence.saturating_add_signed(shift.by);
            sequences.entry(shift.subscription).and_modify(moved);
            for one in events.iter_mut().flat_map(|event| &mut event.matched) {
                if one.subscription == shift.subscription {
                    moved(&mut one.sequence);
                }
            }
        }
        let number = |(event, seq)| SequencedEvent { seq, event: Arc::new(event) };
        events.into_iter().zip(committed.numbers.iter().copied()).map(number).collect()
    }

    /// Appends one event of this account that matches these subscriptions.
    pub async fn emit(&self, of: &str, matched: &[&Subscription]) -> SequencedEvent {
        let mut appended = self.append(vec![self.event(of, matched)]).await;
        appended.pop().expect("one was appended")
    }

    /// Writes these records at a time.
    pub async fn write(&self, records: Vec<Record>, now: Timestamp) {
        let batch = Batch { records, now, ..Batch::default() };
        self.commit(batch).await.expect("records are written");
    }

    /// Emits an event for this subscription and schedules its delivery.
    pub async fn schedule(&self, to: &Subscription, due: Timestamp) -> SequencedEvent {
        let event = self.emit(to.account.as_str(), &[to]).await;
        self.write(vec![scheduled(&event, to, due)], at(0)).await;
        event
    }
}
