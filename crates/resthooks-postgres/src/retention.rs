//! Deletes what is old: whole days by dropping their partitions, and where something in a day is kept, events one by one.
//!
//! A day's partitions are set apart with locks that are asked for some milliseconds only, and dropped afterwards: no
//! commit waits for the one or the other. It never touches what waits, nor events above their node's watermark.

use std::time::Duration;

use resthooks::model::{EventSeq, Timestamp, Uid};
use resthooks::store::coding::decode_matched;
use resthooks::store::{Error, Expire, Expired, Expiring, Holdings};
use tokio_postgres::Row;
use tokio_postgres::types::Type;

use crate::database::{Database, Way};
use crate::event_row::{count, get};
use crate::failure::corrupt;
use crate::numbers::{number_at, numbers_of, time_of};
use crate::store::Inner;
use crate::value::{Uuid, limit};

/// The most events of a day whose ids are freed in one step.
const IDS: i32 = 2_000;
/// The most deliveries that go in one step, unless one event alone has more.
const ROWS: usize = 1_000;
/// How often a day that somebody has in hand is asked for in a step, and how long apart.
const TRIES: usize = 8;
const APART: Duration = Duration::from_millis(50);

/// Deletes some; see the interface.
pub(crate) async fn expire(inner: &Inner, ask: &Expire) -> Result<Expired, Error> {
    let database = &inner.database;
    match ask.what {
        Expiring::Events { before, missed_before } => {
            events(inner, ask, number_at(before), number_at(missed_before), false).await
        }
        Expiring::Oldest { before } => {
            let before = number_at(before).min(number_at(database.clock.now()));
            events(inner, ask, before, before, true).await
        }
        Expiring::Attempts { before } => attempts(database, ask, number_at(before)).await,
        Expiring::Audit { before } => audit(database, ask, before).await,
    }
}

/// A step within the first day that is not behind us.
async fn events(
    inner: &Inner,
    ask: &Expire,
    before: i64,
    missed_from: i64,
    whole_days: bool,
) -> Result<Expired, Error> {
    let database = &inner.database;
    let days = database.read("SELECT day FROM @.kept_days() AS day", &[]).await?;
    for row in &days {
        let day: i64 = get(row, "day")?;
        let (first, end) = numbers_of(day);
        if end - 1 <= ask.after.0 {
            continue;
        }
        let after = ask.after.0.max(first - 1);
        if after + 1 >= before {
            break;
        }
        if end <= before && !holds_kept(database, first, end, missed_from).await? {
            return whole_day(inner, day, after, missed_from).await;
        }
        if !whole_days {
            return one_by_one(database, ask, after, end.min(before), missed_from).await;
        }
    }
    Ok(Expired::default())
}

async fn holds_kept(database: &Database, first: i64, end: i64, missed_from: i64) -> Result<bool, Error> {
    let sql = "SELECT @.holds_kept($1, $2, $3) AS kept";
    let parameters = [(&first as _, Type::INT8), (&end as _, Type::INT8), (&missed_from as _, Type::INT8)];
    let rows = database.read(sql, &parameters).await?;
    rows.first().map_or(Ok(true), |row| get(row, "kept"))
}

/// Frees ids, and drops the day once all are free.
async fn whole_day(inner: &Inner, day: i64, after: i64, missed_from: i64) -> Result<Expired, Error> {
    let database = &inner.database;
    let (first, end) = numbers_of(day);
    let ids = "SELECT * FROM @.expire_ids($1, $2, $3)";
    let parameters = [(&after as _, Type::INT8), (&end as _, Type::INT8), (&IDS as _, Type::INT4)];
    let rows = database.repeat(Way::Any, ids, &parameters).await?;
    let row = rows.first().ok_or_else(|| Error::Corrupt("a step without an answer".to_owned()))?;
    let gone = count(row, "gone")?;
    if let Some(last) = get::<Option<i64>>(row, "last")? {
        return Ok(Expired { gone, last: Some(EventSeq(last)) });
    }
    let apart = "SELECT @.set_day_apart($1, $2, $3, $4) AS done";
    let parameters = [
        (&day as _, Type::INT8),
        (&first as _, Type::INT8),
        (&end as _, Type::INT8),
        (&missed_from as _, Type::INT8),
    ];
    for tried in 0..TRIES {
        if tried > 0 {
            database.clock.sleep(APART).await;
        }
        let rows = database.repeat(Way::Any, apart, &parameters).await?;
        if rows.first().map_or(Ok(false), |row| get(row, "done"))? {
            inner.partitions.forget();
            break;
        }
    }
    // If somebody has had it in hand all the time, the next round finds it again.
    Ok(Expired { gone, last: Some(EventSeq(end - 1)) })
}

/// The deliveries of some events, as columns.
#[derive(Default)]
struct Chosen {
    seq: Vec<i64>,
    account: Vec<String>,
    d_seq: Vec<i64>,
    d_account: Vec<String>,
    d_subscription: Vec<i64>,
    /// Where to go on, when there may be more.
    last: Option<EventSeq>,
}

async fn choose(database: &Database, after: i64, end: i64, most: usize) -> Result<Chosen, Error> {
    let sql = "SELECT seq, account, matched FROM @.event WHERE seq > $1 AND seq < $2 ORDER BY seq LIMIT $3";
    let most_rows = i64::from(limit(most));
    let parameters = [(&after as _, Type::INT8), (&end as _, Type::INT8), (&most_rows as _, Type::INT8)];
    let rows = database.read(sql, &parameters).await?;
    let mut chosen = Chosen::default();
    let mut cut = rows.len() >= most;
    for row in &rows {
        let (seq, account): (i64, String) = (get(row, "seq")?, get(row, "account")?);
        let matched = decode_matched(get(row, "matched")?).ok_or_else(|| corrupt("what an event matched"))?;
        if !chosen.d_seq.is_empty() && chosen.d_seq.len() + matched.len() > ROWS {
            cut = true;
            break;
        }
        for one in matched {
            chosen.d_seq.push(seq);
            chosen.d_account.push(account.clone());
            chosen.d_subscription.push(one.subscription.0);
        }
        chosen.seq.push(seq);
        chosen.account.push(account);
    }
    chosen.last = chosen.seq.last().filter(|_| cut).map(|seq| EventSeq(*seq));
    Ok(chosen)
}

async fn one_by_one(
    database: &Database,
    ask: &Expire,
    after: i64,
    end: i64,
    missed_from: i64,
) -> Result<Expired, Error> {
    let chosen = choose(database, after, end, ask.limit).await?;
    let mut gone = 0;
    if !chosen.seq.is_empty() {
        let sql = "SELECT @.expire_events($1, $2, $3, $4, $5, $6) AS gone";
        let parameters = [
            (&chosen.seq as _, Type::INT8_ARRAY),
            (&chosen.account as _, Type::TEXT_ARRAY),
            (&chosen.d_seq as _, Type::INT8_ARRAY),
            (&chosen.d_account as _, Type::TEXT_ARRAY),
            (&chosen.d_subscription as _, Type::INT8_ARRAY),
            (&missed_from as _, Type::INT8),
        ];
        let rows = database.repeat(Way::Any, sql, &parameters).await?;
        gone = rows.first().map_or(Ok(0), |row| count(row, "gone"))?;
    }
    Ok(Expired { gone, last: chosen.last.or(Some(EventSeq(end - 1))) })
}

async fn attempts(database: &Database, ask: &Expire, before: i64) -> Result<Expired, Error> {
    let chosen = choose(database, ask.after.0, before, ask.limit).await?;
    let sql = "SELECT @.expire_attempts($1, $2, $3) AS gone";
    let parameters = [
        (&chosen.d_seq as _, Type::INT8_ARRAY),
        (&chosen.d_account as _, Type::TEXT_ARRAY),
        (&chosen.d_subscription as _, Type::INT8_ARRAY),
    ];
    let rows = database.repeat(Way::Any, sql, &parameters).await?;
    let gone = rows.first().map_or(Ok(0), |row| count(row, "gone"))?;
    Ok(Expired { gone, last: chosen.last })
}

async fn audit(database: &Database, ask: &Expire, before: Timestamp) -> Result<Expired, Error> {
    let sql = "WITH gone AS (DELETE FROM @.audit WHERE id IN \
               (SELECT id FROM @.audit WHERE id < $1 ORDER BY id LIMIT $2) RETURNING id) \
               SELECT count(*) AS gone FROM gone";
    let before = Uuid(Uid::first_of(before));
    let most = i64::from(limit(ask.limit));
    let rows = database.repeat(Way::Any, sql, &[(&before, Type::UUID), (&most, Type::INT8)]).await?;
    let gone: usize = rows.first().map_or(Ok(0), |row| count(row, "gone"))?;
    Ok(Expired { gone: gone as u64, last: (gone >= ask.limit).then_some(ask.after) })
}

/// Drops one table that was set apart.
pub(crate) async fn give_back(database: &Database) -> Result<bool, Error> {
    let rows = database.repeat(Way::Any, "SELECT @.drop_set_apart() AS more", &[]).await?;
    rows.first().map_or(Ok(false), |row| get(row, "more"))
}

/// How much there is.
pub(crate) async fn holdings(database: &Database) -> Result<Holdings, Error> {
    let sql = "SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint AS bytes, \
               (SELECT seq FROM @.event ORDER BY seq LIMIT 1) AS oldest \
               FROM pg_class c WHERE c.relnamespace = $1::regnamespace AND c.relkind = 'r'";
    let rows = database.look_up(sql, &[(&database.schema.quoted, Type::TEXT)]).await?;
    rows.first().map_or(Ok(Holdings::default()), |row: &Row| {
        let oldest: Option<i64> = get(row, "oldest")?;
        Ok(Holdings {
            bytes: u64::try_from(get::<i64>(row, "bytes")?).unwrap_or_default(),
            oldest: oldest.map(time_of),
        })
    })
}
