//! Finds the events that have producers' ids already.

use resthooks::model::{AccountId, EventId, Timestamp};
use resthooks::store::{Error, Prior};
use rusqlite::{Connection, OptionalExtension as _, Row};

use crate::failure::{corrupt, from_sqlite};
use crate::memory::account_no;
use resthooks::store::coding::count_matched;

/// What an event that we made an id for stands for: nothing that a producer sends has this digest.
const NO_DIGEST: [u8; 32] = [0; 32];

/// For each id the event that has it.
pub(crate) fn find_ids(
    connection: &Connection,
    ids: &[(AccountId, EventId)],
) -> Result<Vec<Option<Prior>>, Error> {
    ids.iter()
        .map(|(account, id)| match account_no(connection, account)? {
            Some(account) => find(connection, account, id),
            None => Ok(None),
        })
        .collect()
}

fn find(connection: &Connection, account: i64, id: &EventId) -> Result<Option<Prior>, Error> {
    // The count stands at the front of `matched`: ten bytes hold any.
    let given = "SELECT e.digest, e.created_at, substr(e.matched, 1, 10) \
                 FROM event_id i CROSS JOIN event e ON e.seq = i.seq WHERE i.id = ?1 AND i.account = ?2";
    let made = "SELECT digest, created_at, substr(matched, 1, 10) \
                FROM event WHERE uid = ?1 AND account = ?2 AND id IS NULL";
    let one = |sql: &str, id: &dyn rusqlite::ToSql| {
        connection
            .prepare_cached(sql)
            .and_then(|mut find| find.query_row((id, account), |row| Ok(prior(row))).optional())
            .map_err(from_sqlite)?
            .transpose()
    };
    if let Some(prior) = one(given, &id.as_str())? {
        return Ok(Some(prior));
    }
    match id.as_generated() {
        Some(uid) => one(made, &uid.to_bytes()),
        None => Ok(None),
    }
}

fn prior(row: &Row<'_>) -> Result<Prior, Error> {
    let matched: Vec<u8> = row.get(2).map_err(from_sqlite)?;
    Ok(Prior {
        digest: row.get::<_, Option<[u8; 32]>>(0).map_err(from_sqlite)?.unwrap_or(NO_DIGEST),
        created_at: Timestamp::from_millis(row.get(1).map_err(from_sqlite)?),
        matched: count_matched(&matched).ok_or_else(|| corrupt("what an event matched"))?,
    })
}
