//! Reading an event: once, with `data` untouched.

use std::borrow::Cow;

use bytes::Bytes;
use http::HeaderMap;
use resthooks::model::{AccountId, EventId, EventName, Timestamp};
use resthooks::{FieldError, NewEvent};
use serde::de::{Deserialize, Deserializer, Error as _};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::body::{Text, parse};
use crate::problem::Problem;

/// Ids that would be read as other routes below `/event/`, or that clients resolve away.
const RESERVED_IDS: [&str; 4] = ["batch", "stream", ".", ".."];

/// An event to emit.
#[derive(Debug, Default, serde::Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = EventInput)]
pub(crate) struct Input<'a> {
    /// Its type.
    #[schema(value_type = String, required = true, example = "contact.create")]
    event: Option<Text<EventName>>,
    /// Whose it is: the subscriptions of this account get it. Needed, here or as `?account=`.
    #[schema(value_type = Option<String>, example = "tenant-42")]
    account: Option<Text<AccountId>>,
    /// Any JSON value of at most 1 MiB, delivered byte for byte.
    #[serde(default, borrow, deserialize_with = "present")]
    #[schema(value_type = serde_json::Value, required = true, example = json!({"id": 1, "name": "Jane"}))]
    data: Option<&'a RawValue>,
    /// Your own id for it, unique within the account, which makes the call repeatable: 1 to 128 characters of
    /// `A-Z a-z 0-9 . _ : @ -`. The header `Idempotency-Key` means the same.
    #[schema(value_type = Option<String>)]
    id: Option<Text<EventId>>,
    /// Where the resource can be read; for skinny payloads.
    #[schema(value_type = Option<String>, format = "uri")]
    #[serde(borrow)]
    resource_url: Option<Cow<'a, str>>,
    /// Keeps order among events with the same key.
    #[serde(borrow)]
    #[schema(value_type = Option<String>)]
    order_key: Option<Cow<'a, str>>,
    /// Of events with the same key, debounced subscriptions get the newest.
    #[serde(borrow)]
    #[schema(value_type = Option<String>)]
    debounce_key: Option<Cow<'a, str>>,
    /// When it happened; now when left out.
    #[schema(value_type = Option<String>, format = DateTime)]
    created_at: Option<Timestamp>,
}

/// What a request says beside its body.
#[derive(Debug, Default)]
pub(super) struct Beside {
    /// The account in the query.
    pub account: Option<AccountId>,
    /// The id in the header `Idempotency-Key`.
    pub id: Option<EventId>,
    /// The one account that the caller may emit for, if it is one. Another one reads as absent.
    pub own: Option<AccountId>,
}

/// Reads one event. `keep` makes of the bytes of `data` what the engine holds on to.
pub(super) fn read(body: &[u8], beside: Beside, keep: impl Fn(&[u8]) -> Bytes) -> Result<NewEvent, Problem> {
    let input: Input<'_> = parse(body)?;
    let named = [input.account.as_ref().map(|text| &text.0), beside.account.as_ref()];
    if beside.own.as_ref().is_some_and(|own| named.into_iter().flatten().any(|account| account != own)) {
        return Err(Problem::not_found());
    }
    let mut errors = Vec::new();
    let account = agreed("account", "the query", input.account.map(|a| a.0), beside.account, &mut errors);
    let account = account.or(beside.own);
    let id = agreed("id", "the Idempotency-Key header", input.id.map(|i| i.0), beside.id, &mut errors);
    if id.as_ref().is_some_and(|id| RESERVED_IDS.contains(&id.as_str())) {
        errors.push(FieldError::new("id", "is reserved"));
    }
    match (input.event, account, input.data) {
        (Some(Text(event)), Some(account), Some(data)) if errors.is_empty() => Ok(NewEvent {
            event,
            account,
            data: keep(data.get().as_bytes()),
            id,
            resource_url: input.resource_url.map(Cow::into_owned),
            order_key: input.order_key.map(Cow::into_owned),
            debounce_key: input.debounce_key.map(Cow::into_owned),
            created_at: input.created_at,
        }),
        (event, account, data) => {
            let missing = [
                ("event", event.is_none(), "must be given: the event's type"),
                ("account", account.is_none(), "must be given: whose event it is"),
                ("data", data.is_none(), "must be given; null is a value, too"),
            ];
            for (field, is_missing, message) in missing {
                // A field that was given twice and differently is not missing.
                if is_missing && !errors.iter().any(|error| error.field == field) {
                    errors.push(FieldError::new(field, message));
                }
            }
            Err(Problem::invalid(errors))
        }
    }
}

/// One value, said in two places.
fn agreed<T: PartialEq>(
    field: &str,
    other_place: &str,
    one: Option<T>,
    other: Option<T>,
    errors: &mut Vec<FieldError>,
) -> Option<T> {
    match (one, other) {
        (Some(one), Some(other)) if one != other => {
            errors.push(FieldError::new(field, format!("differs from {other_place}")));
            None
        }
        (one, other) => one.or(other),
    }
}

/// The id in the header `Idempotency-Key`, bare or in quotes.
pub(super) fn idempotency_key(headers: &HeaderMap) -> Result<Option<EventId>, Problem> {
    const NAME: &str = "Idempotency-Key";
    let mut values = headers.get_all("idempotency-key").iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Problem::field(NAME, "occurs twice"));
    }
    let text = value.to_str().unwrap_or_default().trim();
    let text = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(text);
    match text.parse() {
        Ok(id) => Ok(Some(id)),
        Err(error) => Err(Problem::field(NAME, error.to_string())),
    }
}

/// `null` is a value: `Option`'s own reading would take it for nothing.
fn present<'de: 'a, 'a, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'a RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some).map_err(D::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(body: &str) -> Result<NewEvent, Problem> {
        read(body.as_bytes(), Beside::default(), Bytes::copy_from_slice)
    }

    fn fields(problem: &Problem) -> Vec<&str> {
        problem.errors().iter().map(|e| e.field.as_str()).collect()
    }

    #[test]
    fn data_is_kept_byte_for_byte() {
        for data in ["null", "5", "{\"b\" : 1.0,\n \"a\":\"\\u00e9\", \"a\": 1e400}", "[ ]", "\"x\""] {
            let body = format!("{{\"event\":\"a.b\", \"account\":\"x\",\"data\": {data} }}");
            assert_eq!(from(&body).unwrap().data, data.as_bytes());
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        assert_eq!(fields(&from("{}").unwrap_err()), ["event", "account", "data"]);
        assert_eq!(fields(&from(r#"{"event":"a.b","account":null,"data":1}"#).unwrap_err()), ["account"]);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let body =
            r#"{"event":"a","account":5,"data":1,"id":"a b","created_at":"now","extra":1,"order_key":1}"#;
        let problem = from(body).unwrap_err();
        assert_eq!(fields(&problem), ["event", "account", "id", "created_at", "extra", "order_key"]);
        let twice = from(r#"{"event":"a.b","account":"x","data":1,"data":2}"#).unwrap_err();
        assert_eq!(fields(&twice), ["data"]);
    }

    #[test]
    fn an_id_may_be_a_header() {
        let header = |text: &'static str| {
            let value = http::HeaderValue::from_static(text);
            idempotency_key(&HeaderMap::from_iter([(
                http::HeaderName::from_static("idempotency-key"),
                value,
            )]))
        };
        assert_eq!(header("\"k-1\"").unwrap().unwrap().as_str(), "k-1");
        assert_eq!(header(" k-1").unwrap().unwrap().as_str(), "k-1");
        assert_eq!(fields(&header("a b").unwrap_err()), ["Idempotency-Key"]);
        assert!(idempotency_key(&HeaderMap::new()).unwrap().is_none());
        let beside = |id: &str| Beside { id: id.parse().ok(), ..Beside::default() };
        let body = br#"{"event":"a.b","account":"x","data":1,"id":"k-1"}"#;
        assert_eq!(read(body, beside("k-1"), Bytes::copy_from_slice).unwrap().id.unwrap().as_str(), "k-1");
        let problem = read(body, beside("k-2"), Bytes::copy_from_slice).unwrap_err();
        assert_eq!(fields(&problem), ["id"]);
    }

    #[test]
    fn who_emits_for_one_account_need_not_name_it_and_names_no_other() {
        let own = || Some("mine".parse().unwrap());
        let from = |account: &str, query: Option<&str>| {
            let body = format!(r#"{{"event":"a.b","data":1{account}}}"#);
            let account = query.map(|text| text.parse().unwrap());
            read(body.as_bytes(), Beside { account, id: None, own: own() }, Bytes::copy_from_slice)
        };
        for (account, query) in [("", None), (r#","account":"mine""#, None), ("", Some("mine"))] {
            assert_eq!(from(account, query).unwrap().account.as_str(), "mine");
        }
        for (account, query) in [
            (r#","account":"other""#, None),
            ("", Some("other")),
            (r#","account":"mine""#, Some("other")),
            (r#","account":"other""#, Some("mine")),
        ] {
            assert_eq!(from(account, query).unwrap_err().code(), "not_found", "{account} {query:?}");
        }
    }

    #[test]
    fn ids_that_are_routes_are_refused() {
        let problem = from(r#"{"event":"a.b","account":"x","data":1,"id":"batch"}"#).unwrap_err();
        assert_eq!(fields(&problem), ["id"]);
    }
}
