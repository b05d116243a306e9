//! The nodes that work on a store: who lives, who takes over from whom, and what others have changed.

use std::time::Duration;

use async_trait::async_trait;

use super::{Backlog, DeletedAccount, Error};
use crate::model::{
    AccountId, AccountSettings, ApiKey, EventName, EventSeq, EventType, KeyId, Node, NodeNo, Subscription,
    SubscriptionNo, Timestamp,
};

/// The nodes' part of a store. A store with a single owner has one node, which never ends.
#[async_trait]
pub trait Nodes: Send + Sync + 'static {
    /// Whether several nodes may work on this store at once. When not, nothing below but [`Nodes::join`],
    /// [`Nodes::inherit`], [`Nodes::leave`] and [`Nodes::nodes`] is ever asked.
    fn is_shared(&self) -> bool;

    /// Registers a node, whose lease begins now. What this store writes from now on is by this node.
    async fn join(&self, new: &NewNode) -> Result<Joined, Error>;

    /// Lengthens a node's lease: it runs for `lease` from now on, by the store's own clock.
    ///
    /// # Errors
    /// [`Error::Fenced`] when it was taken over.
    async fn renew(&self, node: NodeNo, lease: Duration) -> Result<Renewed, Error>;

    /// Makes this node the owner of what nodes left behind that stopped, whose lease has ended, or whose own taker is
    /// gone; from then on their writes are refused. Answers them all, with those that it took before and has not
    /// forgotten yet. When `patient` is false, a node whose lease has ended counts only
    /// when the store itself is known to have been there all the while, so that it could have renewed it.
    ///
    /// # Errors
    /// [`Error::Fenced`] when this node was itself taken over.
    async fn take_over(&self, by: NodeNo, patient: bool) -> Result<Vec<NodeNo>, Error>;

    /// Moves up to `limit` waiting deliveries from a node that was taken over to this one. With `from` itself: moves
    /// nothing, and answers with all that waits for it.
    ///
    /// # Errors
    /// [`Error::Fenced`] when this node was itself taken over.
    async fn inherit(&self, by: NodeNo, from: NodeNo, limit: usize) -> Result<Inherited, Error>;

    /// Nothing is left of a node that was taken over: its events are recorded, its waiting deliveries moved.
    async fn forget(&self, by: NodeNo, gone: NodeNo) -> Result<(), Error>;

    /// Of the subscriptions whose planned deliveries are this node's: those for which other nodes have written some, or
    /// which it has taken over, since it asked last. Who asks is to read them.
    async fn planned_news(&self, node: NodeNo) -> Result<Vec<PlannedNews>, Error>;

    /// A node stops in order: it may be taken over at once.
    async fn leave(&self, node: NodeNo) -> Result<(), Error>;

    /// All nodes that are known, those that joined last first.
    async fn nodes(&self) -> Result<Vec<Node>, Error>;

    /// What has been changed after this point, in order, at most `limit`, each as it stands now. A node's own changes are
    /// among them: when an answer is lost it does not know whether it made one. Those of before may be, too.
    async fn changes(&self, after: ChangeNo, limit: usize) -> Result<Changes, Error>;

    /// Account deletions that were begun and are not done.
    async fn deletions(&self) -> Result<Vec<DeletedAccount>, Error>;

    /// Ends when the store has told of something new: a change by another node, or events emitted in transactions.
    /// What it tells may be lost, and it may end without a reason: whoever waits looks from time to time as well.
    async fn told(&self);

    /// The statement by which an application emits within its own transaction, with the parameters event, account,
    /// data (as text), id, created_at (milliseconds), resource_url, order_key, debounce_key, all but the first three
    /// nullable; it answers the event's id. `None` when the store has no such thing.
    fn emit_statement(&self) -> Option<String>;

    /// Events that were emitted in transactions, in about their order, and have not been accepted yet: those that are
    /// this node's turn. Nothing is marked: a batch that accepts them takes them away.
    async fn emitted(&self, ask: EmittedAsk) -> Result<Vec<Emitted>, Error>;
}

/// A node that joins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewNode {
    /// What its operator calls it.
    pub name: String,
    /// The program's version.
    pub version: String,
    /// How long its lease runs unless it is lengthened.
    pub lease: Duration,
    /// When it started.
    pub started_at: Timestamp,
    /// Whether event types register themselves with their first event; what is emitted in transactions is judged by
    /// what the node that joined last says.
    pub registers_types: bool,
}

/// What joining gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joined {
    /// The node's number.
    pub node: NodeNo,
    /// All its events will be numbered above this one.
    pub last: EventSeq,
    /// The node goes on with the log of an earlier run of its own: every delivery of every event up to here has a row,
    /// those up to `last` are to be looked at. `None` for a log that begins anew.
    pub watermark: Option<EventSeq>,
}

/// News of a subscription whose planned deliveries are this node's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlannedNews {
    /// Which one.
    pub subscription: SubscriptionNo,
    /// So many planned deliveries have come to wait since it was asked last; all that wait, when it was taken over.
    pub came: u64,
    /// It was taken over, or what was known of it may be wrong: all is to be read again.
    pub again: bool,
}

/// How things stand when a lease is lengthened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Renewed {
    /// Nodes whose lease runs, with this one.
    pub live: usize,
    /// This node's place among them, from 0.
    pub place: usize,
    /// Whether there is a node that could be taken over.
    pub orphans: bool,
}

/// Waiting deliveries that were moved.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inherited {
    /// What was moved, per subscription.
    pub backlog: Vec<Backlog>,
    /// Whether none are left.
    pub done: bool,
}

/// A point in the order of changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct ChangeNo(pub i64);

/// Some changes, and the point up to which they go.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Changes {
    /// What has changed.
    pub changes: Vec<Change>,
    /// Where to go on.
    pub through: ChangeNo,
    /// Whether there may be more.
    pub more: bool,
}

/// Something that was changed, as it stands now.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// A subscription was created or changed, or has ended.
    Subscription(Box<Subscription>),
    /// An event type was registered, replaced or (`None`) deleted.
    EventType(EventName, Option<Box<EventType>>),
    /// An account's settings were changed.
    AccountSettings(AccountId, AccountSettings),
    /// A key was made or (`None`) deleted.
    Key(KeyId, Option<Box<ApiKey>>),
    /// An account's deletion was begun: its keys, subscriptions and settings are gone, except what it has by now, having
    /// begun anew since.
    Account {
        /// The account.
        id: AccountId,
        /// Its subscriptions that have not ended, in no order.
        subscriptions: Vec<SubscriptionNo>,
        /// Its keys, in no order.
        keys: Vec<KeyId>,
        /// Its settings.
        settings: AccountSettings,
    },
}

/// The number of an event that was emitted in a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EmittedNo(pub i64);

/// Which emitted events to look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EmittedAsk {
    /// Accounts are shared out among so many nodes …
    pub of: usize,
    /// … and those of this place are wanted, from 0.
    pub place: usize,
    /// At most so many.
    pub limit: usize,
}

/// An event that was emitted in a transaction, as its producer gave it: nothing is judged yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Emitted {
    /// Its number.
    pub no: EmittedNo,
    /// Its type.
    pub event: String,
    /// Whose it is.
    pub account: String,
    /// The data, JSON.
    pub data: bytes::Bytes,
    /// Its id: the producer's own, or the one that it was answered.
    pub id: String,
    /// Whether the id is the producer's own.
    pub own_id: bool,
    /// When it happened: as the producer said, else when it was emitted.
    pub created_at: Timestamp,
    /// Whether the producer said so: only then a repetition has to say the same.
    pub own_time: bool,
    /// Where the resource can be read.
    pub resource_url: Option<String>,
    /// Keeps order among events with the same key.
    pub order_key: Option<String>,
    /// Of events with the same key, debounced subscriptions get the newest.
    pub debounce_key: Option<String>,
}
