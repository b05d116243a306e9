//! The guard of one router.

use std::sync::Arc;
use std::time::Duration;

use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{HeaderName, StatusCode};
use resthooks::env::Clock;

use super::failures::Failures;
use super::rate::Limiter;
use super::{CorsOrigin, MetricsKey, cross_site};
use crate::caller::Identity;
use crate::credentials::ForwardAuth;
use crate::options::Options;
use crate::peer::PeerAddress;
use crate::problem::Problem;

/// Counts callers and failures, and knows the key of the metrics.
#[derive(Debug)]
pub(crate) struct Guard {
    clock: Arc<dyn Clock>,
    limiter: Option<Limiter>,
    failures: Failures,
    metrics_key: Option<MetricsKey>,
    /// Where a caller may show something that nobody knows.
    shown_in: Vec<HeaderName>,
    /// Whose pages may ask for changes.
    origins: Vec<CorsOrigin>,
}

impl Guard {
    pub(crate) fn new(options: &Options) -> Self {
        Self {
            clock: Arc::clone(&options.clock),
            limiter: options.rate_limit.map(Limiter::new),
            failures: Failures::new(),
            metrics_key: options.metrics_key.clone(),
            shown_in: std::iter::once(&AUTHORIZATION)
                .chain(options.credentials.forward.iter().flat_map(ForwardAuth::headers))
                .cloned()
                .collect(),
            origins: options.cors_origins.clone(),
        }
    }

    /// Refuses what another origin's page must not have a browser send. Before anybody is asked whose credentials they are.
    pub(crate) fn admit_page(&self, parts: &Parts) -> Result<(), Problem> {
        cross_site::check(parts, &self.origins)
    }

    /// Counts a request of a caller that has proved itself; refuses it when that asks too often.
    pub(crate) fn admit(&self, identity: &Identity) -> Result<(), Problem> {
        match &self.limiter {
            Some(limiter) => limiter.check(identity, self.now()),
            None => Ok(()),
        }
    }

    /// Counts a request whose credentials were refused. What it is answered: that, or that it was one too many.
    pub(crate) fn refuse(&self, parts: &Parts, refusal: Problem) -> Problem {
        let guessed = refusal.status() == StatusCode::UNAUTHORIZED
            && self.shown_in.iter().any(|name| parts.headers.contains_key(name));
        match parts.extensions.get::<PeerAddress>() {
            Some(peer) if guessed => self.failures.count(*peer, refusal, self.now()),
            _ => refusal,
        }
    }

    /// Whether a request may read the metrics.
    pub(crate) fn admit_to_metrics(&self, parts: &Parts) -> Result<(), Problem> {
        match &self.metrics_key {
            Some(key) if !key.is_shown_in(&parts.headers) => {
                Err(self.refuse(parts, Problem::unauthorized("the key of the metrics is needed")))
            }
            _ => Ok(()),
        }
    }

    fn now(&self) -> Duration {
        self.clock.monotonic()
    }
}
