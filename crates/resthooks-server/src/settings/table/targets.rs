//! Which targets are allowed, how they are reached, and how they confirm.

use std::path::PathBuf;

use super::{Kind, Setting};
use crate::settings::parse::{certificates, duration_above_zero, one, port, switch};
use crate::settings::store::masked;

/// The rows, in the order in which they are shown.
pub(super) static ROWS: &[Setting] = &[
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
        "allow-port",
        Kind::List,
        "PORT",
        &[],
        "Ports of targets that are allowed although other services are known to listen there, such as 6379; may be repeated",
        |s, v| {
            s.engine.targets.allowed_ports = v.iter().map(|text| port(text)).collect::<Result<_, _>>()?;
            Ok(())
        },
    ),
    Setting::new(
        "outbound-proxy",
        Kind::Text,
        "URL",
        &[],
        "A proxy that connections to targets are asked of (HTTP CONNECT): http://[user:password@]host:port. It is given the \
         addresses that names were found to have here. Proxies in the environment are never used",
        |s, v| {
            let proxy = v.first().map(|text| text.parse().map_err(|e: resthooks::model::Invalid| e.0));
            s.engine.outbound_proxy = proxy.transpose()?;
            Ok(())
        },
    )
    .masked_by(masked),
    Setting::new(
        "client-cert",
        Kind::Text,
        "FILE",
        &[],
        "The certificate that is shown to targets which ask for one, PEM, followed by those of its intermediate authorities",
        |s, v| {
            s.client_cert = v.first().map(PathBuf::from);
            Ok(())
        },
    ),
    Setting::new("client-key", Kind::Text, "FILE", &[], "The private key of --client-cert, PEM", |s, v| {
        s.client_key = v.first().map(PathBuf::from);
        Ok(())
    }),
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
];
