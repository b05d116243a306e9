//! The HTTP API of `resthooks`, as an axum router over a running engine.
//!
//! [`router`] is the whole API with its own authentication; [`consumer_router`] is what an application nests below
//! its own API, with its own. A request finds its way through: `router` (which route), `caller` and `credentials` (who asks), `query`
//! and `body` (what is asked), the operation's own file in its resource's folder, the engine, and `answer` or
//! `problem`.
//!
//! Handlers translate between HTTP and [`resthooks::Hooks`] and decide nothing: no SQL and no policy is here.

// From a request to its handler.
mod api;
mod caller;
pub mod credentials;
mod options;
mod panic;
mod peer;
mod router;

// What stands between strangers and all of it.
mod guard;

// What a request says.
mod body;
mod id;
mod page;
mod query;

// One folder per resource, one file per operation.
mod account;
mod api_key;
mod audit;
mod delivery;
mod event;
mod event_type;
mod node;
mod ops;
mod subscription;
mod verify;

// What is answered.
mod answer;
mod error;
mod problem;

// What is said about all of it.
mod openapi;

pub use caller::Caller;
pub use guard::{CorsOrigin, MetricsKey, RateLimit};
pub use options::Options;
pub use peer::PeerAddress;
pub use router::{consumer_router, router};
