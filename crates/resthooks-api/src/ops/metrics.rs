//! `GET /metrics`, in Prometheus' text format.

use std::fmt::{Display, Write as _};
use std::time::Duration;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::HeaderValue;
use http::header::{CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use resthooks::stats::{BUCKETS, HistogramSnapshot, Snapshot};

use crate::answer::NOSNIFF;
use crate::api::Shared;
use crate::problem::{Document, Problem};

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

/// Metrics
///
/// In Prometheus' text format. No metric carries an account, a target or an id. A server may be set up to ask for a key
/// of its own for this, as a bearer token.
#[utoipa::path(
    get, path = "/metrics", operation_id = "metrics", tag = "operation",
    responses(
        (status = 200, description = "Metrics.", body = String, content_type = "text/plain"),
        (status = 401, description = "The server asks for a key, and this is not it (`unauthorized`).",
         body = Document<'static>, content_type = "application/problem+json",
         headers(("WWW-Authenticate", description = "`Bearer`."))),
        (status = 429, description = "Too many requests with unknown keys come from this address (`rate_limited`).",
         body = Document<'static>, content_type = "application/problem+json",
         headers(("Retry-After", description = "When to ask again, in seconds."))),
    ),
)]
pub(crate) async fn metrics(State(api): Shared, request: Request) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    api.guard.admit_to_metrics(&parts)?;
    let text = render(&api.hooks.stats());
    Ok(([(CONTENT_TYPE, TEXT), (X_CONTENT_TYPE_OPTIONS, NOSNIFF)], text).into_response())
}

fn render(stats: &Snapshot) -> String {
    let mut page = Page(String::with_capacity(8 * 1024));
    events(&mut page, stats);
    deliveries(&mut page, stats);
    attempts(&mut page, stats);
    handshakes(&mut page, stats);
    store(&mut page, stats);
    nodes(&mut page, stats);
    now(&mut page, stats);
    page.0
}

fn events(page: &mut Page, stats: &Snapshot) {
    page.counter(
        "events_accepted_total",
        "Events made durable, repetitions left out.",
        stats.events_accepted,
    );
    page.counter("events_repeated_total", "Repetitions of accepted events.", stats.events_repeated);
    page.counter("events_refused_total", "Events that could not be made durable.", stats.events_refused);
}

fn nodes(page: &mut Page, stats: &Snapshot) {
    page.gauge("nodes_live", "Nodes that share the store, with this one.", stats.live_nodes);
    page.counter("takeovers_total", "Nodes that this one has taken over from.", stats.takeovers);
    page.counter(
        "emitted_events_refused_total",
        "Events emitted in transactions that could not be accepted, and were set aside.",
        stats.emitted_refused,
    );
}

fn deliveries(page: &mut Page, stats: &Snapshot) {
    page.counter(
        "deliveries_matched_total",
        "Deliveries that accepted events gave.",
        stats.deliveries_matched,
    );
    page.head("deliveries_total", "Changes of deliveries to a status.", "counter");
    for (status, count) in [
        ("delivered", stats.deliveries_delivered),
        ("scheduled", stats.deliveries_scheduled),
        ("held", stats.deliveries_held),
        ("dead", stats.deliveries_dead),
        ("cancelled", stats.deliveries_cancelled),
    ] {
        page.sample("deliveries_total", &format!("{{status=\"{status}\"}}"), count);
    }
}

fn attempts(page: &mut Page, stats: &Snapshot) {
    page.head("attempts_total", "Requests to targets, by outcome.", "counter");
    page.sample("attempts_total", "{outcome=\"succeeded\"}", stats.attempts_succeeded);
    page.sample("attempts_total", "{outcome=\"refused\"}", stats.attempts_refused);
    let failed: u64 = stats.attempts_failed.iter().map(|(_, count)| count).sum();
    page.sample("attempts_total", "{outcome=\"failed\"}", failed);
    page.head("attempt_errors_total", "Requests to targets without a usable answer, by error.", "counter");
    for (class, count) in &stats.attempts_failed {
        page.sample("attempt_errors_total", &format!("{{error=\"{}\"}}", class.as_str()), count);
    }
    page.histogram("attempt_duration_seconds", "How long requests to targets took.", &stats.attempt_time);
}

fn handshakes(page: &mut Page, stats: &Snapshot) {
    page.head("handshakes_total", "Requests by which targets were asked to confirm, by outcome.", "counter");
    for (outcome, count) in &stats.handshakes {
        page.sample("handshakes_total", &format!("{{outcome=\"{outcome}\"}}"), count);
    }
    page.counter(
        "subscriptions_unconfirmed_total",
        "Subscriptions that were never confirmed, and so removed.",
        stats.unconfirmed,
    );
}

fn store(page: &mut Page, stats: &Snapshot) {
    page.counter("commits_total", "Transactions of the write path.", stats.commits);
    page.counter("commits_failed_total", "Transactions of the write path that failed.", stats.commits_failed);
    page.head("expired_total", "What was deleted because it was old, or to make room.", "counter");
    let expired = [
        ("events", stats.expired_events),
        ("attempts", stats.expired_attempts),
        ("audit", stats.expired_audit),
    ];
    for (what, count) in expired {
        page.sample("expired_total", &format!("{{what=\"{what}\"}}"), count);
    }
    page.histogram("commit_duration_seconds", "How long transactions took.", &stats.commit_time);
}

fn now(page: &mut Page, stats: &Snapshot) {
    page.gauge("subscriptions", "Subscriptions that have not ended.", stats.subscriptions);
    page.gauge("subscriptions_pending", "Subscriptions whose targets have yet to confirm.", stats.pending);
    page.gauge("requests_in_flight", "Requests to targets in flight.", stats.in_flight);
    page.gauge("deliveries_queued", "Deliveries that wait in memory.", stats.queued);
    page.gauge("deliveries_queued_bytes", "Bytes of the events that wait in memory.", stats.queued_bytes);
    page.gauge("deliveries_waiting", "Deliveries that wait in the store.", stats.waiting);
    page.gauge("events_unrecorded", "Events above the watermark.", stats.unrecorded_events);
    page.gauge("writes_waiting", "Calls and records that are not durable yet.", stats.unwritten);
    page.gauge("fetches_in_flight", "Subscriptions for which due deliveries are fetched.", stats.fetching);
    page.gauge("moves_waiting", "Changed subscriptions whose deliveries are still moved.", stats.moving);
    page.gauge("circuits_open", "Hosts that are left alone but for a probe.", stats.open_circuits);
    page.gauge("store_bytes", "Bytes that the store holds; looked at every ten minutes.", stats.store_bytes);
    page.gauge("oldest_event_timestamp_seconds", "When the oldest event was accepted.", stats.oldest_event);
    page.gauge("handshakes_in_flight", "Targets that are asked to confirm.", stats.confirming);
}

/// A page of metrics in the making.
struct Page(String);

impl Page {
    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        let written = writeln!(self.0, "{line}");
        debug_assert!(written.is_ok(), "writing to a string does not fail");
    }

    fn head(&mut self, name: &str, help: &str, kind: &str) {
        self.line(format_args!("# HELP resthooks_{name} {help}"));
        self.line(format_args!("# TYPE resthooks_{name} {kind}"));
    }

    fn sample(&mut self, name: &str, labels: &str, value: impl Display) {
        self.line(format_args!("resthooks_{name}{labels} {value}"));
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.head(name, help, "counter");
        self.sample(name, "", value);
    }

    fn gauge(&mut self, name: &str, help: &str, value: u64) {
        self.head(name, help, "gauge");
        self.sample(name, "", value);
    }

    /// Buckets are cumulative here and single in the engine.
    fn histogram(&mut self, name: &str, help: &str, histogram: &HistogramSnapshot) {
        self.head(name, help, "histogram");
        let bounds = BUCKETS.iter().map(|bound| seconds(*bound)).chain(["+Inf".to_owned()]);
        let mut total = 0;
        for (bound, count) in bounds.zip(histogram.counts) {
            total += count;
            self.sample(name, &format!("_bucket{{le=\"{bound}\"}}"), total);
        }
        self.sample(name, "_sum", seconds(histogram.sum));
        self.sample(name, "_count", total);
    }
}

fn seconds(duration: Duration) -> String {
    duration.as_secs_f64().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn histograms_are_cumulative_and_in_seconds() {
        let mut counts = [0; BUCKETS.len() + 1];
        counts[0] = 2;
        counts[1] = 1;
        counts[BUCKETS.len()] = 4;
        let mut page = Page(String::new());
        page.histogram("x_seconds", "Help.", &HistogramSnapshot { counts, sum: Duration::from_millis(1500) });
        let lines: Vec<_> = page.0.lines().collect();
        assert_eq!(lines[0], "# HELP resthooks_x_seconds Help.");
        assert_eq!(lines[1], "# TYPE resthooks_x_seconds histogram");
        assert_eq!(lines[2], "resthooks_x_seconds_bucket{le=\"0.001\"} 2");
        assert_eq!(lines[3], "resthooks_x_seconds_bucket{le=\"0.0025\"} 3");
        assert!(lines.contains(&"resthooks_x_seconds_bucket{le=\"15\"} 3"));
        assert!(lines.contains(&"resthooks_x_seconds_bucket{le=\"+Inf\"} 7"));
        assert!(lines.contains(&"resthooks_x_seconds_sum 1.5"));
        assert!(lines.contains(&"resthooks_x_seconds_count 7"));
    }
}
