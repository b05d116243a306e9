//! What is measured with: a store with subscriptions, and makers of events and records.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use resthooks::env::{Clock, Random, SeededRandom, SystemClock};
use resthooks::model::{
    AccountId, Attempt, DeliveryKey, DeliveryStatus, Event, EventId, EventName, Health, Match, PayloadKind,
    Progress, Secret, SequencedEvent, Subscription, SubscriptionId, SubscriptionNo, SubscriptionStatus,
    Timestamp, Uid,
};
use resthooks::store::{Batch, Control as _, Error, Log as _, Record};
use resthooks_postgres::PostgresStore;

/// A store, and accounts with some subscriptions each.
pub(crate) struct Scene {
    pub(crate) store: PostgresStore,
    pub(crate) clock: SystemClock,
    accounts: Vec<(AccountId, Vec<SubscriptionNo>)>,
    /// How many events each account has had.
    counts: Vec<AtomicU64>,
    random: SeededRandom,
}

impl Scene {
    pub(crate) async fn new(store: PostgresStore, accounts: usize, each: usize) -> Result<Self, Error> {
        let (clock, random) = (SystemClock::default(), SeededRandom::new(7));
        let mut scene = Self { store, clock, accounts: Vec::new(), counts: Vec::new(), random };
        for n in 0..accounts {
            let id: AccountId = format!("account-{n}").parse().expect("a valid id");
            let mut numbers = Vec::new();
            for _ in 0..each {
                let new = subscription(SubscriptionId(scene.uid()), id.clone(), scene.clock.now());
                numbers.push(scene.store.insert_subscription(&new, None).await?);
            }
            scene.accounts.push((id, numbers));
            scene.counts.push(AtomicU64::new(0));
        }
        Ok(scene)
    }

    fn uid(&self) -> Uid {
        Uid::new(self.clock.now(), (&self.random as &dyn Random).u128())
    }

    /// The nth event, of one account after the other, for all of its subscriptions.
    pub(crate) fn event(&self, n: usize) -> Event {
        let uid = self.uid();
        let (account, numbers) = self.accounts.get(n % self.accounts.len()).expect("there is an account");
        let count = self.counts.get(n % self.counts.len()).expect("each account has one");
        let sequence = count.fetch_add(1, Ordering::Relaxed) + 1;
        let matched = numbers.iter().map(|no| Match { subscription: *no, sequence });
        Event {
            uid,
            id: EventId::generated(uid),
            account: account.clone(),
            event: "contact.create".parse::<EventName>().expect("a valid name"),
            created_at: self.clock.now(),
            data: Bytes::from(vec![b'7'; 400]),
            resource_url: None,
            order_key: None,
            debounce_key: None,
            digest: None,
            matched: matched.collect(),
        }
    }

    /// Commits events and records and gives the events with their numbers.
    pub(crate) async fn commit(&self, batch: Batch) -> Result<Vec<SequencedEvent>, Error> {
        let batch = Arc::new(batch);
        let numbers = self.store.commit(Arc::clone(&batch)).await?.numbers;
        let pairs = numbers.into_iter().zip(&batch.events);
        Ok(pairs.map(|(seq, event)| SequencedEvent { seq, event: Arc::clone(event) }).collect())
    }

    pub(crate) fn progress(&self) -> Vec<(SubscriptionNo, Progress)> {
        let all = self.accounts.iter().flat_map(|(_, numbers)| numbers);
        all.map(|no| (*no, Progress { sequence: 1, health: Health::default() })).collect()
    }
}

/// The first records of an event's deliveries, acknowledged.
pub(crate) fn records(event: &SequencedEvent) -> impl Iterator<Item = Record> {
    event.event.matched.iter().map(move |one| Record {
        key: DeliveryKey { event: event.seq, subscription: one.subscription },
        account: event.event.account.clone(),
        sequence: one.sequence,
        has_row: false,
        status: DeliveryStatus::Delivered,
        reason: None,
        next_attempt_at: None,
        attempts: 1,
        automatic: 1,
        attempt: Some(attempt(event.event.created_at)),
        keep_state: false,
        group: None,
    })
}

fn attempt(at: Timestamp) -> Attempt {
    Attempt {
        number: 1,
        started_at: at,
        duration_us: 1_500,
        address: "203.0.113.7:443".parse().ok(),
        status_code: Some(200),
        error: None,
        error_detail: None,
        response_headers: [("content-length", "0"), ("date", "Tue, 02 Jan 2026 03:04:05 GMT")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec(),
        response_body: String::new(),
        response_truncated: false,
        manual: false,
        retry_after: None,
    }
}

fn subscription(id: SubscriptionId, account: AccountId, now: Timestamp) -> Subscription {
    Subscription {
        no: SubscriptionNo(0),
        version: 0,
        id,
        account,
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
        created_at: now,
        updated_at: now,
    }
}
