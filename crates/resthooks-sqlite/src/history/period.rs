//! From times to numbers: which events can have happened within some time.

use resthooks::model::Timestamp;
use rusqlite::Connection;

/// The first and last number of events that can have happened within these times; `None` when none can. Producers
/// may say when an event happened, so that numbers need not ascend with time: within the range each one's time has
/// to be looked at.
pub(super) fn numbers_within(
    connection: &Connection,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
) -> rusqlite::Result<Option<(i64, i64)>> {
    if since.is_none() && until.is_none() {
        return Ok(Some((0, i64::MAX)));
    }
    let since = since.map_or(0, Timestamp::as_millis);
    let until = until.map_or(i64::MAX, Timestamp::as_millis);
    let (first, last): (Option<i64>, Option<i64>) = connection
        .prepare_cached(
            "SELECT min(first_seq), max(last_seq) FROM period WHERE latest >= ?1 AND earliest < ?2",
        )?
        .query_row((since, until), |row| Ok((row.get(0)?, row.get(1)?)))?;
    // The newest events' run is not written down yet.
    let open: i64 = connection
        .prepare_cached("SELECT coalesce(max(last_seq), 0) + 1 FROM period")?
        .query_row([], |row| row.get(0))?;
    let in_open = connection
        .prepare_cached(
            "SELECT 1 FROM event WHERE seq >= ?1 AND created_at >= ?2 AND created_at < ?3 LIMIT 1",
        )?
        .exists((open, since, until))?;
    Ok(match (first, last, in_open) {
        (Some(first), _, true) => Some((first, i64::MAX)),
        (None, _, true) => Some((open, i64::MAX)),
        (Some(first), Some(last), false) => Some((first, last)),
        (_, _, false) => None,
    })
}
