//! Making one attempt of one delivery.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::batch;
use super::http::{Call, Client, Exchange};
use super::mask::Mask;
use super::payload::{self, Pieces};
use super::sign;
use crate::catalog::Catalog;
use crate::env::Clock;
use crate::index::Live;
use crate::model::{Attempt, DeliveryId, Event, EventPattern, PayloadKind, Subscription, Timestamp};

const WEBHOOK_ID: HeaderName = HeaderName::from_static("webhook-id");
const WEBHOOK_TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
const WEBHOOK_SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");
const HOOK_SIGNATURE: HeaderName = HeaderName::from_static("x-hook-signature");
const HOOK_EVENT: HeaderName = HeaderName::from_static("x-hook-event");
const HOOK_SEQUENCE: HeaderName = HeaderName::from_static("x-hook-sequence");
const HOOK_BATCH: HeaderName = HeaderName::from_static("x-hook-batch");
const HOOK_ATTEMPT: HeaderName = HeaderName::from_static("x-hook-attempt");

/// The most patterns that bodies are built for to compare others with.
const MOST_PATTERNS: usize = 4;

/// Headers that are added to the prepared ones here, and by the client.
const ADDED_HEADERS: usize = 13;

/// What to send.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    /// The event.
    pub event: &'a Event,
    /// The others of its batch.
    pub with: Vec<&'a Event>,
    /// Its place in the subscription's order.
    pub sequence: u64,
    /// Which attempt this is, from 1.
    pub number: u32,
    /// Whether it was asked for by hand.
    pub manual: bool,
}

/// Makes one attempt. Always answers, within the client's timeouts.
pub(crate) async fn attempt(
    client: &Client,
    clock: &dyn Clock,
    catalog: &Catalog,
    live: &Live,
    request: Request<'_>,
) -> Attempt {
    let started_at = clock.now();
    let body: Pieces = if live.subscription.terms.batch.is_some() {
        let events = std::iter::once(request.event).chain(request.with.iter().copied());
        [batch::array(events.map(|event| body(catalog, live, event))), Bytes::new(), Bytes::new()]
    } else {
        body(catalog, live, request.event)
    };
    let headers = headers(live, &request, started_at, &body);
    let timeout = live.subscription.terms.attempt_timeout();
    let target = &live.prepared.target;
    let exchange =
        client.send(Call { method: Method::POST, target, headers, body: body.into(), timeout }).await;
    recorded(exchange, &live.prepared.mask, request.number, request.manual, started_at)
}

/// What would be sent for an event now.
pub(crate) fn payload_of(catalog: &Catalog, live: &Live, event: &Event) -> Vec<u8> {
    body(catalog, live, event).concat()
}

fn body(catalog: &Catalog, live: &Live, event: &Event) -> Pieces {
    let end = || {
        let pattern = live.subscription.pattern_for(&event.event);
        let end = pattern.and_then(|pattern| live.prepared.hook_end(pattern));
        end.cloned().unwrap_or_else(|| live.prepared.first_hook_end())
    };
    assembled(catalog, live.subscription.payload, event, end)
}

fn assembled(catalog: &Catalog, kind: PayloadKind, event: &Event, end: impl FnOnce() -> Bytes) -> Pieces {
    match kind {
        PayloadKind::Full => payload::full(event, &end()),
        PayloadKind::Raw => payload::raw(event),
        PayloadKind::Skinny => {
            let of_type = || catalog.get(&event.event)?.resource_url(&event.data);
            let url = event.resource_url.clone().or_else(of_type);
            payload::skinny(event, url.as_deref(), &end())
        }
    }
}

/// The bodies that an event may have been sent with: as it would be sent now, then as it would be if the subscription
/// built them in another way or wanted the event through another of its patterns. Each once.
pub(crate) fn bodies(catalog: &Catalog, subscription: &Subscription, event: &Event) -> Vec<Vec<u8>> {
    let first = subscription.pattern_for(&event.event).or(subscription.events.first());
    let others = subscription.events.iter().filter(|pattern| pattern.matches(&event.event));
    let patterns: Vec<&EventPattern> = first.into_iter().chain(others).take(MOST_PATTERNS).collect();
    let own = subscription.payload;
    let mut all: Vec<Vec<u8>> = Vec::new();
    for kind in [own, PayloadKind::Full, PayloadKind::Skinny, PayloadKind::Raw] {
        for pattern in &patterns {
            let end = || payload::hook_end(subscription.id, pattern, &subscription.target_url);
            let body = assembled(catalog, kind, event, end).concat();
            if !all.contains(&body) {
                all.push(body);
            }
        }
    }
    all
}

fn headers(live: &Live, request: &Request<'_>, now: Timestamp, body: &[Bytes]) -> HeaderMap {
    let event = request.event;
    let id = message_id(live, request);
    let seconds = now.as_secs().to_string();
    let chunks: Vec<&[u8]> = body.iter().map(AsRef::as_ref).collect();
    let signing = || live.prepared.keys.iter().filter(|key| key.signs_at(now));
    // Not a clone: that has no room for what is added.
    let mut headers = HeaderMap::with_capacity(live.prepared.headers.len() + ADDED_HEADERS);
    for (name, value) in &live.prepared.headers {
        headers.append(name.clone(), value.clone());
    }
    headers.insert(WEBHOOK_SIGNATURE, sign::standard_signatures(signing(), &id, &seconds, &chunks));
    for key in signing() {
        headers.append(HOOK_SIGNATURE, key.hook_signature(&chunks));
    }
    headers.insert(WEBHOOK_ID, HeaderValue::try_from(id).expect("an id is a header value"));
    headers.insert(WEBHOOK_TIMESTAMP, HeaderValue::try_from(seconds).expect("digits are a header value"));
    // A batch of several types has none.
    if request.with.iter().all(|other| other.event == event.event) {
        let name = HeaderValue::from_str(event.event.as_str()).expect("an event name is a header value");
        headers.insert(HOOK_EVENT, name);
    }
    if live.subscription.terms.batch.is_some() {
        headers.insert(HOOK_BATCH, HeaderValue::from(1 + request.with.len()));
    }
    headers.insert(HOOK_SEQUENCE, HeaderValue::from(request.sequence));
    headers.insert(HOOK_ATTEMPT, HeaderValue::from(request.number));
    headers
}

/// What the target knows the request by: the delivery's id, or that of all of a batch.
fn message_id(live: &Live, request: &Request<'_>) -> String {
    let id = |event: &Event| DeliveryId { event: event.uid, subscription: live.subscription.id };
    if live.subscription.terms.batch.is_none() {
        return id(request.event).to_string();
    }
    batch::id(std::iter::once(request.event).chain(request.with.iter().copied()).map(id))
}

/// An exchange as it is kept: without the subscription's secrets.
pub(crate) fn recorded(
    exchange: Exchange,
    mask: &Mask,
    number: u32,
    manual: bool,
    started_at: Timestamp,
) -> Attempt {
    let mut attempt = Attempt {
        number,
        started_at,
        duration_us: u64::try_from(exchange.duration.as_micros()).unwrap_or(u64::MAX),
        address: exchange.address,
        status_code: None,
        error: None,
        error_detail: None,
        response_headers: Vec::new(),
        response_body: String::new(),
        response_truncated: false,
        manual,
        retry_after: None,
    };
    match exchange.answer {
        Ok(answer) => {
            attempt.status_code = Some(answer.status);
            attempt.response_headers = answer.headers;
            attempt.response_body = answer.body;
            attempt.response_truncated = answer.truncated;
            attempt.retry_after = answer.retry_after;
        }
        Err(failure) => {
            attempt.error = Some(failure.class);
            attempt.error_detail = Some(failure.detail);
        }
    }
    mask.apply(&mut attempt);
    attempt
}
