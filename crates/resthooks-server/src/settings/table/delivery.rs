//! Event types, and how deliveries are tried.

use resthooks::{EventTypes, RetryPolicy};

use super::{Kind, Setting};
use crate::settings::parse::{byte_size, count, duration_above_zero, one, schedule};

/// The rows, in the order in which they are shown.
pub(super) static ROWS: &[Setting] = &[
    Setting::new(
        "event-types",
        Kind::Text,
        "strict|auto",
        &["strict"],
        "Whether events of unregistered types are refused (strict), or a type registers itself with its first event \
         (auto)",
        |s, v| {
            s.engine.event_types = match one(v)? {
                "strict" => EventTypes::Strict,
                "auto" => EventTypes::Auto,
                _ => return Err("must be strict or auto".to_owned()),
            };
            Ok(())
        },
    )
    .in_dev(&["auto"]),
    Setting::new(
        "retry-schedule",
        Kind::List,
        "DURATIONS",
        &["5s", "30s", "5m", "30m", "2h", "5h", "10h", "14h", "20h", "1d"],
        "The waits between a delivery's attempts, each lengthened by up to 20 % at random; then it is dead",
        |s, v| {
            s.engine.retry = RetryPolicy { schedule: schedule(v)?, ..RetryPolicy::default() };
            Ok(())
        },
    ),
    Setting::new(
        "disable-after",
        Kind::Text,
        "DURATION",
        &["5d"],
        "A subscription that has had no success for so long while failing is disabled",
        |s, v| {
            s.engine.disable_after = duration_above_zero(one(v)?)?;
            Ok(())
        },
    ),
    Setting::new(
        "retention",
        Kind::Text,
        "DURATION",
        &["30d"],
        "How long events are kept, with their deliveries and the ids by which a repetition is known",
        |s, v| {
            s.engine.retention.events = duration_above_zero(one(v)?)?;
            Ok(())
        },
    ),
    Setting::new(
        "retention-attempts",
        Kind::Text,
        "DURATION",
        &["30d"],
        "How long the attempts of deliveries are kept, at most as long as these",
        |s, v| {
            s.engine.retention.attempts = duration_above_zero(one(v)?)?;
            Ok(())
        },
    ),
    Setting::new(
        "retention-missed",
        Kind::Text,
        "DURATION",
        &["90d"],
        "How long events are kept that a subscription has missed",
        |s, v| {
            s.engine.retention.missed = duration_above_zero(one(v)?)?;
            Ok(())
        },
    ),
    Setting::new(
        "retention-audit",
        Kind::Text,
        "DURATION",
        &[],
        "How long entries of the audit trail are kept; without it, for ever",
        |s, v| {
            s.engine.retention.audit = v.first().map(|text| duration_above_zero(text)).transpose()?;
            Ok(())
        },
    ),
    Setting::new(
        "retention-size",
        Kind::Text,
        "SIZE",
        &[],
        "How much the store may hold: beyond it the oldest events go, whatever their age; without it, no limit",
        |s, v| {
            s.engine.retention.bytes = v.first().map(|text| byte_size(text)).transpose()?.map(|size| size as u64);
            Ok(())
        },
    ),
    Setting::new(
        "connect-timeout",
        Kind::Text,
        "DURATION",
        &["5s"],
        "For a target's name, connection and TLS handshake",
        |s, v| {
            s.engine.connect_timeout = duration_above_zero(one(v)?)?;
            Ok(())
        },
    ),
    Setting::new(
        "attempt-timeout",
        Kind::Text,
        "DURATION",
        &["15s"],
        "For a whole attempt",
        |s, v| {
            s.engine.attempt_timeout = duration_above_zero(one(v)?)?;
            Ok(())
        },
    ),
    Setting::new(
        "max-in-flight",
        Kind::Count,
        "COUNT",
        &["512"],
        "Requests in flight to all targets together",
        |s, v| {
            s.engine.max_in_flight = count(one(v)?)?;
            Ok(())
        },
    ),
    Setting::new(
        "max-in-flight-per-target",
        Kind::Count,
        "COUNT",
        &["64"],
        "Requests in flight to one target",
        |s, v| {
            s.engine.max_in_flight_per_target = count(one(v)?)?;
            Ok(())
        },
    ),
    Setting::new(
        "queue-per-target",
        Kind::Count,
        "COUNT",
        &["8192"],
        "Deliveries that wait in memory for one target; what is more waits in the store",
        |s, v| {
            s.engine.queue_per_target = count(one(v)?)?;
            Ok(())
        },
    ),
    Setting::new(
        "queue-bytes",
        Kind::Text,
        "SIZE",
        &["64MiB"],
        "Bytes of events that wait in memory for all targets together",
        |s, v| {
            s.engine.queue_bytes = byte_size(one(v)?)?;
            Ok(())
        },
    ),
];
