//! Events that applications emitted within their own transactions.

use bytes::Bytes;
use resthooks::store::{Emitted, EmittedAsk, EmittedNo, Error};
use tokio_postgres::Row;
use tokio_postgres::types::Type;

use crate::database::{Database, Schema, Way};
use crate::event_row::{get, time};
use crate::value::count;

/// Once so many bytes of events are found, a page ends.
const ENOUGH_BYTES: i64 = 8 * 1024 * 1024;

// Which account is whose turn is the same for all nodes that see the same nodes; where they don't, two look at the same
// event and one of them is too late.
const ASK: &str = "SELECT * FROM (SELECT e.*, sum(octet_length(e.data)) OVER (ORDER BY e.no ROWS UNBOUNDED PRECEDING) \
                   - octet_length(e.data) AS before FROM (SELECT * FROM @.emitted e \
                   WHERE (hashtext(e.account) & 2147483647)::bigint % $1 = $2 \
                   AND e.no < (SELECT coalesce(min(p.no), 9223372036854775807) FROM @.emitted_pack p) \
                   ORDER BY e.no LIMIT $3) e) e \
                   WHERE e.before < $4 ORDER BY e.no";

/// Packs of which rows are made for each node at once: a page for each.
const PACKS: usize = 4;

// Calls nothing that writes unless there is something to write.
const UNPACK: &str =
    "SELECT CASE WHEN EXISTS (SELECT FROM @.emitted_pack) THEN @.unpack_emitted($1) ELSE 0 END AS packs";

/// Those that are this node's turn, in about their order.
pub(crate) async fn emitted(database: &Database, ask: EmittedAsk) -> Result<Vec<Emitted>, Error> {
    let found = page(database, ask).await?;
    if found.len() >= ask.limit {
        return Ok(found);
    }
    // What is packed was emitted after what is not.
    let packs = i32::try_from(PACKS * ask.of.max(1)).unwrap_or(i32::MAX);
    let unpacked = database.repeat(Way::Any, UNPACK, &[(&packs, Type::INT4)]).await?;
    match unpacked.first() {
        Some(row) if get::<i64>(row, "packs")? > 0 => page(database, ask).await,
        _ => Ok(found),
    }
}

async fn page(database: &Database, ask: EmittedAsk) -> Result<Vec<Emitted>, Error> {
    let (of, place, limit) = (count(ask.of.max(1)), count(ask.place), count(ask.limit));
    let parameters = [
        (&of as _, Type::INT8),
        (&place as _, Type::INT8),
        (&limit as _, Type::INT8),
        (&ENOUGH_BYTES as _, Type::INT8),
    ];
    database.read(ASK, &parameters).await?.iter().map(one).collect()
}

fn one(row: &Row) -> Result<Emitted, Error> {
    Ok(Emitted {
        no: EmittedNo(get(row, "no")?),
        event: get(row, "event")?,
        account: get(row, "account")?,
        data: Bytes::from(get::<String>(row, "data")?),
        id: get(row, "id")?,
        own_id: get(row, "own_id")?,
        created_at: time(row, "created_at")?,
        own_time: get(row, "own_time")?,
        resource_url: get(row, "resource_url")?,
        order_key: get(row, "order_key")?,
        debounce_key: get(row, "debounce_key")?,
    })
}

/// What an application executes.
pub(crate) fn emit_statement(schema: &Schema) -> String {
    schema.name_in(
        // An interval times a number is rounded where the number is large; hours and the rest of one are not.
        "SELECT @.emit($1::text, $2::text, $3::text, $4::text, timestamptz 'epoch' + make_interval(\
         hours => ($5::bigint / 3600000)::integer, secs => ($5::bigint % 3600000)::float8 / 1000), \
         $6::text, $7::text, $8::text)",
    )
}
