//! The server's metrics that the bench reads.

/// Events that were accepted.
pub(crate) const ACCEPTED: &str = "resthooks_events_accepted_total";
/// Deliveries that became delivered.
pub(crate) const DELIVERED: &str = "resthooks_deliveries_total{status=\"delivered\"}";
/// Times a delivery was scheduled.
pub(crate) const SCHEDULED: &str = "resthooks_deliveries_total{status=\"scheduled\"}";
/// Requests in flight.
pub(crate) const IN_FLIGHT: &str = "resthooks_requests_in_flight";
/// Deliveries that wait in the store.
pub(crate) const WAITING: &str = "resthooks_deliveries_waiting";
/// Transactions of the write path.
pub(crate) const COMMITS: &str = "resthooks_commits_total";
