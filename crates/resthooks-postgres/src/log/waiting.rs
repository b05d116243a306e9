//! Takes what is due, and moves what waits from one state to another.

use resthooks::model::{DeliveryKey, DeliveryStatus, EventSeq, NodeNo, Timestamp};
use resthooks::store::coding::delivery_status_code;
use resthooks::store::{Claimed, Error, LeaseDue, Leased, LeasedDelivery, Settle};
use tokio_postgres::Row;
use tokio_postgres::types::Type;

use crate::database::Way;
use crate::event_row::{count, event, get, small_count, time_or_none};
use crate::store::Inner;
use crate::value::limit;

/// Once so many bytes of events are taken, no more are: whoever asked keeps them all in memory.
pub(super) const ENOUGH_BYTES: i64 = 4 * 1024 * 1024;

/// The longest due deliveries of a subscription, and when the one after them is due. Leasing again what was leased
/// gives the same.
pub(crate) async fn lease_due(inner: &Inner, ask: &LeaseDue) -> Result<Leased, Error> {
    let identity = inner.numbers.identity(ask.node)?;
    let (now, most, except) = (ask.now.as_millis(), limit(ask.limit), numbers(&ask.except));
    let parameters = [
        (&identity.node as _, Type::INT8),
        (&identity.slot as _, Type::INT4),
        (&ask.subscription.0 as _, Type::INT8),
        (&now as _, Type::INT8),
        (&most as _, Type::INT4),
        (&ENOUGH_BYTES as _, Type::INT8),
        (&except as _, Type::INT8_ARRAY),
    ];
    let sql = "SELECT * FROM @.lease_due($1, $2, $3, $4, $5, $6, $7)";
    let rows = inner.database.repeat(Way::Any, sql, &parameters).await?;
    let mut leased = Leased::default();
    for row in &rows {
        if get::<Option<i64>>(row, "seq")?.is_some() {
            leased.deliveries.push(delivery(row)?);
        } else {
            leased.next_due = time_or_none(row, "due_at")?;
        }
    }
    Ok(leased)
}

fn delivery(row: &Row) -> Result<LeasedDelivery, Error> {
    Ok(LeasedDelivery {
        event: event(row)?,
        sequence: get::<i64>(row, "sequence")?.cast_unsigned(),
        attempts: small_count(row, "attempts")?,
        automatic: small_count(row, "automatic")?,
    })
}

fn numbers(events: &[EventSeq]) -> Vec<i64> {
    events.iter().map(|seq| seq.0).collect()
}

/// Moves up to `limit`, the oldest first; how many were moved.
pub(crate) async fn settle(inner: &Inner, ask: &Settle) -> Result<usize, Error> {
    let code = |status| delivery_status_code(status).and_then(|code| i16::try_from(code).ok());
    let (Some(from), Some(to)) = (code(ask.from), code(ask.to)) else { return Ok(0) };
    let identity = inner.numbers.identity(ask.node)?;
    let due = (ask.to == DeliveryStatus::Scheduled).then(|| Timestamp::as_millis(ask.now));
    let (now, most, except) = (ask.now.as_millis(), limit(ask.limit), numbers(&ask.except));
    let reason = ask.reason.as_deref().map(crate::value::readable);
    let parameters = [
        (&identity.node as _, Type::INT8),
        (&identity.slot as _, Type::INT4),
        (&ask.subscription.0 as _, Type::INT8),
        (&from as _, Type::INT2),
        (&to as _, Type::INT2),
        (&reason as _, Type::TEXT),
        (&due as _, Type::INT8),
        (&now as _, Type::INT8),
        (&most as _, Type::INT4),
        (&except as _, Type::INT8_ARRAY),
    ];
    let sql = "SELECT @.settle($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) AS moved";
    let rows = inner.database.repeat(Way::Any, sql, &parameters).await?;
    rows.first().map_or(Ok(0), |row| count(row, "moved"))
}

/// Makes a delivery this node's, for a manual action.
pub(crate) async fn claim(inner: &Inner, node: NodeNo, key: DeliveryKey) -> Result<Claimed, Error> {
    let identity = inner.numbers.identity(node)?;
    let parameters = [
        (&identity.node as _, Type::INT8),
        (&identity.slot as _, Type::INT4),
        (&key.event.0 as _, Type::INT8),
        (&key.subscription.0 as _, Type::INT8),
    ];
    let sql = "SELECT @.claim($1, $2, $3, $4) AS claimed";
    // Not again when the answer is lost: the second one would say that it had been this node's all the time.
    let rows = inner.database.once(sql, &parameters).await?;
    Ok(match rows.first().map_or(Ok(0), |row| get::<i32>(row, "claimed"))? {
        0 => Claimed::Busy,
        1 => Claimed::Own,
        _ => Claimed::Moved,
    })
}
