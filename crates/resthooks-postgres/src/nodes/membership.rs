//! Who works on this store: joining, leases, taking over, leaving.

use std::time::Duration;

use resthooks::model::{EventSeq, Node, NodeNo, NodeStatus, SubscriptionNo};
use resthooks::store::{Backlog, Error, Inherited, Joined, NewNode, Renewed};
use tokio_postgres::Row;
use tokio_postgres::types::Type;

use crate::control::bring_keys;
use crate::database::{Database, Way};
use crate::event_row::{count, get, time, time_or_none};
use crate::failure::corrupt;
use crate::store::Inner;
use crate::value::{limit as most, readable};

const NODES: &str = "SELECT no, name, version, started_at, renewed_at, lease_until, taken_by, \
                     CASE WHEN state = 0 AND lease_until <= @.now_ms() THEN 3::smallint ELSE state END AS standing \
                     FROM @.node ORDER BY no DESC";

const EVENT_TYPES: &str = "INSERT INTO @.setting AS s (name, value) VALUES ('event_types', $1) \
                           ON CONFLICT (name) DO UPDATE SET value = excluded.value WHERE s.value <> excluded.value";

/// Clocks that differ by more are worth a warning.
const FAR_MS: i64 = 60_000;

fn millis(lease: Duration) -> i64 {
    i64::try_from(lease.as_millis()).unwrap_or(i64::MAX / 2)
}

/// Registers a node; what this store writes from now on is by it.
pub(crate) async fn join(inner: &Inner, new: &NewNode) -> Result<Joined, Error> {
    inner.partitions.make_ahead(&inner.database).await?;
    let (name, version) = (readable(&new.name), readable(&new.version));
    let (started, lease) = (new.started_at.as_millis(), millis(new.lease));
    let parameters = [
        (&name as _, Type::TEXT),
        (&version as _, Type::TEXT),
        (&started as _, Type::INT8),
        (&lease as _, Type::INT8),
    ];
    // When the answer is lost a row is left that nobody lengthens: it is taken over as any other.
    let rows =
        inner.database.repeat(Way::Any, "SELECT * FROM @.join_node($1, $2, $3, $4)", &parameters).await?;
    let row = rows.first().ok_or_else(|| corrupt("a node's number"))?;
    let (node, last) = (NodeNo(get(row, "no")?), get(row, "last")?);
    // Again, now that it is a node: what came into use since the store was opened it must have, too, and from its number it
    // can be told that it has.
    if let Err(error) = bring_keys(&inner.database, &inner.vault, Some(node)).await {
        leave(&inner.database, node).await?;
        return Err(error);
    }
    inner.numbers.begin(node, get(row, "slot")?, last);
    let kept = if new.registers_types { "auto" } else { "strict" };
    compare_clocks(inner).await?;
    inner.database.repeat(Way::Any, EVENT_TYPES, &[(&kept as _, Type::TEXT)]).await?;
    Ok(Joined { node, last: EventSeq(last), watermark: None })
}

/// Numbers are times: those that a clock far ahead has given are gone on with by every node that joins later.
async fn compare_clocks(inner: &Inner) -> Result<(), Error> {
    let own = inner.database.clock.now().as_millis();
    let rows = inner.database.read("SELECT @.now_ms() AS now", &[]).await?;
    let theirs: i64 = rows.first().map_or(Ok(own), |row| get(row, "now"))?;
    if (own - theirs).abs() > FAR_MS {
        tracing::warn!(
            ahead_ms = own - theirs,
            "this machine's clock and the database's differ by more than a minute: events are ordered and partitioned by it"
        );
    }
    Ok(())
}

/// Lengthens a lease.
pub(crate) async fn renew(inner: &Inner, node: NodeNo, lease: Duration) -> Result<Renewed, Error> {
    let rest = inner.numbers.rest(node, inner.database.clock.now());
    let (lease, last, floor) = (millis(lease), rest.map(|(last, _)| last), rest.map(|(_, floor)| floor));
    let parameters = [
        (&node.0 as _, Type::INT8),
        (&lease as _, Type::INT8),
        (&last as _, Type::INT8),
        (&floor as _, Type::INT8),
    ];
    let rows =
        inner.database.repeat(Way::Lease, "SELECT * FROM @.renew($1, $2, $3, $4)", &parameters).await?;
    let row = rows.first().ok_or(Error::Fenced)?;
    Ok(Renewed { live: count(row, "live")?, place: count(row, "place")?, orphans: get(row, "orphans")? })
}

/// Takes over whoever is gone.
pub(crate) async fn take_over(inner: &Inner, by: NodeNo, patient: bool) -> Result<Vec<NodeNo>, Error> {
    let identity = inner.numbers.identity(by)?;
    let parameters =
        [(&identity.node as _, Type::INT8), (&identity.slot as _, Type::INT4), (&patient as _, Type::BOOL)];
    let rows = inner.database.repeat(Way::Any, "SELECT @.take_over($1, $2, $3) AS no", &parameters).await?;
    rows.iter().map(|row| get(row, "no").map(NodeNo)).collect()
}

/// Moves waiting deliveries to this node; when it asks about itself, tells what it has.
///
/// # Errors
/// [`Error::InDoubt`] when some may have been moved of which it was not told: it has to ask about itself then.
pub(crate) async fn inherit(
    inner: &Inner,
    by: NodeNo,
    from: NodeNo,
    limit: usize,
) -> Result<Inherited, Error> {
    let identity = inner.numbers.identity(by)?;
    if by == from {
        let rows =
            inner.database.read("SELECT * FROM @.inherited($1)", &[(&identity.node, Type::INT8)]).await?;
        return Ok(Inherited { backlog: rows.iter().map(backlog).collect::<Result<_, _>>()?, done: true });
    }
    let most = most(limit);
    let parameters = [
        (&identity.node as _, Type::INT8),
        (&identity.slot as _, Type::INT4),
        (&from.0 as _, Type::INT8),
        (&most as _, Type::INT4),
    ];
    let rows = inner.database.once("SELECT * FROM @.inherit($1, $2, $3, $4)", &parameters).await?;
    let mut inherited = Inherited { backlog: Vec::new(), done: true };
    for row in &rows {
        if get::<Option<i64>>(row, "subscription")?.is_some() {
            inherited.backlog.push(backlog(row)?);
        } else {
            inherited.done = count::<usize>(row, "scheduled")? < limit;
        }
    }
    Ok(inherited)
}

fn backlog(row: &Row) -> Result<Backlog, Error> {
    Ok(Backlog {
        subscription: SubscriptionNo(get(row, "subscription")?),
        next_due: time_or_none(row, "next_due")?,
        scheduled: count(row, "scheduled")?,
        held: count(row, "held")?,
    })
}

/// Nothing is left of a node that was taken over.
pub(crate) async fn forget(inner: &Inner, by: NodeNo, gone: NodeNo) -> Result<(), Error> {
    let identity = inner.numbers.identity(by)?;
    let parameters =
        [(&identity.node as _, Type::INT8), (&identity.slot as _, Type::INT4), (&gone.0 as _, Type::INT8)];
    inner.database.repeat(Way::Any, "SELECT @.forget($1, $2, $3)", &parameters).await?;
    Ok(())
}

/// A node stops in order.
pub(crate) async fn leave(database: &Database, node: NodeNo) -> Result<(), Error> {
    database.repeat(Way::Lease, "SELECT @.leave($1)", &[(&node.0, Type::INT8)]).await?;
    Ok(())
}

/// All nodes, those that joined last first.
pub(crate) async fn nodes(database: &Database) -> Result<Vec<Node>, Error> {
    database.read(NODES, &[]).await?.iter().map(node).collect()
}

fn node(row: &Row) -> Result<Node, Error> {
    Ok(Node {
        no: NodeNo(get(row, "no")?),
        name: get(row, "name")?,
        version: get(row, "version")?,
        status: match get::<i16>(row, "standing")? {
            0 => NodeStatus::Live,
            1 => NodeStatus::Left,
            2 => NodeStatus::Dead,
            3 => NodeStatus::Expired,
            _ => return Err(corrupt("a node's state")),
        },
        started_at: time(row, "started_at")?,
        renewed_at: time(row, "renewed_at")?,
        lease_until: time(row, "lease_until")?,
        taken_by: get::<Option<i64>>(row, "taken_by")?.map(NodeNo),
    })
}
