//! What a subscription's owner may ask for of its delivery, beside the server's defaults. All of it is absent unless it was
//! asked for.

mod plan;
mod rate;
mod retry;
mod time;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Timestamp;
pub use plan::{Batching, Debounce, DebounceKey, Mode, OnBlocked, Order, OrderBy, PlanKey};
pub use rate::{Per, RateLimit};
pub use retry::{Retry, Statuses, Waits};
pub use time::Span;

/// The terms of one subscription. Stored as members of its document, under these names.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Terms {
    /// When failed deliveries are tried again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
    /// How long a whole attempt may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Span>,
    /// The most requests in a second or a minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_limit: Option<RateLimit>,
    /// The most requests in flight at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_in_flight: Option<u32>,
    /// When it ends by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// In which order deliveries are sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<Order>,
    /// What becomes of those behind one that fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_blocked: Option<OnBlocked>,
    /// Which of several are sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub debounce: Option<Debounce>,
    /// How many are sent at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<Batching>,
}

/// A change of terms (`PATCH`): absent ones stay; `Some(None)` clears.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TermsChange {
    /// See [`Terms::retry`].
    pub retry: Option<Option<Retry>>,
    /// See [`Terms::timeout`].
    pub timeout: Option<Option<Span>>,
    /// See [`Terms::rate_limit`].
    pub rate_limit: Option<Option<RateLimit>>,
    /// See [`Terms::max_in_flight`].
    pub max_in_flight: Option<Option<u32>>,
    /// See [`Terms::expires_at`].
    pub expires_at: Option<Option<Timestamp>>,
    /// See [`Terms::order`].
    pub order: Option<Option<Order>>,
    /// See [`Terms::on_blocked`].
    pub on_blocked: Option<Option<OnBlocked>>,
    /// See [`Terms::debounce`].
    pub debounce: Option<Option<Debounce>>,
    /// See [`Terms::batch`].
    pub batch: Option<Option<Batching>>,
}

impl Terms {
    /// Puts what a change names in the place of what is there.
    pub fn apply(&mut self, change: TermsChange) {
        fn set<T>(place: &mut Option<T>, value: Option<Option<T>>) {
            if let Some(value) = value {
                *place = value;
            }
        }
        set(&mut self.retry, change.retry);
        set(&mut self.timeout, change.timeout);
        set(&mut self.rate_limit, change.rate_limit);
        set(&mut self.max_in_flight, change.max_in_flight);
        set(&mut self.expires_at, change.expires_at);
        set(&mut self.order, change.order);
        set(&mut self.on_blocked, change.on_blocked);
        set(&mut self.debounce, change.debounce);
        set(&mut self.batch, change.batch);
    }

    /// How long a whole attempt may take, if that was asked for.
    #[must_use]
    pub fn attempt_timeout(&self) -> Option<Duration> {
        self.timeout.map(Span::get)
    }
}

impl From<Terms> for TermsChange {
    /// The change that puts these terms, and no others, in the place of any.
    fn from(terms: Terms) -> Self {
        Self {
            retry: Some(terms.retry),
            timeout: Some(terms.timeout),
            rate_limit: Some(terms.rate_limit),
            max_in_flight: Some(terms.max_in_flight),
            expires_at: Some(terms.expires_at),
            order: Some(terms.order),
            on_blocked: Some(terms.on_blocked),
            debounce: Some(terms.debounce),
            batch: Some(terms.batch),
        }
    }
}
