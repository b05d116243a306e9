//! What is measured with: a store with subscriptions, and makers of events and records.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use resthooks::env::{Clock, Random, SeededRandom, SystemClock};
use resthooks::model::{
    AccountId, Attempt, DeliveryKey, DeliveryStatus, Event, EventId, EventName, EventSeq, Health, Match,
    PayloadKind, Progress, Secret, Subscription, SubscriptionId, SubscriptionNo, SubscriptionStatus,
    Timestamp, Uid,
};
use resthooks::store::{Batch, Control, Error, Log, Record};
use resthooks_sqlite::{Options, SqliteStore};

use crate::process::remove;

/// A store in a file of its own, and accounts with two subscriptions each.
pub(crate) struct Scene {
    pub(crate) store: SqliteStore,
    pub(crate) path: PathBuf,
    pub(crate) clock: SystemClock,
    accounts: Vec<(AccountId, [SubscriptionNo; 2])>,
    random: SeededRandom,
}

impl Scene {
    pub(crate) async fn new(folder: &Path, accounts: usize, options: Options) -> Result<Self, Error> {
        let path = folder.join(format!("measure-{}.db", std::process::id()));
        remove(&path);
        let store = SqliteStore::open(&path, options)?;
        let mut scene = Self {
            store,
            path,
            clock: SystemClock::default(),
            accounts: Vec::new(),
            random: SeededRandom::new(7),
        };
        for n in 0..accounts {
            let id = account(n);
            let numbers = [scene.subscribe(&id).await?, scene.subscribe(&id).await?];
            scene.accounts.push((id, numbers));
        }
        Ok(scene)
    }

    async fn subscribe(&self, account: &AccountId) -> Result<SubscriptionNo, Error> {
        let new = subscription(SubscriptionId(self.uid()), account.clone(), self.clock.now());
        self.store.insert_subscription(&new, None).await
    }

    fn uid(&self) -> Uid {
        Uid::new(self.clock.now(), (&self.random as &dyn Random).u128())
    }

    /// The nth event, of one account after the other, for both of its subscriptions.
    pub(crate) fn event(&self, n: usize) -> Event {
        let uid = self.uid();
        let (account, numbers) = self.accounts.get(n % self.accounts.len()).expect("there is an account");
        let matched = numbers.map(|subscription| Match { subscription, sequence: n as u64 + 1 });
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
            matched: matched.to_vec(),
        }
    }

    /// Commits events and records and gives the events with their numbers.
    pub(crate) async fn commit(&self, batch: Batch) -> Result<Vec<(EventSeq, Arc<Event>)>, Error> {
        let batch = Arc::new(batch);
        let numbers = self.store.commit(Arc::clone(&batch)).await?.numbers;
        Ok(numbers.into_iter().zip(batch.events.iter().cloned()).collect())
    }

    pub(crate) fn subscriptions(&self) -> impl Iterator<Item = SubscriptionNo> {
        self.accounts.iter().flat_map(|(_, numbers)| *numbers)
    }

    pub(crate) fn progress(&self) -> Vec<(SubscriptionNo, Progress)> {
        self.subscriptions().map(|no| (no, Progress { sequence: 1, health: Health::default() })).collect()
    }
}

/// The first records of an event's deliveries: acknowledged, or failed and due again at some moment.
pub(crate) fn records(
    seq: EventSeq,
    event: &Arc<Event>,
    due: Option<Timestamp>,
) -> impl Iterator<Item = Record> {
    event.matched.iter().map(move |one| Record {
        key: DeliveryKey { event: seq, subscription: one.subscription },
        account: event.account.clone(),
        sequence: one.sequence,
        has_row: false,
        status: if due.is_some() { DeliveryStatus::Scheduled } else { DeliveryStatus::Delivered },
        reason: None,
        next_attempt_at: due,
        attempts: 1,
        automatic: 1,
        attempt: Some(attempt(event.created_at)),
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

fn account(n: usize) -> AccountId {
    format!("account-{n}").parse().expect("a valid id")
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
