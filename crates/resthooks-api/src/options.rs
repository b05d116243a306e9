//! How the API is served.

use std::sync::Arc;
use std::time::Duration;

use resthooks::env::{Clock, SystemClock};

use crate::credentials::Credentials;
use crate::guard::{CorsOrigin, MetricsKey, RateLimit};

/// How the API is served. `Options::default()` is fit for production.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Options {
    /// Where callers reach the API, such as `https://hooks.example.com`: shown in the OpenAPI document and in the
    /// examples at `/docs`. Without it the document names no server, and the examples say
    /// `http://127.0.0.1:8080`.
    pub public_url: Option<String>,
    /// How long a request's body may take to arrive (30 s), after which the answer is 408.
    pub body_timeout: Duration,
    /// What callers may prove themselves with beside API keys (nothing).
    pub credentials: Credentials,
    /// How often one caller may ask; without it, as often as it can.
    pub rate_limit: Option<RateLimit>,
    /// The origins of pages that may call the API from a browser; none.
    pub cors_origins: Vec<CorsOrigin>,
    /// The key that `/metrics` asks for; without it, it is open to all who reach the server.
    pub metrics_key: Option<MetricsKey>,
    /// What limits are measured by.
    pub clock: Arc<dyn Clock>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            public_url: None,
            body_timeout: Duration::from_secs(30),
            credentials: Credentials::default(),
            rate_limit: None,
            cors_origins: Vec::new(),
            metrics_key: None,
            clock: Arc::new(SystemClock::default()),
        }
    }
}
