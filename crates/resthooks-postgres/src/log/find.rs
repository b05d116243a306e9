//! Finds the events that have producers' ids already.

use std::collections::HashMap;

use resthooks::model::{AccountId, EventId, Timestamp};
use resthooks::store::coding::count_matched;
use resthooks::store::{Error, Prior};
use tokio_postgres::Row;
use tokio_postgres::types::Type;

use crate::database::Database;
use crate::event_row::{get, small_count, time};
use crate::failure::corrupt;
use crate::value::Uuid;

/// What an event that we made an id for stands for: nothing that a producer sends has this digest.
const NO_DIGEST: [u8; 32] = [0; 32];

const GIVEN: &str = "SELECT u.place, i.digest, i.created_at, i.matched \
                     FROM unnest($1, $2) WITH ORDINALITY AS u (account, id, place) \
                     CROSS JOIN LATERAL (SELECT * FROM @.event_id i WHERE i.id = u.id AND i.account = u.account LIMIT 1) i";

// The count stands at the front of `matched`: ten bytes hold any.
const MADE: &str = "SELECT u.place, e.created_at, substring(e.matched FOR 10) AS matched \
                    FROM unnest($1, $2, $3) AS u (account, uid, place) \
                    CROSS JOIN LATERAL (SELECT * FROM @.event e WHERE e.uid = u.uid AND e.account = u.account \
                    AND e.id IS NULL LIMIT 1) e";

/// For each id the event that has it.
pub(crate) async fn find_ids(
    database: &Database,
    ids: &[(AccountId, EventId)],
) -> Result<Vec<Option<Prior>>, Error> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let accounts: Vec<&str> = ids.iter().map(|(account, _)| account.as_str()).collect();
    let own: Vec<&str> = ids.iter().map(|(_, id)| id.as_str()).collect();
    let rows = database.read(GIVEN, &[(&accounts, Type::TEXT_ARRAY), (&own, Type::TEXT_ARRAY)]).await?;
    let mut found: HashMap<usize, Prior> = HashMap::new();
    for row in &rows {
        found.insert(place(row)?, given(row)?);
    }
    for row in made(database, ids, &found).await? {
        found.insert(place(&row)?, ours(&row)?);
    }
    Ok((1..=ids.len()).map(|place| found.remove(&place)).collect())
}

/// Those that look like ids of ours, and are.
async fn made(
    database: &Database,
    ids: &[(AccountId, EventId)],
    found: &HashMap<usize, Prior>,
) -> Result<Vec<Row>, Error> {
    let (mut accounts, mut uids, mut places) = (Vec::new(), Vec::new(), Vec::new());
    for (place, (account, id)) in (1..).zip(ids).filter(|(place, _)| !found.contains_key(place)) {
        if let Some(uid) = id.as_generated() {
            accounts.push(account.as_str());
            uids.push(Uuid(uid));
            places.push(i64::try_from(place).unwrap_or(i64::MAX));
        }
    }
    if places.is_empty() {
        return Ok(Vec::new());
    }
    let parameters = [
        (&accounts as _, Type::TEXT_ARRAY),
        (&uids as _, Type::UUID_ARRAY),
        (&places as _, Type::INT8_ARRAY),
    ];
    database.read(MADE, &parameters).await
}

fn place(row: &Row) -> Result<usize, Error> {
    crate::event_row::count(row, "place")
}

fn given(row: &Row) -> Result<Prior, Error> {
    let digest: Option<&[u8]> = get(row, "digest")?;
    Ok(Prior {
        digest: digest.map_or(Ok(NO_DIGEST), |digest| digest.try_into().map_err(|_| corrupt("a digest")))?,
        created_at: time(row, "created_at")?,
        matched: usize::try_from(small_count(row, "matched")?).unwrap_or(usize::MAX),
    })
}

fn ours(row: &Row) -> Result<Prior, Error> {
    Ok(Prior {
        digest: NO_DIGEST,
        created_at: Timestamp::from_millis(get(row, "created_at")?),
        matched: count_matched(get(row, "matched")?).ok_or_else(|| corrupt("what an event matched"))?,
    })
}
