//! What callers may prove themselves with beside API keys.

use std::time::Duration;

use resthooks::model::parse_duration;
use resthooks_api::credentials::StaticKeys;

use super::{Kind, Setting};
use crate::settings::Hidden;
use crate::settings::parse::{
    duration_above_zero, field, header, key_text, named_value, network, one, shared_secret, switch,
    without_query,
};

/// The rows, in the order in which they are shown.
pub(super) static ROWS: &[Setting] = &[
    Setting::new(
        "jwt-secret",
        Kind::Text,
        "SECRET",
        &[],
        "The secret that callers' tokens (JWT) are signed with: HS256, and with 48 and 64 characters HS384 and HS512",
        |s, v| {
            s.credentials.jwt_secret = v.first().map(|text| shared_secret(text)).transpose()?.map(Hidden::from);
            Ok(())
        },
    )
    .secret(),
    Setting::new(
        "jwt-key",
        Kind::List,
        "FILE",
        &[],
        "PEM files with the public keys that tokens are signed with: RSA, P-256, P-384 or Ed25519; may be repeated",
        |s, v| {
            s.credentials.jwt_keys = v.iter().map(|file| key_text(file, StaticKeys::add_pem)).collect::<Result<_, _>>()?;
            Ok(())
        },
    ),
    Setting::new(
        "jwt-jwks",
        Kind::Text,
        "FILE",
        &[],
        "A file with the keys that tokens are signed with, as a JWK Set",
        |s, v| {
            let set = v.first().map(|file| key_text(file, StaticKeys::add_jwks)).transpose()?;
            s.credentials.jwt_jwks = set.map(Hidden::from);
            Ok(())
        },
    ),
    Setting::new(
        "jwt-jwks-url",
        Kind::Text,
        "URL",
        &[],
        "Where the JWK Set with the keys that tokens are signed with is fetched from, and fetched again",
        |s, v| {
            s.credentials.jwt_jwks_url = v.first().cloned();
            Ok(())
        },
    )
    .masked_by(without_query),
    Setting::new(
        "jwt-issuer",
        Kind::List,
        "ISSUER",
        &[],
        "Who issues tokens (`iss`): one of these; without it, whoever has a key. May be repeated",
        |s, v| {
            s.credentials.jwt_issuers = v.to_vec();
            Ok(())
        },
    ),
    Setting::new(
        "jwt-audience",
        Kind::List,
        "AUDIENCE",
        &[],
        "Whom tokens are for (`aud`): one of these. Needed with tokens; may be repeated",
        |s, v| {
            s.credentials.jwt_audiences = v.to_vec();
            Ok(())
        },
    ),
    Setting::new(
        "jwt-any-audience",
        Kind::Switch,
        "BOOL",
        &["false"],
        "Take tokens whomever they are for",
        |s, v| {
            s.credentials.jwt_any_audience = switch(one(v)?)?;
            Ok(())
        },
    ),
    Setting::new(
        "jwt-leeway",
        Kind::Text,
        "DURATION",
        &["60s"],
        "By how much the clocks of issuers may differ from ours; at most 10m",
        |s, v| {
            s.credentials.jwt_leeway = parse_duration(one(v)?).map_err(|e| e.0)?;
            let is_short = s.credentials.jwt_leeway <= Duration::from_secs(600);
            if !is_short {
                return Err("must be at most 10m".to_owned());
            }
            Ok(())
        },
    ),
    Setting::new(
        "jwt-account-claim",
        Kind::Text,
        "CLAIM",
        &["sub"],
        "The claim that names the account; tenant.id for one within another",
        |s, v| {
            s.credentials.jwt_account_claim = Some(field(one(v)?)?);
            Ok(())
        },
    ),
    Setting::new(
        "jwt-provider-claim",
        Kind::Text,
        "CLAIM=VALUE",
        &[],
        "The claim that, with this value, makes a caller the provider, such as scope=hooks:admin",
        |s, v| {
            s.credentials.jwt_provider_claim = v.first().map(|text| named_value(text, field)).transpose()?;
            Ok(())
        },
    ),
    Setting::new(
        "forward-auth-url",
        Kind::Text,
        "URL",
        &[],
        "Asked who a caller is, with its Authorization header: 2xx admits, 401 and 403 refuse, anything else is 503",
        |s, v| {
            s.credentials.forward_url = v.first().cloned();
            Ok(())
        },
    )
    .masked_by(without_query),
    Setting::new(
        "forward-auth-header",
        Kind::List,
        "HEADER",
        &["authorization"],
        "The headers of a request that are shown to --forward-auth-url; may be repeated",
        |s, v| {
            s.credentials.forward_headers = v.iter().map(|text| header(text)).collect::<Result<_, _>>()?;
            Ok(())
        },
    ),
    Setting::new(
        "forward-auth-account-header",
        Kind::Text,
        "HEADER",
        &[],
        "The header of its answer that names the account",
        |s, v| {
            s.credentials.forward_account_header = v.first().map(|text| header(text)).transpose()?;
            Ok(())
        },
    ),
    Setting::new(
        "forward-auth-account-field",
        Kind::Text,
        "FIELD",
        &[],
        "The field of its JSON answer that names the account: user.tenant for one within another",
        |s, v| {
            s.credentials.forward_account_field = v.first().map(|text| field(text)).transpose()?;
            Ok(())
        },
    ),
    Setting::new(
        "forward-auth-provider-header",
        Kind::Text,
        "HEADER=VALUE",
        &[],
        "The header of its answer that, with this value, makes a caller the provider",
        |s, v| {
            s.credentials.forward_provider_header = v.first().map(|text| named_value(text, header)).transpose()?;
            Ok(())
        },
    ),
    Setting::new(
        "forward-auth-provider-field",
        Kind::Text,
        "FIELD=VALUE",
        &[],
        "The field of its JSON answer that, with this value, makes a caller the provider",
        |s, v| {
            s.credentials.forward_provider_field = v.first().map(|text| named_value(text, field)).transpose()?;
            Ok(())
        },
    ),
    Setting::new(
        "forward-auth-cache",
        Kind::Text,
        "DURATION",
        &["10s"],
        "How long its answer holds for the same request of the same caller; 0s for not at all, at most 10m",
        |s, v| {
            s.credentials.forward_cache = parse_duration(one(v)?).map_err(|e| e.0)?;
            let is_short = s.credentials.forward_cache <= Duration::from_secs(600);
            if !is_short {
                return Err("must be at most 10m".to_owned());
            }
            Ok(())
        },
    ),
    Setting::new(
        "forward-auth-timeout",
        Kind::Text,
        "DURATION",
        &["5s"],
        "How long its answer may take",
        |s, v| {
            s.credentials.forward_timeout = duration_above_zero(one(v)?)?;
            Ok(())
        },
    ),
    Setting::new(
        "proxy-auth-header",
        Kind::Text,
        "HEADER",
        &[],
        "The header in which a proxy in front names the account, having found out who asks",
        |s, v| {
            s.credentials.proxy_header = v.first().map(|text| header(text)).transpose()?;
            Ok(())
        },
    ),
    Setting::new(
        "proxy-auth-from",
        Kind::List,
        "CIDR",
        &[],
        "Where that proxy connects from: its address or network; may be repeated. From elsewhere the header says nothing",
        |s, v| {
            s.credentials.proxy_from = v.iter().map(|text| network(text)).collect::<Result<_, _>>()?;
            Ok(())
        },
    ),
    Setting::new(
        "auth-over-http",
        Kind::Switch,
        "BOOL",
        &["false"],
        "Allow --jwt-jwks-url and --forward-auth-url on other machines without TLS: whoever can change what they answer decides who is admitted",
        |s, v| {
            s.credentials.over_http = switch(one(v)?)?;
            Ok(())
        },
    ),
];
