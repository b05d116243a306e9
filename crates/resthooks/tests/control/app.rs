//! A running engine on a store of its own, for one test.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use resthooks::deliver::resolver::Resolver;
use resthooks::env::{Clock, ManualClock, SeededRandom};
use resthooks::model::{Access, AccountId, EventName, EventPattern, KeyRole, PayloadKind, Timestamp};
use resthooks::store::Page;
use resthooks::{EventTypeInput, EventTypes, Hooks, NewEvent, NewSubscription, Options, Scope};
use resthooks_sqlite::SqliteStore;
use tempfile::TempDir;

/// Resolves nothing: no test leaves the machine.
#[derive(Debug)]
struct NoNames;

#[async_trait::async_trait]
impl Resolver for NoNames {
    async fn resolve(&self, _host: &str) -> std::io::Result<Vec<IpAddr>> {
        Err(std::io::Error::other("tests resolve no names"))
    }
}

pub(crate) struct App {
    pub(crate) hooks: Hooks,
    pub(crate) store: Arc<SqliteStore>,
    pub(crate) clock: ManualClock,
    options: Options,
    directory: TempDir,
}

impl App {
    /// With any event type welcome.
    pub(crate) async fn start() -> Self {
        Self::with(|options| options.event_types = EventTypes::Auto).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Options)) -> Self {
        let clock = ManualClock::new(Timestamp::from_millis(1_767_323_045_678));
        let mut options = Options {
            clock: Arc::new(clock.clone()),
            random: Arc::new(SeededRandom::new(7)),
            resolver: Arc::new(NoNames),
            ..Options::default()
        };
        change(&mut options);
        let directory = tempfile::tempdir().unwrap();
        let (store, hooks) = open(&directory, &options, None).await;
        Self { hooks, store, clock, options, directory }
    }

    /// On a disk that takes no more than so many pages.
    pub(crate) async fn on_a_small_disk(self, max_pages: u32) -> Self {
        self.again(Some(max_pages)).await
    }

    /// Stops the engine, closes the store, and starts another one on the same file.
    pub(crate) async fn restart(self) -> Self {
        self.again(None).await
    }

    async fn again(self, max_pages: Option<u32>) -> Self {
        let Self { hooks, store, clock, options, directory } = self;
        hooks.shutdown(Duration::from_secs(5)).await;
        store.close().unwrap();
        let (store, hooks) = open(&directory, &options, max_pages).await;
        Self { hooks, store, clock, options, directory }
    }

    /// Turns the clock, so that what is made next has a later time.
    pub(crate) fn tick(&self) {
        self.clock.advance(Duration::from_millis(10));
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) async fn emit(&self, account: &str, name: &str, data: &str) -> resthooks::Accepted {
        self.tick();
        let event = NewEvent::new(self::account(account), event(name), data.to_owned().into());
        self.hooks.emit_event(event).await.unwrap()
    }

    /// What a key admits to, when that is everything of its role.
    pub(crate) fn admits(&self, key: &str) -> Option<KeyRole> {
        let admitted = self.hooks.authenticate(key).ok()?;
        (admitted.access == Access::Full).then_some(admitted.role)
    }

    pub(crate) async fn register(&self, name: &str) {
        self.hooks.create_event_type(event(name), EventTypeInput::default()).await.unwrap();
    }
}

async fn open(directory: &TempDir, options: &Options, max_pages: Option<u32>) -> (Arc<SqliteStore>, Hooks) {
    let path = directory.path().join("hooks.db");
    let disk = resthooks_sqlite::Options { max_pages, ..Default::default() };
    let store = Arc::new(SqliteStore::open(path, disk).unwrap());
    let hooks = Hooks::start(Arc::<SqliteStore>::clone(&store), options.clone()).await.unwrap();
    (store, hooks)
}

pub(crate) fn account(id: &str) -> AccountId {
    id.parse().unwrap()
}

pub(crate) fn own(id: &str) -> Scope {
    Scope::Account(account(id))
}

pub(crate) fn event(name: &str) -> EventName {
    name.parse().unwrap()
}

pub(crate) fn pattern(text: &str) -> EventPattern {
    text.parse().unwrap()
}

pub(crate) fn page<C>(limit: usize) -> Page<C> {
    Page { after: None, limit }
}

pub(crate) fn to(target: &str) -> NewSubscription {
    NewSubscription {
        events: vec![pattern("contact.create")],
        target_url: target.parse().unwrap(),
        active: true,
        description: None,
        metadata: None,
        payload: PayloadKind::Full,
        headers: std::collections::BTreeMap::new(),
        terms: Default::default(),
        secret: None,
        signature: None,
        intent: None,
    }
}

pub(crate) fn subscribe() -> NewSubscription {
    to("https://hooks.example.com/in")
}

/// The fields that were refused.
pub(crate) fn fields<T: std::fmt::Debug>(result: Result<T, resthooks::Error>) -> Vec<String> {
    match result {
        Err(resthooks::Error::Invalid(wrong)) => wrong.into_iter().map(|error| error.field).collect(),
        other => panic!("not refused for its fields: {other:?}"),
    }
}

pub(crate) fn code<T: std::fmt::Debug>(result: Result<T, resthooks::Error>) -> &'static str {
    match result {
        Err(resthooks::Error::Conflict { code, .. }) => code,
        Err(resthooks::Error::NotFound) => "not_found",
        other => panic!("neither a conflict nor absent: {other:?}"),
    }
}

/// Waits for what happens behind an answer.
pub(crate) async fn eventually<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    for _ in 0..20_000 {
        if holds().await {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("never happened: {what}");
}
