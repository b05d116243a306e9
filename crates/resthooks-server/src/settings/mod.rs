//! Settings: what a node runs with, and where each of it came from.
//!
//! Every setting is a row of [`table()`] and nothing else: its flag, its environment variable, its key in the file, its
//! help, its default and what it sets are read from there. [`Given`] takes what the command line and the environment
//! say, [`file`] what the file says, [`Resolved`] lays them over each other and over the defaults. Nothing here opens
//! a store or a socket.

mod credentials;
mod file;
mod given;
mod parse;
mod resolve;
mod store;
mod table;

use std::ffi::OsString;
use std::fmt;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::ops::Deref;
use std::path::PathBuf;
use std::time::Duration;

use resthooks_api::{CorsOrigin, MetricsKey};

pub(crate) use credentials::CredentialSettings;
pub(crate) use given::{Given, GivenStore};
pub(crate) use resolve::{Resolved, Source};
pub(crate) use store::StoreAt;
pub(crate) use table::{Kind, Setting, table};

use resthooks::seal::SecretKey;

use crate::lifecycle::tls;

/// The admin key in development mode.
pub(crate) const DEV_ADMIN_KEY: &str = "dev";

/// The key file of a store that is no file itself, in the working directory.
const DEFAULT_KEY_FILE: &str = "resthooks.key";

/// What a secret is printed as.
pub(crate) const MASK: &str = "********";

/// Variables beside the settings' own that commands read.
const OTHER_VARIABLES: [&str; 3] = ["RESTHOOKS_CONFIG", "RESTHOOKS_URL", "RESTHOOKS_SECRET"];

/// Of these names of environment variables, those that look like a setting's and are none: mistyped, perhaps.
pub(crate) fn unknown_variables(names: impl Iterator<Item = OsString>) -> Vec<String> {
    names
        .filter_map(|name| name.into_string().ok())
        .filter(|name| name.starts_with("RESTHOOKS_") && !OTHER_VARIABLES.contains(&name.as_str()))
        .filter(|name| table().all(|setting| setting.variable() != *name))
        .collect()
}

/// A text that shows itself to nobody who only looks at what holds it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Hidden(String);

impl From<String> for Hidden {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl Deref for Hidden {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum LogFormat {
    /// Text on a terminal, JSON otherwise.
    #[default]
    Auto,
    /// For humans.
    Text,
    /// For machines.
    Json,
}

/// All settings, as values.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Where callers reach the API, when that is not where it listens.
    pub public_url: Option<String>,
    /// The certificate that the API is served with.
    pub tls_cert: Option<PathBuf>,
    /// Its key.
    pub tls_key: Option<PathBuf>,
    /// Where the store is.
    pub store: StoreAt,
    /// The schema in a PostgreSQL database.
    pub schema: String,
    /// Whether a start brings a PostgreSQL database's tables to this version.
    pub migrate: bool,
    /// The provider's key, when the operator gave one.
    pub admin_key: Option<Hidden>,
    /// What secrets are sealed with: the first seals, all open. Empty when a file holds them.
    pub secret_keys: Vec<SecretKey>,
    /// That file, when the operator named one.
    pub secret_key_file: Option<PathBuf>,
    /// What callers may prove themselves with beside API keys.
    pub credentials: CredentialSettings,
    /// The certificate that targets are shown.
    pub client_cert: Option<PathBuf>,
    /// Its key.
    pub client_key: Option<PathBuf>,
    /// Development mode.
    pub dev: bool,
    /// How long a stop may take.
    pub shutdown_grace: Duration,
    /// Connections served at once.
    pub max_connections: usize,
    /// Of which from one address.
    pub max_connections_per_address: Option<usize>,
    /// Requests per second of one caller, when they are limited.
    pub rate_limit: Option<NonZeroU32>,
    /// Of which at once.
    pub rate_limit_burst: Option<NonZeroU32>,
    /// Pages that may call the API from a browser.
    pub cors_origins: Vec<CorsOrigin>,
    /// What `/metrics` asks for.
    pub metrics_key: Option<MetricsKey>,
    /// How log lines look.
    pub log_format: LogFormat,
    /// What is logged.
    pub log_level: String,
    /// What the engine runs with.
    pub engine: resthooks::Options,
}

impl Settings {
    /// Where the keys that secrets are sealed with are kept, when they were not given as such.
    pub(crate) fn key_file(&self) -> PathBuf {
        let default = || match &self.store {
            StoreAt::File(path) => {
                // As the store does it: what counts is where the file is, not where a link to it is.
                let mut name = std::fs::canonicalize(path).unwrap_or_else(|_| path.clone()).into_os_string();
                name.push(".key");
                name.into()
            }
            // In full, because messages name it.
            StoreAt::Postgres(_) => {
                std::path::absolute(DEFAULT_KEY_FILE).unwrap_or_else(|_| DEFAULT_KEY_FILE.into())
            }
        };
        self.secret_key_file.clone().unwrap_or_else(default)
    }

    /// The files to serve TLS with, if it is to be served.
    pub(crate) fn tls(&self) -> Option<tls::Files> {
        let (certificate, key) = (self.tls_cert.clone()?, self.tls_key.clone()?);
        Some(tls::Files { certificate, key })
    }
}

impl Default for Settings {
    /// Only a place to set things in: the defaults that count are those of [`table`].
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            public_url: None,
            tls_cert: None,
            tls_key: None,
            store: StoreAt::File(PathBuf::new()),
            schema: String::new(),
            migrate: true,
            admin_key: None,
            secret_keys: Vec::new(),
            secret_key_file: None,
            credentials: CredentialSettings::default(),
            client_cert: None,
            client_key: None,
            dev: false,
            shutdown_grace: Duration::ZERO,
            max_connections: 1,
            max_connections_per_address: None,
            rate_limit: None,
            rate_limit_burst: None,
            cors_origins: Vec::new(),
            metrics_key: None,
            log_format: LogFormat::Auto,
            log_level: String::new(),
            engine: resthooks::Options::default(),
        }
    }
}

/// A setting that makes no sense, by name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{setting}: {message} ({source_text})")]
pub(crate) struct Error {
    /// The setting's flag, or the key that is none.
    pub setting: String,
    /// What is wrong, or what was expected.
    pub message: String,
    /// Where it was given, in words.
    pub source_text: String,
}

#[cfg(test)]
mod tests {
    #[test]
    fn mistyped_variables_are_noticed() {
        let names = ["PATH", "RESTHOOKS_LISTEN", "RESTHOOKS_LISTN", "RESTHOOKS_CONFIG", "resthooks_store"];
        let unknown = super::unknown_variables(names.into_iter().map(Into::into));
        assert_eq!(unknown, ["RESTHOOKS_LISTN"]);
    }
}
