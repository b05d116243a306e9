//! What an event looks like.

use resthooks::Accepted;
use resthooks::model::{AccountId, Event, EventId, EventName, Timestamp};
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::problem::Problem;

/// An event: accepted once, never changed.
#[derive(Serialize, ToSchema)]
#[schema(as = Event)]
pub(crate) struct Resource<'a> {
    /// Its id: the producer's own, or one of ours.
    #[schema(value_type = String, example = "evt_01k6x8t1m2n3p4q5r6s7t8v9wa")]
    id: &'a EventId,
    /// Its type.
    #[schema(value_type = String, example = "contact.create")]
    event: &'a EventName,
    /// Whose it is.
    #[schema(value_type = String, example = "tenant-42")]
    account: &'a AccountId,
    /// When it happened.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// How many subscriptions it matched.
    matched: usize,
    /// Where the resource can be read.
    #[schema(required = true)]
    resource_url: Option<&'a str>,
    /// Its key for order.
    #[schema(required = true)]
    order_key: Option<&'a str>,
    /// Its key for debouncing.
    #[schema(required = true)]
    debounce_key: Option<&'a str>,
    /// What was sent, byte for byte.
    #[schema(value_type = serde_json::Value)]
    data: &'a RawValue,
}

impl<'a> Resource<'a> {
    pub(crate) fn of(event: &'a Event) -> Result<Self, Problem> {
        let data = serde_json::from_slice(&event.data).map_err(|_| {
            Problem::from(resthooks::Error::Internal(format!(
                "event {} is stored with data that is not JSON",
                event.uid
            )))
        })?;
        Ok(Self {
            id: &event.id,
            event: &event.event,
            account: &event.account,
            created_at: event.created_at,
            matched: event.matched.len(),
            resource_url: event.resource_url.as_deref(),
            order_key: event.order_key.as_deref(),
            debounce_key: event.debounce_key.as_deref(),
            data,
        })
    }
}

/// An event that is durable.
#[derive(Serialize, ToSchema)]
#[schema(as = Accepted)]
pub(crate) struct Receipt {
    /// Its id.
    #[schema(example = "evt_01k6x8t1m2n3p4q5r6s7t8v9wa")]
    id: String,
    /// Its type.
    #[schema(example = "contact.create")]
    event: String,
    /// Whose it is.
    #[schema(example = "tenant-42")]
    account: String,
    /// When it happened.
    #[schema(format = DateTime)]
    created_at: String,
    /// How many subscriptions it goes to.
    matched: usize,
}

/// Writes a receipt as JSON. Ids, names and accounts are of alphabets that need no escapes.
pub(super) fn write(out: &mut String, accepted: &Accepted) {
    use std::fmt::Write as _;
    let Accepted { id, event, account, created_at, matched } = accepted;
    let written = write!(
        out,
        r#"{{"id":"{id}","event":"{event}","account":"{account}","created_at":"{created_at}","matched":{matched}}}"#
    );
    debug_assert!(written.is_ok(), "writing to a string does not fail");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receipt_is_json_with_the_documented_names() {
        let accepted = Accepted {
            id: "order-1:a@b".parse().unwrap(),
            event: "a.b".parse().unwrap(),
            account: "x@y".parse().unwrap(),
            created_at: Timestamp::from_millis(1_767_323_045_678),
            matched: 3,
        };
        let mut out = String::new();
        write(&mut out, &accepted);
        let read: serde_json::Value = serde_json::from_str(&out).unwrap();
        let wanted = serde_json::json!({"id": "order-1:a@b", "event": "a.b", "account": "x@y",
            "created_at": "2026-01-02T03:04:05.678Z", "matched": 3});
        assert_eq!(read, wanted);
    }
}
