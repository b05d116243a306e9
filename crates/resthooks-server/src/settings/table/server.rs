//! The API as callers reach it, limits on them, and what the operator sees of it.

use std::num::NonZeroU32;
use std::path::PathBuf;

use resthooks::model::parse_duration;
use resthooks_api::MetricsKey;

use super::{Kind, Setting};
use crate::settings::LogFormat;
use crate::settings::parse::{base_url, count, count_from, one, visible_ascii};

/// The rows, in the order in which they are shown.
pub(super) static ROWS: &[Setting] = &[
    Setting::new(
        "listen",
        Kind::Text,
        "ADDR",
        &["127.0.0.1:8080"],
        "Where to listen: an address and a port; port 0 takes a free one",
        |s, v| {
            let text = one(v)?.replace("localhost:", "127.0.0.1:");
            s.listen = text.parse().map_err(|_| "must be an address and a port, such as 127.0.0.1:8080")?;
            Ok(())
        },
    ),
    Setting::new(
        "public-url",
        Kind::Text,
        "URL",
        &[],
        "Where callers reach the API, for the documentation; without it, where it listens",
        |s, v| {
            s.public_url = v.first().map(|url| base_url(url)).transpose()?;
            Ok(())
        },
    ),
    Setting::new(
        "tls-cert",
        Kind::Text,
        "FILE",
        &[],
        "Serve the API over TLS with the certificate in this PEM file, followed by those of its intermediate \
         authorities; read again on SIGHUP",
        |s, v| {
            s.tls_cert = v.first().map(PathBuf::from);
            Ok(())
        },
    ),
    Setting::new("tls-key", Kind::Text, "FILE", &[], "The private key of --tls-cert, PEM", |s, v| {
        s.tls_key = v.first().map(PathBuf::from);
        Ok(())
    }),
    Setting::new(
        "max-connections",
        Kind::Count,
        "COUNT",
        &["4096"],
        "Connections of callers that are served at once; more wait until one ends",
        |s, v| {
            s.max_connections = count(one(v)?)?;
            Ok(())
        },
    ),
    Setting::new(
        "max-connections-per-address",
        Kind::Count,
        "COUNT",
        &[],
        "Connections of callers from one address (over IPv6, one /64 network) that are served at once; more are \
         closed; without it, half of --max-connections. Behind a proxy, all callers have its address",
        |s, v| {
            s.max_connections_per_address = v.first().map(|text| count(text)).transpose()?;
            Ok(())
        },
    ),
    Setting::new(
        "rate-limit",
        Kind::Count,
        "COUNT",
        &["0"],
        "Requests per second of one caller (a key, or an account without one of ours), on each node; a batch is one; 0 \
         for no limit",
        |s, v| {
            s.rate_limit = NonZeroU32::new(count_from(0, one(v)?)?);
            Ok(())
        },
    ),
    Setting::new(
        "rate-limit-burst",
        Kind::Count,
        "COUNT",
        &[],
        "Requests at once of a caller that has been quiet; without it, as many as --rate-limit",
        |s, v| {
            s.rate_limit_burst = v.first().map(|text| count_from(1, text)).transpose()?.and_then(NonZeroU32::new);
            Ok(())
        },
    ),
    Setting::new(
        "cors-origin",
        Kind::List,
        "ORIGIN",
        &[],
        "The origin of pages that may call the API from a browser, with a key of their own: https://app.example.com; may \
         be repeated. * stands for all pages there are, which is unwise",
        |s, v| {
            let parse = |text: &String| text.parse().map_err(|e: resthooks::model::Invalid| e.0);
            s.cors_origins = v.iter().map(parse).collect::<Result<_, String>>()?;
            Ok(())
        },
    ),
    Setting::new(
        "metrics-key",
        Kind::Text,
        "KEY",
        &[],
        "The key that /metrics asks for, as a bearer token; without it, whoever reaches the server may read it",
        |s, v| {
            s.metrics_key = v.first().map(|key| visible_ascii(key)).transpose()?.map(|key| MetricsKey::new(&key));
            Ok(())
        },
    )
    .secret(),
    Setting::new(
        "shutdown-grace",
        Kind::Text,
        "DURATION",
        &["30s"],
        "How long a stop waits for what is in flight",
        |s, v| {
            s.shutdown_grace = parse_duration(one(v)?).map_err(|e| e.0)?;
            Ok(())
        },
    ),
    Setting::new(
        "log-format",
        Kind::Text,
        "auto|text|json",
        &["auto"],
        "How log lines look: auto is text on a terminal and JSON otherwise",
        |s, v| {
            s.log_format = match one(v)? {
                "auto" => LogFormat::Auto,
                "text" => LogFormat::Text,
                "json" => LogFormat::Json,
                _ => return Err("must be auto, text or json".to_owned()),
            };
            Ok(())
        },
    ),
    Setting::new(
        "log-level",
        Kind::Text,
        "FILTER",
        &["info"],
        "What is logged: error, warn, info, debug or trace, also per module, such as info,resthooks=debug",
        |s, v| {
            s.log_level = crate::telemetry::check_filter(one(v)?)?;
            Ok(())
        },
    ),
];
