//! A running engine on a store of its own, with a clock that the test turns.

use std::sync::Arc;
use std::time::Duration;

use resthooks::deliver::guard::Policy;
use resthooks::env::{Clock, ManualClock, SeededRandom};
use resthooks::model::{
    Attempt, Delivery, DeliveryId, DeliveryStatus, EventId, PayloadKind, SubscriptionId, SubscriptionStatus,
    Terms, Timestamp,
};
use resthooks::stats::Snapshot as Stats;
use resthooks::store::Page;
use resthooks::{Error, EventTypes, Hooks, NewEvent, NewSubscription, Options, Scope, SubscriptionView};

use crate::place::{Opened, Place};
use crate::target::{Reply, Target};

/// The account of all these tests.
pub(crate) const ACCOUNT: &str = "acme";

pub(crate) struct World {
    pub(crate) hooks: Hooks,
    pub(crate) clock: ManualClock,
    store: Opened,
    options: Options,
    place: Place,
}

impl World {
    pub(crate) async fn start() -> Self {
        Self::with(|_| ()).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Options)) -> Self {
        Self::beginning("2026-01-02T03:04:05.678Z", change).await
    }

    /// With a clock that shows this at first. In the future, where a store's own clock must not be ahead of it.
    pub(crate) async fn beginning(start: &str, change: impl FnOnce(&mut Options)) -> Self {
        let clock = ManualClock::new(Timestamp::parse(start).unwrap());
        let targets =
            Policy { allow_http: true, allowed: vec!["127.0.0.0/8".parse().unwrap()], ..Policy::default() };
        let mut options = Options {
            event_types: EventTypes::Auto,
            targets,
            clock: Arc::new(clock.clone()),
            random: Arc::new(SeededRandom::new(7)),
            lease: Place::LEASE,
            ..Options::default()
        };
        change(&mut options);
        let place = Place::new();
        let (hooks, store) = open(&place, &options).await;
        Self { hooks, clock, store, options, place }
    }

    /// The engine stops and another one goes on with its store, at the same time of the clock.
    pub(crate) async fn restarted(self) -> Self {
        self.stopped().await.started().await
    }

    pub(crate) async fn stopped(self) -> Stopped {
        let Self { hooks, clock, store, options, place } = self;
        assert!(hooks.shutdown(Duration::from_secs(5)).await, "something was in flight");
        store.close().await;
        Stopped { clock, options, place }
    }

    /// The engine is broken off as by a crash, and another one goes on with its store, at the same time of the clock.
    pub(crate) async fn crashed(self) -> Self {
        let Self { hooks, clock, store, options, place } = self;
        hooks.shutdown(Duration::ZERO).await;
        store.close().await;
        Stopped { clock, options, place }.started().await
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) async fn target(&self, replies: impl IntoIterator<Item = Reply>) -> Target {
        Target::script(&self.clock, replies).await
    }

    pub(crate) async fn subscribe(&self, event: &str, url: &str) -> SubscriptionView {
        self.subscribe_of(ACCOUNT, event, url).await
    }

    pub(crate) async fn subscribe_of(&self, account: &str, event: &str, url: &str) -> SubscriptionView {
        self.subscribe_with(account, event, url, Terms::default()).await.unwrap()
    }

    pub(crate) async fn subscribe_with(
        &self,
        account: &str,
        event: &str,
        url: &str,
        terms: Terms,
    ) -> Result<SubscriptionView, Error> {
        let new = NewSubscription {
            events: vec![event.parse().unwrap()],
            target_url: url.parse().unwrap(),
            active: true,
            description: None,
            metadata: None,
            payload: PayloadKind::Full,
            headers: std::collections::BTreeMap::new(),
            terms,
            secret: None,
            signature: None,
            intent: None,
        };
        self.hooks.create_subscription(&account.parse().unwrap(), new).await
    }

    pub(crate) async fn emit(&self, event: &str) -> EventId {
        self.hooks.emit(ACCOUNT, event, &serde_json::json!({"id": 1})).await.unwrap().id
    }

    /// Many events at once.
    pub(crate) async fn emit_all(&self, account: &str, event: &str, count: usize) -> Vec<EventId> {
        let one = || NewEvent::new(account.parse().unwrap(), event.parse().unwrap(), "{}".into());
        let accepted = self.hooks.emit_batch((0..count).map(|_| one()).collect()).await.unwrap();
        accepted.into_iter().map(|one| one.id).collect()
    }

    /// An event's only delivery, with its attempts.
    pub(crate) async fn delivery(&self, event: &EventId) -> (Delivery, Vec<Attempt>) {
        let page = Page::<SubscriptionId> { after: None, limit: 2 };
        let mut found = self.hooks.event_deliveries(&Scope::All, event, page).await.unwrap().items;
        assert_eq!(found.len(), 1);
        let id: DeliveryId = found.remove(0).id;
        self.hooks.delivery(&Scope::All, id).await.unwrap()
    }

    /// The delivery once it has this status and so many attempts.
    pub(crate) async fn becomes(
        &self,
        event: &EventId,
        status: DeliveryStatus,
        attempts: usize,
    ) -> (Delivery, Vec<Attempt>) {
        let is_so = |found: &(Delivery, Vec<Attempt>)| {
            (found.0.status, found.0.attempts as usize, found.1.len()) == (status, attempts, attempts)
        };
        let waiting = async {
            loop {
                let found = self.delivery(event).await;
                if is_so(&found) {
                    return found;
                }
                tokio::task::yield_now().await;
            }
        };
        match tokio::time::timeout(PATIENCE, waiting).await {
            Ok(found) => found,
            Err(_) => panic!("not {status:?} after {attempts} attempts: {:#?}", self.delivery(event).await),
        }
    }

    /// The same, once nothing is in flight any more, so that the clock may be turned far.
    pub(crate) async fn settled(
        &self,
        event: &EventId,
        status: DeliveryStatus,
        attempts: usize,
    ) -> (Delivery, Vec<Attempt>) {
        let found = self.becomes(event, status, attempts).await;
        until("nothing is in flight", || self.hooks.stats().in_flight == 0).await;
        found
    }

    /// The subscription's status, once it is this one.
    pub(crate) async fn subscription_becomes(
        &self,
        id: SubscriptionId,
        status: SubscriptionStatus,
    ) -> SubscriptionView {
        let waiting = async {
            loop {
                let view = self.hooks.subscription(&Scope::All, id).await.unwrap();
                if view.subscription.status == status {
                    return view;
                }
                tokio::task::yield_now().await;
            }
        };
        match tokio::time::timeout(PATIENCE, waiting).await {
            Ok(view) => view,
            Err(_) => panic!("not {status:?}: {:#?}", self.hooks.subscription(&Scope::All, id).await),
        }
    }

    /// Turns the clock to this moment, and lets everything happen that happens then.
    pub(crate) async fn turn_to(&self, moment: Timestamp) {
        let now = self.clock.now();
        assert!(moment >= now, "{moment} is over: it is {now}");
        self.clock.advance(moment.since(now));
        quiet().await;
        self.when("the store is done", |stats| stats.unwritten + stats.fetching + stats.moving == 0).await;
    }

    /// Lets time pass in such steps, each of which ends when all that happens at its moment has happened, however slow
    /// the machine is. For targets that answer.
    pub(crate) async fn pass(&self, time: Duration, step: Duration) {
        let end = self.now().plus(time);
        while self.now() < end {
            self.turn_to(self.now().plus(step).min(end)).await;
            self.idle().await;
        }
    }

    /// Waits until nothing is under way that does not wait for the clock.
    pub(crate) async fn idle(&self) {
        let busy = |stats: &Stats| {
            stats.in_flight + stats.confirming + stats.unwritten + stats.fetching + stats.moving
        };
        self.when("nothing is under way", |stats| busy(stats) == 0).await;
    }

    /// Waits until this is so, and stays so while everything has many turns.
    async fn when(&self, what: &str, is_so: impl Fn(&Stats) -> bool) {
        let waiting = async {
            let mut turns = 0;
            while turns < STEADY {
                turns = if is_so(&self.hooks.stats()) { turns + 1 } else { 0 };
                tokio::task::yield_now().await;
            }
        };
        let ended = tokio::time::timeout(PATIENCE, waiting).await;
        assert!(ended.is_ok(), "it never became true that {what}: {:#?}", self.hooks.stats());
    }
}

/// A store that nobody has open.
pub(crate) struct Stopped {
    clock: ManualClock,
    options: Options,
    place: Place,
}

impl Stopped {
    pub(crate) const fn clock(&self) -> &ManualClock {
        &self.clock
    }

    pub(crate) async fn started(self) -> World {
        let Self { clock, options, place } = self;
        let (hooks, store) = open(&place, &options).await;
        World { hooks, clock, store, options, place }
    }
}

/// So many turns of everything are enough for one thing to lead to the next.
const STEADY: usize = 30;
/// Real time before a test gives up.
const PATIENCE: Duration = Duration::from_secs(30);

/// Lets what is ready on tasks, threads and sockets have many turns: what the engine is about to do at this moment of
/// its clock is done then. Where a test wants something to happen it asks for that instead.
pub(crate) async fn quiet() {
    for _ in 0..300 {
        tokio::task::yield_now().await;
    }
}

/// Waits for what is about to become true.
pub(crate) async fn until(what: &str, mut is_true: impl FnMut() -> bool) {
    found(what, async || is_true().then_some(())).await;
}

/// Asks until there is an answer.
pub(crate) async fn found<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let waiting = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            tokio::task::yield_now().await;
        }
    };
    let found = tokio::time::timeout(PATIENCE, waiting).await;
    found.unwrap_or_else(|_| panic!("it never became true that {what}"))
}

async fn open(place: &Place, options: &Options) -> (Hooks, Opened) {
    let opened = place.open().await;
    let hooks = Hooks::start(opened.store(), options.clone()).await.unwrap();
    (hooks, opened)
}
