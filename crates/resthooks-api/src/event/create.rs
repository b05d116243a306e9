//! `POST /event/`

use axum::extract::{Request, State};
use axum::response::Response;
use bytes::Bytes;
use http::StatusCode;

use super::input::{Beside, Input, idempotency_key, read};
use super::resource::{Receipt, write};
use crate::answer;
use crate::api::Shared;
use crate::body::{MAX_EVENT_BODY_BYTES, MediaType, receive, unsupported};
use crate::caller::Emitter;
use crate::openapi::Conflict;
use crate::problem::Problem;
use crate::query::Query;
use crate::subscription::AccountQuery;

/// Room for a receipt with ids of ordinary length.
const RECEIPT_BYTES: usize = 192;

/// Emit an event
///
/// 202 means that the event is durable and will be delivered to every subscription it matched. With an `id` (or the
/// header `Idempotency-Key`) the call can be repeated: the same body again gives the same 202 and nothing is sent
/// twice; another body is 409 (`idempotency_conflict`). An event of an unknown type is 422
/// (`unknown_event_type`). 503 means that it is not known to be durable: repeat it, under an id of its own if nothing may be
/// accepted twice.
#[utoipa::path(
    post, path = "/event/", operation_id = "create_event", tag = "event",
    params(
        AccountQuery,
        ("Idempotency-Key" = Option<String>, Header, description = "The same as `id`, bare or in quotes."),
    ),
    request_body(content = Input<'static>, example = json!({
        "event": "contact.create", "account": "tenant-42", "data": {"id": 1, "name": "Jane"}
    })),
    responses((status = 202, description = "It is durable.", body = Receipt), Conflict),
    extensions(("x-scopes" = json!(["provider", "emit"]))),
)]
pub(crate) async fn create(
    State(api): Shared,
    emitter: Emitter,
    Query(query): Query<AccountQuery>,
    request: Request,
) -> Result<Response, Problem> {
    if MediaType::of(request.headers())? != MediaType::Json {
        return Err(unsupported("several events at once go to /event/batch/"));
    }
    let id = idempotency_key(request.headers())?;
    let beside = Beside { account: query.account, id, own: emitter.own().cloned() };
    let body = receive(request.into_body(), MAX_EVENT_BODY_BYTES, api.options.body_timeout).await?;
    let event = read(&body.bytes, beside, |data| {
        // One copy in all: bodies that were put together here are kept as they are, those that lie in the
        // connection's read buffer are not, or a small event would keep that whole buffer.
        if body.owned { body.bytes.slice_ref(data) } else { Bytes::copy_from_slice(data) }
    })?;
    let accepted = emitter.0.hooks.emit_event(event).await?;
    let mut receipt = String::with_capacity(RECEIPT_BYTES);
    write(&mut receipt, &accepted);
    Ok(answer::text(StatusCode::ACCEPTED, receipt))
}
