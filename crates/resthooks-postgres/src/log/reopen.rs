//! Takes a subscription's ended or held deliveries to another state, some at a time.

use resthooks::model::{DeliveryStatus, EventSeq, Timestamp};
use resthooks::store::coding::delivery_status_code;
use resthooks::store::{Error, Reopen, Reopened, Which};
use tokio_postgres::types::Type;

use crate::event_row::{count, get};
use crate::store::Inner;
use crate::value::limit;

const SQL: &str = "SELECT * FROM @.reopen($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)";

/// Moves them; what was moved.
pub(crate) async fn reopen(inner: &Inner, ask: &Reopen) -> Result<Reopened, Error> {
    let code = |status| delivery_status_code(status).and_then(|code| i16::try_from(code).ok());
    let Some(to) = code(ask.to) else { return Ok(Reopened::default()) };
    let from: Vec<i16> = ask.from.iter().filter_map(|status| code(*status)).collect();
    let identity = inner.numbers.identity(ask.node)?;
    let now = ask.now.as_millis();
    let due = (ask.to == DeliveryStatus::Scheduled).then_some(now);
    let except: Vec<i64> = ask.except.iter().map(|seq| seq.0).collect();
    let reason = ask.reason.as_deref().map(crate::value::readable);
    let range = Range::of(&ask.which);
    let parameters = [
        (&identity.node as _, Type::INT8),
        (&identity.slot as _, Type::INT4),
        (&ask.subscription.0 as _, Type::INT8),
        (&from as _, Type::INT2_ARRAY),
        (&to as _, Type::INT2),
        (&reason as _, Type::TEXT),
        (&due as _, Type::INT8),
        (&now as _, Type::INT8),
        (&except as _, Type::INT8_ARRAY),
        (&range.events as _, Type::INT8_ARRAY),
        (&range.after as _, Type::INT8),
        (&range.through as _, Type::INT8),
        (&range.since as _, Type::INT8),
        (&range.until as _, Type::INT8),
        (&range.most as _, Type::INT4),
    ];
    // Not again when the answer is lost: the second one would say that there had been nothing to move.
    let rows = inner.database.once(SQL, &parameters).await?;
    let Some(row) = rows.first() else { return Ok(Reopened::default()) };
    let last: Option<i64> = get(row, "last")?;
    Ok(Reopened {
        ended: count(row, "ended")?,
        held: count(row, "held")?,
        elsewhere: count(row, "elsewhere")?,
        last: last.map(EventSeq),
    })
}

/// What is asked for, as the function takes it.
#[derive(Default)]
struct Range {
    events: Option<Vec<i64>>,
    after: i64,
    through: i64,
    since: Option<i64>,
    until: Option<i64>,
    most: i32,
}

impl Range {
    fn of(which: &Which) -> Self {
        match which {
            Which::Events(events) => {
                Self { events: Some(events.iter().map(|seq| seq.0).collect()), ..Self::default() }
            }
            Which::Range { after, through, since, until, limit: most } => Self {
                events: None,
                after: after.0,
                through: through.0,
                since: since.map(Timestamp::as_millis),
                until: until.map(Timestamp::as_millis),
                most: limit(*most),
            },
        }
    }
}
