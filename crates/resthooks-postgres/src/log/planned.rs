//! Reads planned deliveries, and what other nodes have written of them.

use resthooks::model::{NodeNo, SubscriptionNo};
use resthooks::store::{
    Error, LeasePlanned, LeasedDelivery, LeasedPlanned, Pick, PlannedDelivery, PlannedNews,
};
use tokio_postgres::Row;
use tokio_postgres::types::Type;

use super::waiting::ENOUGH_BYTES;
use crate::database::Way;
use crate::event_row::{event, get, small_count, time, time_or_none};
use crate::store::Inner;
use crate::value::limit;

/// Some of a subscription's planned deliveries, when they are this node's.
pub(crate) async fn lease_planned(inner: &Inner, ask: &LeasePlanned) -> Result<LeasedPlanned, Error> {
    let identity = inner.numbers.identity(ask.node)?;
    let (pick, key, after, now) = match &ask.pick {
        Pick::After(after) => (0, &[][..], after.cast_signed(), 0),
        Pick::OfKey { key, after } => (1, &key[..], after.cast_signed(), 0),
        Pick::DueGroup(now) => (2, &[][..], 0, now.as_millis()),
    };
    let most = limit(ask.limit);
    let parameters = [
        (&identity.node as _, Type::INT8),
        (&identity.slot as _, Type::INT4),
        (&ask.subscription.0 as _, Type::INT8),
        (&pick as _, Type::INT4),
        (&key as _, Type::BYTEA),
        (&after as _, Type::INT8),
        (&now as _, Type::INT8),
        (&most as _, Type::INT4),
        (&ENOUGH_BYTES as _, Type::INT8),
    ];
    let sql = "SELECT * FROM @.lease_planned($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    let rows = inner.database.repeat(Way::Any, sql, &parameters).await?;
    let mut leased = LeasedPlanned::default();
    for row in &rows {
        if get::<Option<i64>>(row, "seq")?.is_some() {
            leased.deliveries.push(delivery(row)?);
        } else if pick == 2 {
            leased.next_due = time_or_none(row, "due_at")?;
        } else {
            leased.more = true;
        }
    }
    Ok(leased)
}

fn delivery(row: &Row) -> Result<PlannedDelivery, Error> {
    Ok(PlannedDelivery {
        delivery: LeasedDelivery {
            event: event(row)?,
            sequence: get::<i64>(row, "sequence")?.cast_unsigned(),
            attempts: small_count(row, "attempts")?,
            automatic: small_count(row, "automatic")?,
        },
        key: get::<Vec<u8>>(row, "plan_key")?,
        due: time(row, "due_at")?,
        group: get::<Option<i64>>(row, "plan_group")?.map(i64::cast_unsigned),
    })
}

/// What other nodes have written of what this one owns. The database is told that it is known afterwards: when that
/// fails, or this answer is lost, it says so once more.
pub(crate) async fn planned_news(inner: &Inner, node: NodeNo) -> Result<Vec<PlannedNews>, Error> {
    let sql = "SELECT * FROM @.planned_news($1)";
    let rows = inner.database.repeat(Way::Any, sql, &[(&node.0 as _, Type::INT8)]).await?;
    let (mut found, mut known) = (Vec::new(), (Vec::new(), Vec::new(), Vec::new()));
    for row in &rows {
        let (no, news, again): (i64, i64, i64) =
            (get(row, "subscription")?, get(row, "news")?, get(row, "again")?);
        let came = get::<Option<i64>>(row, "waiting")?.unwrap_or(news);
        found.push(PlannedNews {
            subscription: SubscriptionNo(no),
            came: u64::try_from(came).unwrap_or(0),
            again: again > 0,
        });
        known.0.push(no);
        known.1.push(news);
        known.2.push(again);
    }
    if !found.is_empty() {
        let parameters = [
            (&node.0 as _, Type::INT8),
            (&known.0 as _, Type::INT8_ARRAY),
            (&known.1 as _, Type::INT8_ARRAY),
            (&known.2 as _, Type::INT8_ARRAY),
        ];
        let sql = "SELECT @.planned_known($1, $2, $3, $4)";
        if let Err(error) = inner.database.once(sql, &parameters).await {
            tracing::debug!(%error, "news of planned deliveries will come again");
        }
    }
    Ok(found)
}
