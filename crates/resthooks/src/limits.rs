//! Every bound on what callers and targets can make us hold, in one place.

/// The most bytes of an event's `data`.
pub const MAX_DATA_BYTES: usize = 1024 * 1024;
/// The deepest nesting of an event's `data`: what common JSON parsers take within their own limit of 128, with the
/// body around it.
pub const MAX_DATA_DEPTH: usize = 100;
/// The most events in one batch call.
pub const MAX_BATCH_EVENTS: usize = 1000;
/// The most bytes of a batch call's body.
pub const MAX_BATCH_BYTES: usize = 16 * 1024 * 1024;
/// The most patterns of one subscription.
pub const MAX_SUBSCRIPTION_EVENTS: usize = 100;
/// The longest description, in bytes.
pub const MAX_DESCRIPTION_BYTES: usize = 1024;
/// The largest metadata, in bytes of JSON.
pub const MAX_METADATA_BYTES: usize = 8 * 1024;
/// The most custom headers of one subscription.
pub const MAX_CUSTOM_HEADERS: usize = 32;
/// The most bytes of a subscription's custom headers, names and values together.
pub const MAX_CUSTOM_HEADER_BYTES: usize = 8 * 1024;
/// The largest `schema` of an event type, in bytes of JSON.
pub const MAX_SCHEMA_BYTES: usize = 256 * 1024;
/// The largest `sample` of an event type, in bytes of JSON.
pub const MAX_SAMPLE_BYTES: usize = 256 * 1024;
/// The deepest nesting of metadata, schemas and samples: they are stored and shown inside other JSON.
pub const MAX_JSON_DEPTH: usize = 64;
/// The longest name of an API key, in bytes.
pub const MAX_KEY_NAME_BYTES: usize = 128;
/// The longest order, debounce key, key name and resource URL, in bytes.
pub const MAX_KEY_BYTES: usize = 256;
/// The longest resource URL or template, in bytes.
pub const MAX_RESOURCE_URL_BYTES: usize = 2048;
/// The most missed deliveries that are acknowledged or released by their ids at once.
pub const MAX_MISSED_IDS: usize = 250;
/// The most requests in flight that one subscription can ask for.
pub const MAX_IN_FLIGHT_PER_SUBSCRIPTION: u32 = 256;
/// The shortest time that a subscription can give an attempt.
pub const MIN_ATTEMPT_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(1);
/// The longest.
pub const MAX_ATTEMPT_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(60);
/// The longest grace period of a secret rotation, in seconds.
pub const MAX_GRACE_SECONDS: u64 = 30 * 24 * 3600;
/// The first part of an answer's body that is kept with the attempt, in bytes.
pub const MAX_RESPONSE_BODY_BYTES: usize = 16 * 1024;
/// The most event types.
pub const MAX_EVENT_TYPES: usize = 10_000;
/// The largest page of a list.
pub const MAX_PAGE: usize = 250;
/// The page of a list when nothing is asked for.
pub const DEFAULT_PAGE: usize = 50;
