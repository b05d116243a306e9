//! The store as the engine holds it: one node's way into the database.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use resthooks::model::{
    AccountId, AccountSettings, ApiKey, Attempt, AuditEntry, AuditId, Delivery, DeliveryId, DeliveryKey,
    EventId, EventName, EventSeq, EventType, KeyId, Node, NodeNo, SequencedEvent, Subscription,
    SubscriptionId, SubscriptionNo, Timestamp, Uid,
};
use resthooks::seal::Vault;
use resthooks::store::{
    AccountSummary, AuditFilter, Batch, ChangeNo, Changes, Claimed, Committed, Control, DeletedAccount,
    DeliveryFilter, Emitted, EmittedAsk, Error, EventFilter, Expire, Expired, History, Holdings, Inherited,
    Joined, LeaseDue, LeasePlanned, Leased, LeasedPlanned, Log, Missed, NewNode, Nodes, Page, PlannedNews,
    Position, Prior, Renewed, Reopen, Reopened, Retention, Settle, Snapshot, Standing, SubscriptionFilter,
    Unrecorded,
};
use tokio_postgres::types::Type;

use crate::address::Address;
use crate::connection::Connector;
use crate::database::{Database, Way};
use crate::listen::Listener;
use crate::log::Seen;
use crate::numbers::Numbers;
use crate::partitions::Partitions;
use crate::{Options, control, history, log, nodes, retention, schema, vault};

/// Between two looks at partitions and at what is kept for latecomers.
const UPKEEP: Duration = Duration::from_secs(1_800);
/// How long changes and finished deletions are kept: nobody lives so long without looking.
const KEEP_MS: i64 = 86_400_000;

/// A store in one schema of a PostgreSQL database, shared by any number of processes, each with a store of its own.
/// Cheap to clone.
///
/// ```no_run
/// use resthooks_postgres::{Options, PostgresStore};
///
/// # async fn example() -> Result<(), resthooks::store::Error> {
/// let store = PostgresStore::open("postgres://resthooks@localhost/app", Options::default()).await?;
/// // … give it to the engine, then, once that has stopped:
/// store.close().await;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct PostgresStore {
    inner: Arc<Inner>,
}

/// What the parts of the store share.
#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) database: Database,
    pub(crate) vault: Arc<Vault>,
    pub(crate) numbers: Numbers,
    pub(crate) partitions: Partitions,
    pub(crate) seen: Seen,
    pub(crate) commit_sql: String,
    listener: Listener,
    /// When the next look is due, by the clock's monotonic time in milliseconds.
    upkeep_at: AtomicI64,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.listener.close();
        self.database.close();
    }
}

impl PostgresStore {
    /// Opens the store that this URL (`postgres://user:password@host:port/database?sslmode=…&sslrootcert=…`) leads to,
    /// and brings its tables to this version unless [`Options::migrate`] is false.
    ///
    /// # Errors
    /// [`Error::Unusable`] when the URL, the user, or the schema's version is not one that this store can work with, or when
    /// a key that secrets are sealed with was not given;
    /// [`Error::Unavailable`] when the database does not answer.
    pub async fn open(url: &str, options: Options) -> Result<Self, Error> {
        vault::check(&options)?;
        let database = database(url, &options)?;
        if options.migrate {
            schema::migrate(&database, options.migration_timeout).await?;
        } else {
            schema::check(&database).await?;
        }
        let vault = vault::open(&database, &options).await?;
        control::seal_clear(&database, &vault).await?;
        let listener =
            Listener::start(database.connector.clone(), &database.schema, Arc::clone(&options.clock));
        let inner = Inner {
            commit_sql: database.schema.name_in(&log::commit_statement()),
            database,
            vault,
            numbers: Numbers::default(),
            partitions: Partitions::default(),
            seen: Seen::default(),
            listener,
            upkeep_at: AtomicI64::new(0),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Brings the tables to this version, and makes the next days' partitions. Answers how many migrations were made.
    ///
    /// # Errors
    /// As for [`PostgresStore::open`].
    pub async fn migrate(url: &str, options: &Options) -> Result<usize, Error> {
        let database = database(url, options)?;
        let made = schema::migrate(&database, options.migration_timeout).await?;
        Partitions::default().make_ahead(&database).await?;
        database.close();
        Ok(made)
    }

    /// Refuses further work and drops the connections, once whoever uses one is done with it. Closing again does
    /// nothing. Dropping the store does the same.
    #[expect(clippy::unused_async, reason = "whoever closes a store waits for that, whatever it takes")]
    pub async fn close(&self) {
        self.inner.listener.close();
        self.inner.database.close();
    }

    /// The keys that secrets are sealed with, and which nodes may seal with them: to know whether all nodes can read what is
    /// sealed anew, and whether a former key is needed no more.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn sealing_keys(&self) -> Result<Vec<control::SealingKey>, Error> {
        control::sealing(&self.inner.database).await
    }

    /// From now on the key that seals is one of those in use, which every node must have that joins: said before anything is
    /// sealed with it, so that it is known which nodes were there already.
    ///
    /// # Errors
    /// When the database does not answer, or a key that is in use was not given.
    pub async fn bring_key(&self) -> Result<(), Error> {
        control::bring_keys(&self.inner.database, &self.inner.vault, Some(NodeNo(0))).await
    }

    /// For what the store's parts outside of its interface ask.
    pub(crate) fn database(&self) -> &Database {
        &self.inner.database
    }

    /// What secrets are sealed with.
    pub(crate) fn vault(&self) -> &Vault {
        &self.inner.vault
    }

    /// What is done once in a while, beside everything else.
    fn look_after(&self) {
        let inner = &self.inner;
        let now = i64::try_from(inner.database.clock.monotonic().as_millis()).unwrap_or(i64::MAX);
        let due = inner.upkeep_at.load(Ordering::SeqCst);
        let next = now.saturating_add(i64::try_from(UPKEEP.as_millis()).unwrap_or(i64::MAX));
        let is_ours = inner.upkeep_at.compare_exchange(due, next, Ordering::SeqCst, Ordering::SeqCst).is_ok();
        if now < due || !is_ours {
            return;
        }
        let inner = Arc::clone(inner);
        tokio::spawn(async move {
            let tidy = "SELECT @.tidy($1)";
            let done = match inner.partitions.make_ahead(&inner.database).await {
                Ok(()) => inner.database.repeat(Way::Any, tidy, &[(&KEEP_MS, Type::INT8)]).await.map(drop),
                Err(error) => Err(error),
            };
            if let Err(error) = done {
                tracing::warn!(%error, "looking after the database's partitions failed");
            }
            if let Err(error) = control::seal_clear(&inner.database, &inner.vault).await {
                tracing::warn!(%error, "what a node of the version before has written could not be sealed");
            }
        });
    }
}

fn database(url: &str, options: &Options) -> Result<Database, Error> {
    schema::check_name(&options.schema)?;
    Ok(Database::new(Connector::new(Address::parse(url)?, options)?, options))
}

#[async_trait]
impl Log for PostgresStore {
    async fn position(&self, node: NodeNo) -> Result<Position, Error> {
        log::position(&self.inner, node).await
    }

    async fn find_ids(&self, ids: &[(AccountId, EventId)]) -> Result<Vec<Option<Prior>>, Error> {
        log::find_ids(&self.inner.database, ids).await
    }

    async fn commit(&self, batch: Arc<Batch>) -> Result<Committed, Error> {
        // Whoever asked may not wait any more: what was begun comes to its end all the same.
        let inner = Arc::clone(&self.inner);
        let commit = tokio::spawn(async move { log::commit(&inner, &batch).await });
        commit.await.unwrap_or_else(|_| Err(Error::InDoubt("the runtime is shutting down".to_owned())))
    }

    async fn unrecorded(
        &self,
        node: NodeNo,
        after: EventSeq,
        through: EventSeq,
        limit: usize,
    ) -> Result<Vec<Unrecorded>, Error> {
        log::unrecorded(&self.inner.database, node, after, through, limit).await
    }

    async fn lease_due(&self, ask: LeaseDue) -> Result<Leased, Error> {
        log::lease_due(&self.inner, &ask).await
    }

    async fn lease_planned(&self, ask: LeasePlanned) -> Result<LeasedPlanned, Error> {
        log::lease_planned(&self.inner, &ask).await
    }

    async fn settle(&self, ask: Settle) -> Result<usize, Error> {
        log::settle(&self.inner, &ask).await
    }

    async fn reopen(&self, ask: Reopen) -> Result<Reopened, Error> {
        log::reopen(&self.inner, &ask).await
    }

    async fn claim(&self, node: NodeNo, key: DeliveryKey) -> Result<Claimed, Error> {
        log::claim(&self.inner, node, key).await
    }
}

#[async_trait]
impl Control for PostgresStore {
    async fn snapshot(&self) -> Result<Snapshot, Error> {
        control::snapshot(&self.inner).await
    }

    async fn insert_subscription(
        &self,
        subscription: &Subscription,
        audit: Option<&AuditEntry>,
    ) -> Result<SubscriptionNo, Error> {
        control::insert_subscription(&self.inner, subscription, audit).await
    }

    async fn update_subscription(
        &self,
        subscription: &Subscription,
        audit: Option<&AuditEntry>,
    ) -> Result<(), Error> {
        control::update_subscription(&self.inner, subscription, audit).await
    }

    async fn subscription(&self, id: SubscriptionId) -> Result<Option<Subscription>, Error> {
        control::subscription(&self.inner, id).await
    }

    async fn subscriptions_by_no(&self, numbers: &[SubscriptionNo]) -> Result<Vec<Subscription>, Error> {
        control::subscriptions_by_no(&self.inner, numbers).await
    }

    async fn standing(&self, numbers: &[SubscriptionNo]) -> Result<Vec<Standing>, Error> {
        control::standing(&self.inner.database, numbers).await
    }

    async fn list_subscriptions(
        &self,
        filter: &SubscriptionFilter,
        page: Page<SubscriptionId>,
    ) -> Result<Vec<Subscription>, Error> {
        control::list_subscriptions(&self.inner, filter, &page).await
    }

    async fn put_event_type(&self, event_type: &EventType, audit: Option<&AuditEntry>) -> Result<(), Error> {
        control::put_event_type(&self.inner, event_type, audit).await
    }

    async fn delete_event_type(&self, name: &EventName, audit: Option<&AuditEntry>) -> Result<bool, Error> {
        control::delete_event_type(&self.inner, name, audit).await
    }

    async fn insert_key(&self, key: &ApiKey, audit: Option<&AuditEntry>) -> Result<(), Error> {
        control::insert_key(&self.inner, key, audit).await
    }

    async fn delete_key(&self, id: KeyId, audit: Option<&AuditEntry>) -> Result<bool, Error> {
        control::delete_key(&self.inner, id, audit).await
    }

    async fn list_accounts(
        &self,
        after: Option<&AccountId>,
        limit: usize,
    ) -> Result<Vec<AccountSummary>, Error> {
        control::list_accounts(&self.inner.database, after, limit).await
    }

    async fn account(&self, id: &AccountId) -> Result<Option<AccountSummary>, Error> {
        control::account(&self.inner.database, id).await
    }

    async fn touch_keys(&self, used: &[(KeyId, Timestamp)]) -> Result<(), Error> {
        control::touch_keys(&self.inner.database, used).await
    }

    async fn put_account(
        &self,
        id: &AccountId,
        settings: &AccountSettings,
        now: Timestamp,
        audit: Option<&AuditEntry>,
    ) -> Result<(), Error> {
        control::put_account(&self.inner, id, settings, now, audit).await
    }

    async fn list_audit(&self, filter: &AuditFilter, page: Page<AuditId>) -> Result<Vec<AuditEntry>, Error> {
        control::list_audit(&self.inner.database, filter, &page).await
    }

    async fn reseal(&self, after: SubscriptionNo, limit: usize) -> Result<Option<SubscriptionNo>, Error> {
        control::reseal(&self.inner.database, &self.inner.vault, after, limit).await
    }

    async fn begin_delete_account(
        &self,
        id: &AccountId,
        _now: Timestamp,
        audit: Option<&AuditEntry>,
    ) -> Result<Option<DeletedAccount>, Error> {
        control::begin_delete_account(&self.inner, id, audit).await
    }

    async fn delete_account_step(&self, deleted: &DeletedAccount, limit: usize) -> Result<bool, Error> {
        control::delete_account_step(&self.inner, deleted, limit).await
    }
}

#[async_trait]
impl History for PostgresStore {
    async fn events_by_id(
        &self,
        account: Option<&AccountId>,
        id: &EventId,
    ) -> Result<Vec<SequencedEvent>, Error> {
        history::events_by_id(&self.inner.database, account, id).await
    }

    async fn event_by_uid(&self, uid: Uid) -> Result<Option<SequencedEvent>, Error> {
        history::event_by_uid(&self.inner.database, uid).await
    }

    async fn list_events(&self, filter: &EventFilter, page: Page<Uid>) -> Result<Vec<SequencedEvent>, Error> {
        history::list_events(&self.inner.database, filter, &page).await
    }

    async fn deliveries(&self, keys: &[DeliveryKey]) -> Result<Vec<Delivery>, Error> {
        history::deliveries(&self.inner.database, keys).await
    }

    async fn list_deliveries(
        &self,
        filter: &DeliveryFilter,
        page: Page<DeliveryId>,
    ) -> Result<Vec<Delivery>, Error> {
        history::list_deliveries(&self.inner.database, filter, &page).await
    }

    async fn missed(&self, subscription: SubscriptionNo) -> Result<Missed, Error> {
        history::missed(&self.inner.database, subscription).await
    }

    async fn attempts(&self, key: DeliveryKey) -> Result<Vec<Attempt>, Error> {
        history::attempts(&self.inner.database, key).await
    }
}

#[async_trait]
impl Nodes for PostgresStore {
    fn is_shared(&self) -> bool {
        true
    }

    async fn join(&self, new: &NewNode) -> Result<Joined, Error> {
        nodes::join(&self.inner, new).await
    }

    async fn renew(&self, node: NodeNo, lease: Duration) -> Result<Renewed, Error> {
        let renewed = nodes::renew(&self.inner, node, lease).await?;
        self.look_after();
        Ok(renewed)
    }

    async fn take_over(&self, by: NodeNo, patient: bool) -> Result<Vec<NodeNo>, Error> {
        nodes::take_over(&self.inner, by, patient).await
    }

    async fn inherit(&self, by: NodeNo, from: NodeNo, limit: usize) -> Result<Inherited, Error> {
        nodes::inherit(&self.inner, by, from, limit).await
    }

    async fn forget(&self, by: NodeNo, gone: NodeNo) -> Result<(), Error> {
        nodes::forget(&self.inner, by, gone).await
    }

    async fn planned_news(&self, node: NodeNo) -> Result<Vec<PlannedNews>, Error> {
        log::planned_news(&self.inner, node).await
    }

    async fn leave(&self, node: NodeNo) -> Result<(), Error> {
        nodes::leave(&self.inner.database, node).await
    }

    async fn nodes(&self) -> Result<Vec<Node>, Error> {
        nodes::nodes(&self.inner.database).await
    }

    async fn changes(&self, after: ChangeNo, limit: usize) -> Result<Changes, Error> {
        nodes::changes(&self.inner, after, limit).await
    }

    async fn deletions(&self) -> Result<Vec<DeletedAccount>, Error> {
        control::deletions(&self.inner.database).await
    }

    async fn told(&self) {
        self.inner.listener.told().await;
    }

    fn emit_statement(&self) -> Option<String> {
        Some(nodes::emit_statement(&self.inner.database.schema))
    }

    async fn emitted(&self, ask: EmittedAsk) -> Result<Vec<Emitted>, Error> {
        nodes::emitted(&self.inner.database, ask).await
    }
}

#[async_trait]
impl Retention for PostgresStore {
    async fn expire(&self, ask: &Expire) -> Result<Expired, Error> {
        retention::expire(&self.inner, ask).await
    }

    async fn give_back(&self) -> Result<bool, Error> {
        retention::give_back(&self.inner.database).await
    }

    async fn holdings(&self) -> Result<Holdings, Error> {
        retention::holdings(&self.inner.database).await
    }
}
