//! Bodies, assembled around the stored bytes of an event's data without reading them.

use std::fmt::Write as _;

use bytes::{BufMut as _, Bytes, BytesMut};
use serde::Serialize;

use crate::model::{Event, EventPattern, SubscriptionId, TargetUrl};

/// From this size on a body shares the event's bytes instead of copying them.
const SHARE_FROM: usize = 32 * 1024;

/// A body in at most three pieces.
pub(crate) type Pieces = [Bytes; 3];

/// The constant end of a subscription's full and skinny bodies: `,"hook":{…}}`.
pub(crate) fn hook_end(id: SubscriptionId, pattern: &EventPattern, target: &TargetUrl) -> Bytes {
    #[derive(Serialize)]
    struct Hook<'a> {
        id: SubscriptionId,
        event: &'a EventPattern,
        target: &'a TargetUrl,
    }
    let hook = serde_json::to_string(&Hook { id, event: pattern, target }).expect("strings are JSON");
    format!(",\"hook\":{hook}}}").into()
}

/// `full`: the event with its data, and the hook.
pub(crate) fn full(event: &Event, hook_end: &Bytes) -> Pieces {
    let mut head = head(event, hook_end.len());
    if event.data.len() < SHARE_FROM {
        head.put_slice(&event.data);
        head.put_slice(hook_end);
        return [head.freeze(), Bytes::new(), Bytes::new()];
    }
    [head.freeze(), event.data.clone(), hook_end.clone()]
}

/// `skinny`: the same with the resource's id and URL for its data. `resource_url` is the event's own, else made
/// from its type's template.
pub(crate) fn skinny(event: &Event, resource_url: Option<&str>, hook_end: &Bytes) -> Pieces {
    #[derive(Serialize)]
    struct Resource<'a> {
        id: Option<Box<serde_json::value::RawValue>>,
        url: Option<&'a str>,
    }
    let resource = Resource { id: resource_id(&event.data), url: resource_url };
    let resource = serde_json::to_vec(&resource).expect("strings and raw values are JSON");
    let mut head = head(event, hook_end.len() + resource.len());
    head.put_slice(&resource);
    head.put_slice(hook_end);
    [head.freeze(), Bytes::new(), Bytes::new()]
}

/// `raw`: the data alone.
pub(crate) fn raw(event: &Event) -> Pieces {
    [event.data.clone(), Bytes::new(), Bytes::new()]
}

/// A full body of an event as an account's hook would get it, for samples.
pub(crate) fn sample_body(event: &Event, hook_end: &Bytes) -> String {
    let bytes = full(event, hook_end).concat();
    String::from_utf8(bytes).unwrap_or_default()
}

fn head(event: &Event, more: usize) -> BytesMut {
    let data = if event.data.len() < SHARE_FROM { event.data.len() } else { 0 };
    let mut head = BytesMut::with_capacity(128 + event.event.as_str().len() + data + more);
    // Ids, event names and timestamps hold nothing that JSON escapes.
    let written = write!(
        head,
        r#"{{"id":"{}","type":"{}","timestamp":"{}","data":"#,
        event.id, event.event, event.created_at
    );
    written.expect("memory takes all");
    head
}

/// The top-level `id` of the data, as it was written.
fn resource_id(data: &[u8]) -> Option<Box<serde_json::value::RawValue>> {
    #[derive(serde::Deserialize)]
    struct WithId {
        id: Option<Box<serde_json::value::RawValue>>,
    }
    // An array would be read as the fields in their order.
    data.trim_ascii_start().starts_with(b"{").then(|| serde_json::from_slice::<WithId>(data).ok()?.id)?
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{EventId, Timestamp, Uid};

    fn event(data: &str) -> Event {
        let at = Timestamp::from_millis(1_767_323_045_678);
        let uid = Uid::new(at, 1);
        Event {
            uid,
            id: EventId::generated(uid),
            account: "acme".parse().unwrap(),
            event: "contact.create".parse().unwrap(),
            created_at: at,
            data: Bytes::copy_from_slice(data.as_bytes()),
            resource_url: None,
            order_key: None,
            debounce_key: None,
            digest: None,
            matched: Vec::new(),
        }
    }

    fn end() -> Bytes {
        let target = r#"https://example.com/?q=\"#.parse().unwrap();
        hook_end(SubscriptionId(Uid::new(Timestamp::EPOCH, 2)), &"contact.*".parse().unwrap(), &target)
    }

    #[test]
    fn data_is_kept_byte_for_byte() {
        for data in [
            "{ \"b\" : 1.0e2,\n\"a\":\"\\u0041\" }",
            "null",
            "[1 , 2]",
            &format!("\"{}\"", "x".repeat(40_000)),
        ] {
            let body = full(&event(data), &end()).concat();
            let text = std::str::from_utf8(&body).unwrap();
            assert!(text.contains(&format!("\"data\":{data},\"hook\":")), "{text}");
            let value: serde_json::Value = serde_json::from_str(text).unwrap();
            assert_eq!(value["type"], "contact.create");
            assert_eq!(value["timestamp"], "2026-01-02T03:04:05.678Z");
            assert_eq!(value["hook"]["event"], "contact.*");
            assert_eq!(value["hook"]["target"], r#"https://example.com/?q=\"#);
        }
        assert_eq!(raw(&event(" 7 ")).concat(), b" 7 ");
    }

    #[test]
    fn skinny_names_the_resource() {
        for (data, id) in [
            (r#"{"id": 42, "name": "A"}"#, serde_json::json!(42)),
            (r#"{"id": "x-1"}"#, serde_json::json!("x-1")),
            (r#"{"name": "A"}"#, serde_json::Value::Null),
            ("[1]", serde_json::Value::Null),
        ] {
            let body = skinny(&event(data), Some("https://api.example.com/contacts/42"), &end()).concat();
            let value: serde_json::Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(
                value["data"],
                serde_json::json!({"id": id, "url": "https://api.example.com/contacts/42"})
            );
        }
    }
}
