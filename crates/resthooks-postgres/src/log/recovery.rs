//! What is asked when another node's log, or one's own, is gone on with: how far it goes and what is not recorded.

use std::collections::HashSet;

use resthooks::model::{EventSeq, NodeNo};
use resthooks::store::{Error, Position, Unrecorded};
use tokio_postgres::types::Type;

use crate::database::{Database, Way};
use crate::event_row::{event, get};
use crate::store::Inner;
use crate::value::limit as most;

/// Once so many bytes of events are found, a page ends.
const ENOUGH_BYTES: i64 = 16 * 1024 * 1024;

const RECORDED: &str = "SELECT d.event_seq, d.subscription FROM unnest($1, $2, $3) AS u (account, subscription, seq) \
                        CROSS JOIN LATERAL (SELECT d.event_seq, d.subscription FROM @.delivery d \
                        WHERE d.account = u.account AND d.subscription = u.subscription AND d.event_seq = u.seq LIMIT 1) d";

/// How far the log goes and how far it is recorded. What this node itself has sent and is not written yet is never
/// written any more.
pub(crate) async fn position(inner: &Inner, node: NodeNo) -> Result<Position, Error> {
    let database = &inner.database;
    if let Ok(identity) = inner.numbers.identity(node) {
        let parameters = [(&identity.node as _, Type::INT8), (&identity.slot as _, Type::INT4)];
        let rows = database.repeat(Way::Any, "SELECT @.end_doubt($1, $2) AS epoch", &parameters).await?;
        inner.numbers.renew_epoch(node, rows.first().map_or(Err(Error::Fenced), |row| get(row, "epoch"))?);
    }
    let ask = "SELECT * FROM @.position_of($1)";
    let rows = database.repeat(Way::Any, ask, &[(&node.0, Type::INT8)]).await?;
    let row = rows.first().ok_or(Error::Fenced)?;
    Ok(Position { watermark: EventSeq(get(row, "watermark")?), last: EventSeq(get(row, "last")?) })
}

/// The events of a range with those of their matches that have no row. Large events make a page shorter.
pub(crate) async fn unrecorded(
    database: &Database,
    node: NodeNo,
    after: EventSeq,
    through: EventSeq,
    limit: usize,
) -> Result<Vec<Unrecorded>, Error> {
    let limit = most(limit);
    let parameters = [
        (&node.0 as _, Type::INT8),
        (&after.0 as _, Type::INT8),
        (&through.0 as _, Type::INT8),
        (&limit as _, Type::INT4),
        (&ENOUGH_BYTES as _, Type::INT8),
    ];
    let rows = database.read("SELECT * FROM @.events_of($1, $2, $3, $4, $5)", &parameters).await?;
    let events: Vec<_> = rows.iter().map(event).collect::<Result<_, _>>()?;
    let (mut accounts, mut subscriptions, mut numbers) = (Vec::new(), Vec::new(), Vec::new());
    for event in &events {
        for one in &event.event.matched {
            accounts.push(event.event.account.as_str());
            subscriptions.push(one.subscription.0);
            numbers.push(event.seq.0);
        }
    }
    let parameters = [
        (&accounts as _, Type::TEXT_ARRAY),
        (&subscriptions as _, Type::INT8_ARRAY),
        (&numbers as _, Type::INT8_ARRAY),
    ];
    let rows = if numbers.is_empty() { Vec::new() } else { database.read(RECORDED, &parameters).await? };
    let recorded: HashSet<(i64, i64)> = rows
        .iter()
        .map(|row| Ok((get(row, "event_seq")?, get(row, "subscription")?)))
        .collect::<Result<_, Error>>()?;
    drop(accounts);
    let unrecorded = events.into_iter().map(|event| {
        let is_missing = |no: i64| !recorded.contains(&(event.seq.0, no));
        let missing =
            event.event.matched.iter().filter(|one| is_missing(one.subscription.0)).copied().collect();
        Unrecorded { event, missing }
    });
    Ok(unrecorded.collect())
}
