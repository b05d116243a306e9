//! How the API is served.

use std::time::Duration;

/// How the API is served. `Options::default()` is fit for production.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Options {
    /// Where callers reach the API, such as `https://hooks.example.com`: shown in the OpenAPI document and in the
    /// examples at `/docs`. Without it the document names no server, and the examples say
    /// `http://127.0.0.1:8080`.
    pub public_url: Option<String>,
    /// How long a request's body may take to arrive (30 s), after which the answer is 408.
    pub body_timeout: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self { public_url: None, body_timeout: Duration::from_secs(30) }
    }
}
