//! The store as the engine holds it: passes every question to the writer or to the readers.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use resthooks::model::{
    AccountId, AccountSettings, ApiKey, Attempt, AuditEntry, AuditId, Delivery, DeliveryId, DeliveryKey,
    EventId, EventName, EventSeq, EventType, KeyId, NodeNo, SequencedEvent, Subscription, SubscriptionId,
    SubscriptionNo, Timestamp, Uid,
};
use resthooks::seal::Vault;
use resthooks::store::{
    AccountSummary, AuditFilter, Batch, Claimed, Committed, Control, DeletedAccount, DeliveryFilter, Error,
    EventFilter, Expire, Expired, History, Holdings, LeaseDue, LeasePlanned, Leased, LeasedPlanned, Log,
    Missed, Page, Position, Prior, Reopen, Reopened, Retention, Settle, Snapshot, Standing,
    SubscriptionFilter, Unrecorded,
};

use crate::checkpoint::{Checkpointer, Pressure, truncate};
use crate::connection::open_writing;
use crate::lock::Lock;
use crate::nodes::OneNode;
use crate::readers::Readers;
use crate::writer::{Desk, Writer};
use crate::{Options, control, history, log, retention, schema, vault};

/// A store in one SQLite file, owned by one process.
///
/// ```no_run
/// use resthooks_sqlite::{Options, SqliteStore};
///
/// # fn main() -> Result<(), resthooks::store::Error> {
/// let store = SqliteStore::open("resthooks.db", Options::default())?;
/// // … give it to the engine, then, once that has stopped:
/// store.close()?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct SqliteStore {
    writer: Writer,
    pub(crate) readers: Arc<Readers>,
    pub(crate) node: OneNode,
    vault: Arc<Vault>,
    checkpointer: Checkpointer,
    lock: Mutex<Option<Lock>>,
}

impl SqliteStore {
    /// Opens the store in this file, which is created when it is not there, and brings its tables to this version.
    /// Blocks for some milliseconds; longer after a crash with a long write-ahead log, and the first time after an
    /// earlier version wrote secrets in clear: then all of the file is written anew.
    ///
    /// # Errors
    /// [`Error::Unusable`] when another process has it open, when it can't be opened, when it is not a store or
    /// one of a newer version, or when its secrets are sealed with a key that was not given; [`Error::Unavailable`] when the disk is full or fails.
    pub fn open(path: impl AsRef<Path>, options: Options) -> Result<Self, Error> {
        let path = resolve(path.as_ref())?;
        let lock = Lock::take(&path)?;
        schema::check(&path)?;
        private_file(&path).map_err(|e| Error::Unusable(format!("can't open {}: {e}", path.display())))?;
        let mut first = open_writing(&path, options.writer_cache_kib, &options)?;
        schema::migrate(&mut first, options.clock.now())?;
        let vault = vault::open(&path, &mut first, &options)?;
        let (pressure, woken) = Pressure::new(&options);
        let checkpointer = Checkpointer::start(path.clone(), options.clone(), Arc::clone(&pressure), woken)?;
        let readers = Readers::new(path.clone(), &options);
        let node = OneNode::new(Arc::clone(&options.clock));
        let writer = Writer::start(Desk::new(path, options, pressure, Arc::clone(&vault))?)?;
        Ok(Self { writer, readers, node, vault, checkpointer, lock: Mutex::new(Some(lock)) })
    }

    /// Refuses further work, finishes what was asked, moves everything into the file and lets others open it.
    /// Blocks until then. Closing again does nothing. Dropping the store does the same.
    ///
    /// # Errors
    /// When the write-ahead log could not be moved into the file. Nothing is lost by that: the next opening does it.
    pub fn close(&self) -> Result<(), Error> {
        let Some(lock) = self.lock.lock().unwrap_or_else(PoisonError::into_inner).take() else {
            return Ok(());
        };
        self.readers.close();
        let connection = self.writer.close();
        self.checkpointer.close();
        let moved = connection.as_ref().map_or(Ok(()), truncate);
        drop(connection);
        drop(lock);
        moved
    }
}

impl SqliteStore {
    /// The ids of the keys that secrets are sealed with.
    ///
    /// # Errors
    /// When the file can't be read.
    pub async fn sealing_keys(&self) -> Result<Vec<String>, Error> {
        self.readers.ask(control::sealing_keys).await
    }

    /// For what is asked of the store outside of its interface.
    pub(crate) const fn readers(&self) -> &Arc<Readers> {
        &self.readers
    }

    /// What secrets are sealed with.
    pub(crate) const fn vault(&self) -> &Arc<Vault> {
        &self.vault
    }

    /// The same, for writing.
    pub(crate) const fn writer(&self) -> &Writer {
        &self.writer
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        if let Err(error) = self.close() {
            tracing::warn!(%error, "the store could not be closed in full");
        }
    }
}

/// One path for one file, so that the lock beside it is one too.
fn resolve(path: &Path) -> Result<PathBuf, Error> {
    let cannot = |e: std::io::Error| Error::Unusable(format!("can't open {}: {e}", path.display()));
    if path.exists() {
        return path.canonicalize().map_err(cannot);
    }
    let name =
        path.file_name().ok_or_else(|| Error::Unusable(format!("{} names no file", path.display())))?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Ok(folder.canonicalize().map_err(cannot)?.join(name))
}

#[async_trait]
impl Log for SqliteStore {
    async fn position(&self, _node: NodeNo) -> Result<Position, Error> {
        self.readers.ask_for_log(log::position).await
    }

    async fn find_ids(&self, ids: &[(AccountId, EventId)]) -> Result<Vec<Option<Prior>>, Error> {
        let ids = ids.to_vec();
        self.readers.ask_for_log(move |connection| log::find_ids(connection, &ids)).await
    }

    async fn commit(&self, batch: Arc<Batch>) -> Result<Committed, Error> {
        self.writer.ask(move |work| log::commit(work, &batch)).await
    }

    async fn unrecorded(
        &self,
        _node: NodeNo,
        after: EventSeq,
        through: EventSeq,
        limit: usize,
    ) -> Result<Vec<Unrecorded>, Error> {
        self.readers.ask_for_log(move |connection| log::unrecorded(connection, after, through, limit)).await
    }

    async fn lease_due(&self, ask: LeaseDue) -> Result<Leased, Error> {
        self.readers.ask_for_log(move |connection| log::lease_due(connection, &ask)).await
    }

    async fn lease_planned(&self, ask: LeasePlanned) -> Result<LeasedPlanned, Error> {
        self.readers.ask_for_log(move |connection| log::lease_planned(connection, &ask)).await
    }

    async fn settle(&self, ask: Settle) -> Result<usize, Error> {
        self.writer.ask(move |work| log::settle(work, &ask)).await
    }

    async fn reopen(&self, ask: Reopen) -> Result<Reopened, Error> {
        self.writer.ask(move |work| log::reopen(work, &ask)).await
    }

    async fn claim(&self, _node: NodeNo, _key: DeliveryKey) -> Result<Claimed, Error> {
        Ok(Claimed::Own)
    }
}

#[async_trait]
impl Control for SqliteStore {
    async fn snapshot(&self) -> Result<Snapshot, Error> {
        let vault = Arc::clone(&self.vault);
        self.readers.ask(move |connection| control::snapshot(connection, &vault)).await
    }

    async fn insert_subscription(
        &self,
        subscription: &Subscription,
        audit: Option<&AuditEntry>,
    ) -> Result<SubscriptionNo, Error> {
        let (new, audit) = (subscription.clone(), audit.cloned());
        self.writer.ask(move |work| control::insert_subscription(work, &new, audit.as_ref())).await
    }

    async fn update_subscription(
        &self,
        subscription: &Subscription,
        audit: Option<&AuditEntry>,
    ) -> Result<(), Error> {
        let (changed, audit) = (subscription.clone(), audit.cloned());
        self.writer.ask(move |work| control::update_subscription(work, &changed, audit.as_ref())).await
    }

    async fn subscription(&self, id: SubscriptionId) -> Result<Option<Subscription>, Error> {
        let vault = Arc::clone(&self.vault);
        self.readers.ask(move |connection| control::subscription(connection, &vault, id)).await
    }

    async fn subscriptions_by_no(&self, numbers: &[SubscriptionNo]) -> Result<Vec<Subscription>, Error> {
        let (vault, numbers) = (Arc::clone(&self.vault), numbers.to_vec());
        self.readers.ask(move |connection| control::subscriptions_by_no(connection, &vault, &numbers)).await
    }

    async fn standing(&self, numbers: &[SubscriptionNo]) -> Result<Vec<Standing>, Error> {
        let numbers = numbers.to_vec();
        self.readers.ask(move |connection| control::standing(connection, &numbers)).await
    }

    async fn list_subscriptions(
        &self,
        filter: &SubscriptionFilter,
        page: Page<SubscriptionId>,
    ) -> Result<Vec<Subscription>, Error> {
        let (vault, filter) = (Arc::clone(&self.vault), filter.clone());
        self.readers
            .ask(move |connection| control::list_subscriptions(connection, &vault, &filter, &page))
            .await
    }

    async fn put_event_type(&self, event_type: &EventType, audit: Option<&AuditEntry>) -> Result<(), Error> {
        let (event_type, audit) = (event_type.clone(), audit.cloned());
        self.writer.ask(move |work| control::put_event_type(work, &event_type, audit.as_ref())).await
    }

    async fn delete_event_type(&self, name: &EventName, audit: Option<&AuditEntry>) -> Result<bool, Error> {
        let (name, audit) = (name.clone(), audit.cloned());
        self.writer.ask(move |work| control::delete_event_type(work, &name, audit.as_ref())).await
    }

    async fn insert_key(&self, key: &ApiKey, audit: Option<&AuditEntry>) -> Result<(), Error> {
        let (key, audit) = (key.clone(), audit.cloned());
        self.writer.ask(move |work| control::insert_key(work, &key, audit.as_ref())).await
    }

    async fn delete_key(&self, id: KeyId, audit: Option<&AuditEntry>) -> Result<bool, Error> {
        let audit = audit.cloned();
        self.writer.ask(move |work| control::delete_key(work, id, audit.as_ref())).await
    }

    async fn touch_keys(&self, used: &[(KeyId, Timestamp)]) -> Result<(), Error> {
        let used = used.to_vec();
        self.writer.ask(move |work| control::touch_keys(work, &used)).await
    }

    async fn list_accounts(
        &self,
        after: Option<&AccountId>,
        limit: usize,
    ) -> Result<Vec<AccountSummary>, Error> {
        let after = after.cloned();
        self.readers.ask(move |connection| control::list_accounts(connection, after.as_ref(), limit)).await
    }

    async fn account(&self, id: &AccountId) -> Result<Option<AccountSummary>, Error> {
        let id = id.clone();
        self.readers.ask(move |connection| control::account(connection, &id)).await
    }

    async fn put_account(
        &self,
        id: &AccountId,
        settings: &AccountSettings,
        now: Timestamp,
        audit: Option<&AuditEntry>,
    ) -> Result<(), Error> {
        let (id, settings, audit) = (id.clone(), settings.clone(), audit.cloned());
        self.writer.ask(move |work| control::put_account(work, &id, &settings, now, audit.as_ref())).await
    }

    async fn begin_delete_account(
        &self,
        id: &AccountId,
        _now: Timestamp,
        audit: Option<&AuditEntry>,
    ) -> Result<Option<DeletedAccount>, Error> {
        let (id, audit) = (id.clone(), audit.cloned());
        self.writer.ask(move |work| control::begin_delete_account(work, &id, audit.as_ref())).await
    }

    async fn delete_account_step(&self, deleted: &DeletedAccount, limit: usize) -> Result<bool, Error> {
        let deleted = deleted.clone();
        self.writer.ask(move |work| control::delete_account_step(work, &deleted, limit)).await
    }

    async fn list_audit(&self, filter: &AuditFilter, page: Page<AuditId>) -> Result<Vec<AuditEntry>, Error> {
        let filter = filter.clone();
        self.readers.ask(move |connection| control::list_audit(connection, &filter, &page)).await
    }

    async fn reseal(&self, after: SubscriptionNo, limit: usize) -> Result<Option<SubscriptionNo>, Error> {
        self.writer.ask(move |work| control::reseal(work.connection, work.vault, after, limit)).await
    }
}

#[async_trait]
impl History for SqliteStore {
    async fn events_by_id(
        &self,
        account: Option<&AccountId>,
        id: &EventId,
    ) -> Result<Vec<SequencedEvent>, Error> {
        let (account, id) = (account.cloned(), id.clone());
        self.readers.ask(move |connection| history::events_by_id(connection, account.as_ref(), &id)).await
    }

    async fn event_by_uid(&self, uid: Uid) -> Result<Option<SequencedEvent>, Error> {
        self.readers.ask(move |connection| history::event_by_uid(connection, uid)).await
    }

    async fn list_events(&self, filter: &EventFilter, page: Page<Uid>) -> Result<Vec<SequencedEvent>, Error> {
        let filter = filter.clone();
        self.readers.ask(move |connection| history::list_events(connection, &filter, &page)).await
    }

    async fn deliveries(&self, keys: &[DeliveryKey]) -> Result<Vec<Delivery>, Error> {
        let keys = keys.to_vec();
        self.readers.ask(move |connection| history::deliveries(connection, &keys)).await
    }

    async fn list_deliveries(
        &self,
        filter: &DeliveryFilter,
        page: Page<DeliveryId>,
    ) -> Result<Vec<Delivery>, Error> {
        let filter = filter.clone();
        self.readers.ask(move |connection| history::list_deliveries(connection, &filter, &page)).await
    }

    async fn missed(&self, subscription: SubscriptionNo) -> Result<Missed, Error> {
        self.readers.ask(move |connection| history::missed(connection, subscription)).await
    }

    async fn attempts(&self, key: DeliveryKey) -> Result<Vec<Attempt>, Error> {
        self.readers.ask(move |connection| history::attempts(connection, key)).await
    }
}

/// Makes the store's file, if it is not there, so that its owner alone can read it: signing secrets lie in it. SQLite
/// gives its other files the same mode.
fn private_file(path: &Path) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}

#[async_trait]
impl Retention for SqliteStore {
    async fn expire(&self, ask: &Expire) -> Result<Expired, Error> {
        let ask = *ask;
        self.writer.ask(move |work| retention::expire(work, &ask)).await
    }

    async fn give_back(&self) -> Result<bool, Error> {
        self.writer.ask(retention::give_back).await
    }

    async fn holdings(&self) -> Result<Holdings, Error> {
        self.readers.ask(retention::holdings).await
    }
}
