//! In which order, how rarely, and how many at once a subscription's events are sent.

use std::borrow::Cow;
use std::time::Duration;

use ring::digest::{SHA256, digest};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::{Span, Terms};
use crate::model::{Event, Invalid, format_duration};

/// How long a window of quiet may be, and how long a delivery may be put off in all.
const WINDOW: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(3_600));
const LONGEST_PUT_OFF: Duration = Duration::from_secs(86_400);
/// Without a `max_wait` a delivery is put off for so many windows.
const WINDOWS: u32 = 10;
/// Events in a batch, their data together, and how long the first may wait for others.
const MOST_EVENTS: usize = 1000;
const BATCH_BYTES: (usize, usize) = (1024, 8 * 1024 * 1024);
const DEFAULT_BATCH_BYTES: usize = 1024 * 1024;
const BATCH_WAIT: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(600));
/// The most attempts after which a delivery that blocks others is passed over.
const MOST_SKIP_AFTER: u32 = 50;
/// The longest JSON Pointer.
const LONGEST_POINTER: usize = 256;
/// Keys up to this length stand in the store as they are.
const PLAIN_KEY: usize = 255;

/// In which order: `"strict"` or `{"by": "order_key"}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// One at a time, by sequence.
    Strict,
    /// One at a time of those that have the same key, by sequence.
    By(OrderBy),
}

/// What events are ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderBy {
    /// Their `order_key`; those without one are in no order.
    OrderKey,
}

/// What becomes of those behind a delivery that fails: `"wait"` or `{"skip_after": 3}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OnBlocked {
    /// They wait until it is delivered or given up.
    #[default]
    Wait,
    /// It is given up after so many attempts.
    SkipAfter(u32),
}

impl<'de> Deserialize<'de> for Order {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let given = Value::deserialize(deserializer)?;
        match (given.as_str(), only_member(&given, "by").and_then(Value::as_str)) {
            (Some("strict"), _) => Ok(Self::Strict),
            (None, Some("order_key")) => Ok(Self::By(OrderBy::OrderKey)),
            _ => Err(D::Error::custom(r#"must be "strict" or {"by": "order_key"}"#)),
        }
    }
}

impl<'de> Deserialize<'de> for OnBlocked {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let given = Value::deserialize(deserializer)?;
        let attempts = only_member(&given, "skip_after").and_then(Value::as_u64).map(u32::try_from);
        match (given.as_str(), attempts) {
            (Some("wait"), _) => Ok(Self::Wait),
            (None, Some(Ok(attempts))) => Ok(Self::SkipAfter(attempts)),
            _ => Err(D::Error::custom(r#"must be "wait" or {"skip_after": 3}, a number of attempts"#)),
        }
    }
}

/// The value of an object's only member, if that has this name.
fn only_member<'a>(given: &'a Value, name: &str) -> Option<&'a Value> {
    given.as_object().filter(|members| members.len() == 1)?.get(name)
}

/// Of several events with the same key only the newest is sent, once it has been quiet:
/// `{"window": "10s", "key": "debounce_key", "max_wait": "1m"}`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Debounce {
    /// For so long nothing more may come.
    pub window: Span,
    /// Which events belong together; by their `debounce_key` when left out.
    #[serde(default)]
    pub key: DebounceKey,
    /// No event waits longer than this; ten windows when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_wait: Option<Span>,
}

/// What events are debounced by. Those that have no such key are not.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DebounceKey {
    /// Their `debounce_key`.
    #[default]
    DebounceKey,
    /// Their `order_key`.
    OrderKey,
    /// What a JSON Pointer (RFC 6901) names in their data.
    #[serde(untagged)]
    Pointer(String),
}

impl<'de> Deserialize<'de> for DebounceKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        match &*text {
            "debounce_key" => Ok(Self::DebounceKey),
            "order_key" => Ok(Self::OrderKey),
            pointer if pointer.starts_with('/') && pointer.len() <= LONGEST_POINTER => {
                Ok(Self::Pointer(text.into_owned()))
            }
            _ => Err(D::Error::custom(format!(
                "must be \"debounce_key\", \"order_key\", or a JSON Pointer into data such as \"/id\", of at most \
                 {LONGEST_POINTER} bytes"
            ))),
        }
    }
}

/// Several events are sent in one request: `{"max_events": 100, "max_bytes": 1048576, "max_wait": "5s"}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Batching {
    /// At most so many.
    pub max_events: usize,
    /// Whose data has at most so many bytes together (a larger one goes alone); 1 MiB when left out.
    #[serde(default = "default_bytes")]
    pub max_bytes: usize,
    /// The first of them waits for others at most so long.
    pub max_wait: Span,
}

const fn default_bytes() -> usize {
    DEFAULT_BATCH_BYTES
}

impl Debounce {
    /// How long an event may be put off.
    #[must_use]
    pub fn longest(&self) -> Duration {
        self.max_wait.map_or(self.window.get() * WINDOWS, Span::get)
    }

    /// Sees whether this makes sense.
    ///
    /// # Errors
    /// Names the member that does not.
    pub fn check(&self) -> Result<(), (&'static str, Invalid)> {
        between("window", self.window.get(), WINDOW)?;
        between("max_wait", self.longest(), (self.window.get(), LONGEST_PUT_OFF))
    }
}

impl Batching {
    /// Sees whether this makes sense.
    ///
    /// # Errors
    /// Names the member that does not.
    pub fn check(&self) -> Result<(), (&'static str, Invalid)> {
        if !(1..=MOST_EVENTS).contains(&self.max_events) {
            return Err(("max_events", Invalid(format!("must be 1 to {MOST_EVENTS}"))));
        }
        let (least, most) = BATCH_BYTES;
        if !(least..=most).contains(&self.max_bytes) {
            return Err(("max_bytes", Invalid(format!("must be {least} to {most} bytes"))));
        }
        between("max_wait", self.max_wait.get(), BATCH_WAIT)
    }
}

impl OnBlocked {
    /// Sees whether this makes sense.
    ///
    /// # Errors
    /// Names the member that does not.
    pub fn check(self) -> Result<(), (&'static str, Invalid)> {
        match self {
            Self::SkipAfter(attempts) if !(1..=MOST_SKIP_AFTER).contains(&attempts) => {
                Err(("skip_after", Invalid(format!("must be 1 to {MOST_SKIP_AFTER} attempts"))))
            }
            _ => Ok(()),
        }
    }
}

fn between(
    member: &'static str,
    value: Duration,
    (least, most): (Duration, Duration),
) -> Result<(), (&'static str, Invalid)> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    let (least, most) = (format_duration(least), format_duration(most));
    Err((member, Invalid(format!("must be {least} to {most}"))))
}

/// How a subscription's deliveries are planned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// Not at all: each is sent as soon as there is room.
    #[default]
    Free,
    /// One at a time.
    Strict,
    /// One at a time per key.
    Keyed,
    /// The newest of a key.
    Debounce {
        /// Once it has been quiet for so long.
        window: Duration,
        /// Or the first has waited for so long.
        max_wait: Duration,
    },
    /// Several at once.
    Batch(Batching),
}

impl Terms {
    /// How deliveries are planned. An order, debouncing and batches exclude each other.
    #[must_use]
    pub fn mode(&self) -> Mode {
        match (&self.debounce, self.batch, self.order) {
            (Some(debounce), ..) => {
                Mode::Debounce { window: debounce.window.get(), max_wait: debounce.longest() }
            }
            (None, Some(batch), _) => Mode::Batch(batch),
            (None, None, Some(Order::Strict)) => Mode::Strict,
            (None, None, Some(Order::By(OrderBy::OrderKey))) => Mode::Keyed,
            (None, None, None) => Mode::Free,
        }
    }

    /// After how many attempts a delivery that blocks others is given up, if it is.
    #[must_use]
    pub const fn skip_after(&self) -> Option<u32> {
        match self.on_blocked {
            Some(OnBlocked::SkipAfter(attempts)) => Some(attempts),
            _ => None,
        }
    }

    /// What an event's delivery is planned by; `None` when it is not: there is no such term, or the event has no key.
    #[must_use]
    pub fn plan_key(&self, event: &Event) -> Option<Vec<u8>> {
        match (&self.debounce, self.batch, self.order) {
            (Some(debounce), ..) => {
                let key = match &debounce.key {
                    DebounceKey::DebounceKey => event.debounce_key.as_deref().map(Cow::Borrowed),
                    DebounceKey::OrderKey => event.order_key.as_deref().map(Cow::Borrowed),
                    DebounceKey::Pointer(pointer) => pointed(&event.data, pointer).map(Cow::Owned),
                };
                key.map(|key| PlanKey::of(PlanKey::DEBOUNCE, &key))
            }
            (None, Some(_), _) => Some(PlanKey::BATCH.to_vec()),
            (None, None, Some(Order::Strict)) => Some(PlanKey::STRICT.to_vec()),
            (None, None, Some(Order::By(OrderBy::OrderKey))) => {
                event.order_key.as_deref().map(|key| PlanKey::of(PlanKey::KEYED, key))
            }
            (None, None, None) => None,
        }
    }
}

/// The value that a JSON Pointer names, as JSON; `None` when there is none, or null.
fn pointed(data: &[u8], pointer: &str) -> Option<String> {
    let data: Value = serde_json::from_slice(data).ok()?;
    let value = data.pointer(pointer).filter(|value| !value.is_null())?;
    Some(value.to_string())
}

/// The keys of planned deliveries, as they stand in the store: what they are planned as, and the key itself.
#[derive(Debug, Clone, Copy)]
pub struct PlanKey;

impl PlanKey {
    /// That of all in strict order.
    pub const STRICT: &'static [u8] = b"s";
    /// That of all in batches.
    pub const BATCH: &'static [u8] = b"b";
    const KEYED: u8 = b'o';
    const DEBOUNCE: u8 = b'd';

    /// Whether deliveries with this key are debounced.
    #[must_use]
    pub fn is_debounce(key: &[u8]) -> bool {
        key.first() == Some(&Self::DEBOUNCE)
    }

    /// Whether deliveries with this key go in batches.
    #[must_use]
    pub fn is_batch(key: &[u8]) -> bool {
        key == Self::BATCH
    }

    fn of(kind: u8, key: &str) -> Vec<u8> {
        if key.len() <= PLAIN_KEY {
            return [&[kind, b'='], key.as_bytes()].concat();
        }
        [&[kind, b'#'], digest(&SHA256, key.as_bytes()).as_ref()].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_is_what_was_written() {
        for json in [
            r#"{"order":"strict"}"#,
            r#"{"order":{"by":"order_key"},"on_blocked":{"skip_after":3}}"#,
            r#"{"debounce":{"window":"10s","key":"/customer/id","max_wait":"1m"}}"#,
            r#"{"debounce":{"window":"10s","key":"order_key"}}"#,
            r#"{"batch":{"max_events":100,"max_bytes":2048,"max_wait":"5s"}}"#,
        ] {
            let terms: Terms = serde_json::from_str(json).unwrap();
            assert_eq!(serde_json::to_string(&terms).unwrap(), json);
            assert_ne!(terms.mode(), Mode::Free, "{json}");
        }
        let short: Debounce = serde_json::from_str(r#"{"window": "10s"}"#).unwrap();
        assert_eq!((&short.key, short.longest()), (&DebounceKey::DebounceKey, Duration::from_secs(100)));
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        for json in [r#""loose""#, r#"{"by": "debounce_key"}"#, "true", r#"{"by": "order_key", "x": 1}"#] {
            assert!(serde_json::from_str::<Order>(json).is_err(), "{json}");
        }
        for (json, member) in [
            (r#"{"window": "1ms"}"#, "window"),
            (r#"{"window": "2h"}"#, "window"),
            (r#"{"window": "10s", "max_wait": "5s"}"#, "max_wait"),
            (r#"{"window": "10s", "max_wait": "2d"}"#, "max_wait"),
        ] {
            let debounce: Debounce = serde_json::from_str(json).unwrap();
            assert_eq!(debounce.check().unwrap_err().0, member, "{json}");
        }
        assert!(serde_json::from_str::<Debounce>(r#"{"window": "1s", "key": "id"}"#).is_err());
        for (json, member) in [
            (r#"{"max_events": 0, "max_wait": "1s"}"#, "max_events"),
            (r#"{"max_events": 1001, "max_wait": "1s"}"#, "max_events"),
            (r#"{"max_events": 10, "max_wait": "1h"}"#, "max_wait"),
            (r#"{"max_events": 10, "max_wait": "1s", "max_bytes": 10}"#, "max_bytes"),
        ] {
            let batch: Batching = serde_json::from_str(json).unwrap();
            assert_eq!(batch.check().unwrap_err().0, member, "{json}");
        }
        assert!(OnBlocked::SkipAfter(0).check().is_err() && OnBlocked::SkipAfter(3).check().is_ok());
    }

    #[test]
    fn long_keys_become_short_ones_and_stay_apart() {
        let long = |end: char| PlanKey::of(PlanKey::KEYED, &format!("{}{end}", "k".repeat(300)));
        assert!(long('a') != long('b') && long('a').len() < 40);
        assert!(PlanKey::of(PlanKey::KEYED, &"k".repeat(255)).len() <= crate::store::MAX_PLAN_KEY);
        assert!(PlanKey::is_debounce(&PlanKey::of(PlanKey::DEBOUNCE, "a")));
        assert!(!PlanKey::is_debounce(PlanKey::BATCH) && PlanKey::is_batch(PlanKey::BATCH));
    }
}
