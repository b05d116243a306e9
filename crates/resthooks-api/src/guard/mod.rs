//! What stands between strangers and the API, beside the question who asks: how often a caller may ask, how often an
//! address may fail to prove itself, which pages of other origins may ask from a browser and with what, and who may read
//! the metrics.
//!
//! Everything is kept in memory, within bounds, and counts on this node alone.

mod bucket;
mod cors;
mod cross_site;
mod failures;
mod metrics_key;
mod rate;
mod watch;

pub use cors::CorsOrigin;
pub use metrics_key::MetricsKey;
pub use rate::RateLimit;

pub(crate) use cors::layer as cors_layer;
pub(crate) use watch::Guard;
