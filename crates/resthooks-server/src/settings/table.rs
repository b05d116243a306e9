//! The one table of settings.

use std::num::NonZeroU32;
use std::path::PathBuf;

use resthooks::model::parse_duration;
use resthooks::{EventTypes, RetryPolicy};
use resthooks_api::MetricsKey;

use super::parse::{
    base_url, byte_size, certificates, count, count_from, duration_above_zero, lease, name, one, secret_keys,
    switch, visible_ascii,
};
use super::store::{StoreAt, schema};
use super::{Hidden, LogFormat, Settings};

/// What form a setting's value has in the file; flags and variables are text in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A string.
    Text,
    /// An integer.
    Count,
    /// `true` or `false`; the flag alone means `true`.
    Switch,
    /// An array of strings; elsewhere separated by commas, and the flag may be repeated.
    List,
}

/// One setting.
#[derive(Debug)]
pub(crate) struct Setting {
    /// Its flag without the dashes in front.
    pub name: &'static str,
    /// The form of its value.
    pub kind: Kind,
    /// What its value is called in help.
    pub value: &'static str,
    /// What holds when nobody says anything; empty for nothing.
    pub default: &'static [&'static str],
    /// What holds instead in development mode.
    pub dev_default: Option<&'static [&'static str]>,
    /// Whether its value must not be shown.
    pub secret: bool,
    /// Whether its value is a URL that may have a password in it, which must not be shown.
    pub has_password: bool,
    /// What it is for.
    pub help: &'static str,
    /// Reads its values into the settings, or says what was expected.
    pub set: fn(&mut Settings, &[String]) -> Result<(), String>,
}

impl Setting {
    /// Its key in the file.
    pub(crate) fn key(&self) -> String {
        self.name.replace('-', "_")
    }

    /// Its environment variable.
    pub(crate) fn variable(&self) -> String {
        format!("RESTHOOKS_{}", self.key().to_ascii_uppercase())
    }

    const fn new(
        name: &'static str,
        kind: Kind,
        value: &'static str,
        default: &'static [&'static str],
        help: &'static str,
        set: fn(&mut Settings, &[String]) -> Result<(), String>,
    ) -> Self {
        Self { name, kind, value, default, dev_default: None, secret: false, has_password: false, help, set }
    }

    const fn in_dev(mut self, values: &'static [&'static str]) -> Self {
        self.dev_default = Some(values);
        self
    }

    const fn secret(mut self) -> Self {
        self.secret = true;
        self
    }

    const fn with_password(mut self) -> Self {
        self.has_password = true;
        self
    }
}

/// Durations separated by commas, each above zero.
fn schedule(values: &[String]) -> Result<Vec<std::time::Duration>, String> {
    values.iter().map(|value| duration_above_zero(value)).collect()
}

/// Every setting, in the order in which they are shown.
pub(crate) static TABLE: &[Setting] = &[
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
        "store",
        Kind::Text,
        "URL",
        &["sqlite:resthooks.db"],
        "Where everything is kept: sqlite: and a file, which is created at the first start, or postgres://… for a database \
         that any number of nodes may share",
        |s, v| {
            s.store = StoreAt::parse(one(v)?)?;
            Ok(())
        },
    )
    .with_password(),
    Setting::new(
        "schema",
        Kind::Text,
        "NAME",
        &["resthooks"],
        "The schema in a PostgreSQL database that everything is in; made when it is not there",
        |s, v| {
            s.schema = schema(one(v)?)?;
            Ok(())
        },
    ),
    Setting::new(
        "no-migrate",
        Kind::Switch,
        "BOOL",
        &["false"],
        "Refuse to start on a PostgreSQL schema of another version, instead of bringing it to this one; \
         `resthooks migrate` does that apart",
        |s, v| {
            s.migrate = !switch(one(v)?)?;
            Ok(())
        },
    ),
    Setting::new(
        "node-name",
        Kind::Text,
        "NAME",
        &[],
        "What this node is called among those that share a database; without it, the host's name and the process's number",
        |s, v| {
            s.engine.node_name = v.first().map(|given| name(given)).transpose()?.unwrap_or_default();
            Ok(())
        },
    ),
    Setting::new(
        "node-lease",
        Kind::Text,
        "DURATION",
        &["10s"],
        "How long this node may be silent before others that share its database take over what it has in hand",
        |s, v| {
            s.engine.lease = lease(one(v)?)?;
            Ok(())
        },
    ),
    Setting::new(
        "admin-key",
        Kind::Text,
        "KEY",
        &[],
        "The provider's API key; without it one is made at the first start and printed once",
        |s, v| {
            s.admin_key = v.first().map(|key| visible_ascii(key)).transpose()?.map(Hidden::from);
            Ok(())
        },
    )
    .in_dev(&[super::DEV_ADMIN_KEY])
    .secret(),
    Setting::new(
        "secret-key",
        Kind::List,
        "KEY",
        &[],
        "What secrets in the store are sealed with, instead of a file: 32 bytes as 64 hex digits or base64. Of several the \
         first one seals and all of them open",
        |s, v| {
            s.secret_keys = secret_keys(v)?;
            Ok(())
        },
    )
    .secret(),
    Setting::new(
        "secret-key-file",
        Kind::Text,
        "FILE",
        &[],
        "The file with the keys that secrets in the store are sealed with, one a line; made at the first start. Without \
         it, the SQLite file's name and .key, or resthooks.key in the working directory for PostgreSQL, whose nodes all \
         need a copy",
        |s, v| {
            s.secret_key_file = v.first().map(PathBuf::from);
            Ok(())
        },
    ),
    Setting::new(
        "dev",
        Kind::Switch,
        "BOOL",
        &["false"],
        "Development mode, on loopback only: http and private targets are allowed, event types register themselves, \
         and the admin key is `dev`",
        |s, v| {
            s.dev = switch(one(v)?)?;
            s.engine.targets.allow_private = s.dev;
            Ok(())
        },
    ),
    Setting::new(
        "allow-target",
        Kind::List,
        "CIDR|HOST",
        &[],
        "Targets that are allowed although they are not public: 10.1.0.0/16, hooks.corp.example, *.corp.example; may \
         be repeated",
        |s, v| {
            let parse = |text: &String| text.parse().map_err(|e: resthooks::model::Invalid| e.0);
            s.engine.targets.allowed = v.iter().map(parse).collect::<Result<_, String>>()?;
            Ok(())
        },
    ),
    Setting::new(
        "allow-http",
        Kind::Switch,
        "BOOL",
        &["false"],
        "Allow targets without TLS",
        |s, v| {
            s.engine.targets.allow_http = switch(one(v)?)?;
            Ok(())
        },
    )
    .in_dev(&["true"]),
    Setting::new(
        "trust-root",
        Kind::List,
        "FILE",
        &[],
        "PEM files with certificates to trust beside the built-in roots, when targets have a private authority; may be \
         repeated",
        |s, v| {
            s.engine.extra_roots = certificates(v)?;
            Ok(())
        },
    ),
    Setting::new(
        "intent",
        Kind::Text,
        "none|echo|challenge|options",
        &["none"],
        "How a target confirms that its owner wants hooks, before it gets any, unless its account says otherwise: not at all, \
         by echoing a secret, by answering a challenge, or by granting requests of this server's host",
        |s, v| {
            s.engine.intent = one(v)?.parse().map_err(|e: resthooks::model::Invalid| e.0)?;
            Ok(())
        },
    ),
    Setting::new(
        "intent-timeout",
        Kind::Text,
        "DURATION",
        &["24h"],
        "A subscription that is not confirmed within this time is removed",
        |s, v| {
            s.engine.intent_timeout = duration_above_zero(one(v)?)?;
            let is_short = s.engine.intent_timeout <= std::time::Duration::from_secs(30 * 24 * 3600);
            if is_short { Ok(()) } else { Err("must be at most 30d".to_owned()) }
        },
    ),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{Resolved, Source};

    #[test]
    fn the_defaults_are_the_engines_own() {
        let resolved = Resolved::defaults().unwrap();
        let ours = resolved.settings.engine;
        let engine = resthooks::Options::default();
        assert_eq!(ours.event_types, engine.event_types);
        assert_eq!(ours.targets, engine.targets);
        assert_eq!(ours.retry, engine.retry);
        assert_eq!(ours.connect_timeout, engine.connect_timeout);
        assert_eq!(ours.attempt_timeout, engine.attempt_timeout);
        assert_eq!(ours.max_in_flight, engine.max_in_flight);
        assert_eq!(ours.max_in_flight_per_target, engine.max_in_flight_per_target);
        assert_eq!(ours.queue_per_target, engine.queue_per_target);
        assert_eq!(ours.queue_bytes, engine.queue_bytes);
        assert_eq!(ours.disable_after, engine.disable_after);
        assert_eq!((ours.intent, ours.intent_timeout), (engine.intent, engine.intent_timeout));
        assert_eq!((ours.lease, &ours.node_name), (engine.lease, &engine.node_name));
        assert!(resolved.values.iter().all(|value| value.source == Source::Default));
    }

    /// Settings that hold a secret, whatever they are going to be called.
    #[test]
    fn what_sounds_secret_is_secret() {
        for setting in TABLE {
            let sounds_secret =
                ["key", "secret", "password", "token"].iter().any(|word| setting.name.contains(word));
            let is_named_in_a_file = setting.value == "FILE";
            if sounds_secret && !is_named_in_a_file {
                assert!(setting.secret, "--{} is shown", setting.name);
            }
        }
    }

    #[test]
    fn secrets_are_shown_nowhere() {
        let planted = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
        let secrets: Vec<_> = TABLE.iter().filter(|setting| setting.secret).collect();
        assert!(secrets.len() >= 3);
        for setting in secrets {
            let resolved = Resolved::of(&[(setting.name, planted)]).unwrap();
            let shown = resolved.to_toml();
            let line = shown.lines().find(|line| line.starts_with(&format!("{} = ", setting.key())));
            assert!(line.unwrap().contains(super::super::MASK), "{shown}");
            assert!(!shown.contains(&planted[..16]), "{shown}");
            assert!(!format!("{:?}", resolved.settings).contains(&planted[..16]), "--{}", setting.name);
            // Nor where it was not understood.
            for wrong in [format!("{planted}: ü"), format!("{planted}\n"), planted.repeat(9)] {
                let error = Resolved::of(&[(setting.name, &wrong)]).unwrap_err().to_string();
                assert!(!error.contains(&planted[..16]), "{error}");
            }
            // What is printed in its place is not taken for it.
            assert!(Resolved::of(&[(setting.name, super::super::MASK)]).is_err(), "--{}", setting.name);
        }
    }

    #[test]
    fn the_readme_shows_every_setting_with_its_default() {
        let readme = include_str!("../../../../README.md");
        for setting in TABLE {
            let default = match setting.kind {
                _ if setting.default.is_empty() => "–".to_owned(),
                Kind::Switch => "off".to_owned(),
                _ => format!("`{}`", setting.default.join(",")),
            };
            let row = format!("| `--{} {}` | {default} |", setting.name, setting.value.replace('|', "\\|"));
            let row = if setting.kind == Kind::Switch { row.replace(" BOOL", "") } else { row };
            assert!(readme.contains(&row), "README.md lacks the row {row}");
        }
    }
}
