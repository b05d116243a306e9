//! Where a behaviour is tried: one fresh store, and makers of what goes into it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use resthooks::model::{
    AccountId, Attempt, DeliveryKey, DeliveryStatus, Event, EventId, EventName, EventSeq, Match, PayloadKind,
    Secret, SequencedEvent, Subscription, SubscriptionId, SubscriptionNo, SubscriptionStatus, Timestamp, Uid,
};
use resthooks::store::{Batch, Page, Record, Store};

/// Where a backend keeps one store of its own.
#[async_trait]
pub trait Place: Send + Sync + 'static {
    /// Opens it; the first time it is empty. Called again once everything of the time before was dropped.
    async fn open(&self) -> Arc<dyn Store>;
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
        let store = Some(place.open().await);
        behaviour(Lab { place: Box::new(place), store, made: AtomicU64::new(0) }).await;
    });
}

/// A store under test.
pub struct Lab {
    place: Box<dyn Place>,
    store: Option<Arc<dyn Store>>,
    made: AtomicU64,
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

    /// Closes the store and opens it again: what is durable must be there.
    pub async fn reopen(&mut self) {
        drop(self.store.take());
        self.store = Some(self.place.open().await);
    }

    /// A unique part that no other call gives, ascending.
    pub fn uid(&self) -> Uid {
        let n = self.made.fetch_add(1, Ordering::Relaxed);
        Uid::new(at(0), u128::from(n))
    }

    /// A subscription of this account to everything, not inserted yet.
    #[must_use]
    pub fn subscription(&self, of: &str) -> Subscription {
        let id = SubscriptionId(self.uid());
        Subscription {
            no: SubscriptionNo(0),
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
            max_in_flight: None,
            secret: Secret::from_key([7; 32]),
            previous_secret: None,
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
        new.no = self.store().insert_subscription(&new).await.expect("a new subscription is inserted");
        new
    }

    /// An event of this account that matches these subscriptions, each with sequence 1.
    #[must_use]
    pub fn event(&self, of: &str, matched: &[&Subscription]) -> Event {
        let uid = self.uid();
        let mut matched: Vec<Match> =
            matched.iter().map(|one| Match { subscription: one.no, sequence: 1 }).collect();
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

    /// Appends these events in one batch.
    pub async fn append(&self, events: Vec<Event>) -> Vec<SequencedEvent> {
        let events: Vec<Arc<Event>> = events.into_iter().map(Arc::new).collect();
        let batch = Batch { events: events.clone(), now: at(0), ..Batch::default() };
        let first = self.store().commit(Arc::new(batch)).await.expect("new events are appended").first.0;
        let number = |(event, seq)| SequencedEvent { seq: EventSeq(seq), event };
        events.into_iter().zip(first..).map(number).collect()
    }

    /// Appends one event of this account that matches these subscriptions.
    pub async fn emit(&self, of: &str, matched: &[&Subscription]) -> SequencedEvent {
        let mut appended = self.append(vec![self.event(of, matched)]).await;
        appended.pop().expect("one was appended")
    }

    /// Writes these records at a time.
    pub async fn write(&self, records: Vec<Record>, now: Timestamp) {
        let batch = Batch { records, now, ..Batch::default() };
        self.store().commit(Arc::new(batch)).await.expect("records are written");
    }

    /// Emits an event for this subscription and schedules its delivery.
    pub async fn schedule(&self, to: &Subscription, due: Timestamp) -> SequencedEvent {
        let event = self.emit(to.account.as_str(), &[to]).await;
        self.write(vec![scheduled(&event, to, due)], at(0)).await;
        event
    }
}

/// What a delivery is stored under.
#[must_use]
pub const fn key(event: &SequencedEvent, to: &Subscription) -> DeliveryKey {
    DeliveryKey { event: event.seq, subscription: to.no }
}

/// A first record: no attempt made.
#[must_use]
pub fn record(event: &SequencedEvent, to: &Subscription, status: DeliveryStatus) -> Record {
    Record {
        key: key(event, to),
        account: to.account.clone(),
        sequence: 1,
        has_row: false,
        status,
        reason: None,
        next_attempt_at: None,
        attempts: 0,
        automatic: 0,
        attempt: None,
        keep_state: false,
    }
}

/// A first record that schedules.
#[must_use]
pub fn scheduled(event: &SequencedEvent, to: &Subscription, due: Timestamp) -> Record {
    Record { next_attempt_at: Some(due), ..record(event, to, DeliveryStatus::Scheduled) }
}

/// A first record of a delivery that was acknowledged at once.
#[must_use]
pub fn delivered(event: &SequencedEvent, to: &Subscription) -> Record {
    Record {
        attempts: 1,
        automatic: 1,
        attempt: Some(attempt(1)),
        ..record(event, to, DeliveryStatus::Delivered)
    }
}

/// The nth attempt, acknowledged.
#[must_use]
pub fn attempt(number: u32) -> Attempt {
    Attempt {
        number,
        started_at: at(i64::from(number)),
        duration_us: 1_500,
        address: "203.0.113.7:443".parse().ok(),
        status_code: Some(200),
        error: None,
        error_detail: None,
        response_headers: vec![("content-length".to_owned(), "0".to_owned())],
        response_body: String::new(),
        response_truncated: false,
        manual: false,
        retry_after: None,
    }
}
