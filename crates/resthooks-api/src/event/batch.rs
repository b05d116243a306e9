//! `POST /event/batch/`

use std::fmt;

use axum::extract::{Request, State};
use axum::response::Response;
use bytes::Bytes;
use http::StatusCode;
use resthooks::limits::MAX_BATCH_EVENTS;
use resthooks::model::AccountId;
use resthooks::{FieldError, NewEvent};
use serde::Serialize;
use serde::de::{Deserialize, Deserializer, Error as _, SeqAccess, Visitor};
use serde_json::error::Category;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::input::{Beside, Input, read};
use super::resource::{Receipt, write};
use crate::answer;
use crate::api::Shared;
use crate::body::{MAX_BATCH_BODY_BYTES, MediaType, malformed, receive, refuse_shape};
use crate::caller::Emitter;
use crate::openapi::Conflict;
use crate::problem::Problem;
use crate::query::Query;
use crate::subscription::AccountQuery;

/// The most errors that one answer names.
const MAX_ERRORS: usize = 50;

/// The receipts of a batch.
#[derive(Serialize, ToSchema)]
pub(crate) struct Receipts {
    /// In the order of the events.
    data: Vec<Receipt>,
}

/// Emit several events
///
/// Up to 1,000, all or none: as a JSON array, or one per line as NDJSON (`application/x-ndjson`). Errors name the
/// event's place, from 0: `[3].data`.
#[utoipa::path(
    post, path = "/event/batch/", operation_id = "create_events", tag = "event",
    params(AccountQuery),
    request_body(content(
        (Vec<Input<'static>> = "application/json", example = json!([
            {"event": "contact.create", "account": "tenant-42", "data": {"id": 1}},
            {"event": "contact.update", "account": "tenant-42", "data": {"id": 1}}
        ])),
        (String = "application/x-ndjson"),
    )),
    responses((status = 202, description = "All of them are durable.", body = Receipts), Conflict),
    extensions(("x-scopes" = json!(["provider", "emit"]))),
)]
pub(crate) async fn batch(
    State(api): Shared,
    emitter: Emitter,
    Query(query): Query<AccountQuery>,
    request: Request,
) -> Result<Response, Problem> {
    let media = MediaType::of(request.headers())?;
    if request.headers().contains_key("idempotency-key") {
        return Err(Problem::field(
            "Idempotency-Key",
            "can't be given for several events: give each its own id",
        ));
    }
    let body = receive(request.into_body(), MAX_BATCH_BODY_BYTES, api.options.body_timeout).await?;
    let items = match media {
        MediaType::Json => array(&body.bytes)?,
        MediaType::Ndjson => lines(&body.bytes)?,
    };
    let events = read_all(&items, &query, emitter.own())?;
    let accepted = emitter.0.hooks.emit_batch(events).await?;
    let mut receipts = String::from(r#"{"data":["#);
    for (place, accepted) in accepted.iter().enumerate() {
        if place > 0 {
            receipts.push(',');
        }
        write(&mut receipts, accepted);
    }
    receipts.push_str("]}");
    Ok(answer::text(StatusCode::ACCEPTED, receipts))
}

fn read_all(
    items: &[&[u8]],
    query: &AccountQuery,
    own: Option<&AccountId>,
) -> Result<Vec<NewEvent>, Problem> {
    if items.is_empty() {
        return Err(Problem::field("body", "must hold at least one event"));
    }
    let mut events = Vec::with_capacity(items.len());
    let mut errors = Vec::new();
    for (place, item) in items.iter().enumerate() {
        let beside = Beside { account: query.account.clone(), id: None, own: own.cloned() };
        // Copied: one slow delivery must not keep the whole batch's body.
        match read(item, beside, Bytes::copy_from_slice) {
            Ok(event) => events.push(event),
            Err(problem) if problem.errors().is_empty() => return Err(problem.at(&format!("event {place}"))),
            Err(problem) => errors.extend(problem.into_errors().into_iter().map(|error| {
                let field = if error.field == "body" { String::new() } else { format!(".{}", error.field) };
                FieldError::new(format!("[{place}]{field}"), error.message)
            })),
        }
        if errors.len() >= MAX_ERRORS {
            errors.truncate(MAX_ERRORS);
            break;
        }
    }
    if errors.is_empty() { Ok(events) } else { Err(Problem::invalid(errors)) }
}

fn too_many() -> String {
    format!("must hold at most {MAX_BATCH_EVENTS} events")
}

/// The items of a JSON array, unread.
fn array(body: &[u8]) -> Result<Vec<&[u8]>, Problem> {
    match serde_json::from_slice::<Items<'_>>(body) {
        Ok(Items(items)) => Ok(items.into_iter().map(|item| item.get().as_bytes()).collect()),
        Err(error) if error.classify() != Category::Data => Err(malformed(&error)),
        Err(error) if error.to_string().starts_with("must hold") => Err(Problem::field("body", too_many())),
        Err(_) => Err(refuse_shape(body, "must be a JSON array")),
    }
}

/// The lines of NDJSON; empty ones are passed over.
fn lines(body: &[u8]) -> Result<Vec<&[u8]>, Problem> {
    let lines: Vec<_> = body
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.trim_ascii().is_empty())
        .take(MAX_BATCH_EVENTS + 1)
        .collect();
    if lines.len() > MAX_BATCH_EVENTS { Err(Problem::field("body", too_many())) } else { Ok(lines) }
}

/// A bounded list: a body of millions of empty objects must not be turned into millions of entries.
struct Items<'a>(Vec<&'a RawValue>);

impl<'de> Deserialize<'de> for Items<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Items<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    if items.len() == MAX_BATCH_EVENTS {
                        return Err(A::Error::custom(too_many()));
                    }
                    items.push(item);
                }
                Ok(Items(items))
            }
        }
        deserializer.deserialize_seq(Collect)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(items: Result<Vec<&[u8]>, Problem>) -> Problem {
        items.and_then(|items| read_all(&items, &AccountQuery::default(), None)).unwrap_err()
    }

    #[test]
    fn errors_name_the_events_place() {
        let good = r#"{"event":"a.b","account":"x","data":1}"#;
        let body =
            format!(r#"[{good},{{"event":"a.b","account":"x"}},5,{{"event":1,"account":"x","data":1}}]"#);
        let problem = refused(array(body.as_bytes()));
        let fields: Vec<_> = problem.errors().iter().map(|e| e.field.as_str()).collect();
        assert_eq!(fields, ["[1].data", "[2]", "[3].event"]);
    }

    #[test]
    fn a_batch_is_bounded() {
        let many = format!("[{}]", vec!["{}"; MAX_BATCH_EVENTS + 1].join(","));
        assert_eq!(refused(array(many.as_bytes())).errors()[0].field, "body");
        let many = "{}\n".repeat(MAX_BATCH_EVENTS + 1);
        assert_eq!(refused(lines(many.as_bytes())).errors()[0].field, "body");
        let most = "{}\n".repeat(MAX_BATCH_EVENTS);
        assert_eq!(lines(most.as_bytes()).unwrap().len(), MAX_BATCH_EVENTS);
        assert_eq!(refused(array(b"[]")).errors()[0].field, "body");
        assert_eq!(refused(array(b"{}")).errors()[0].field, "body");
        assert_eq!(refused(array(b"[1,")).code(), "malformed_json");
        assert_eq!(refused(lines(b"\n{\"a\"\n")).code(), "malformed_json");
    }
}
