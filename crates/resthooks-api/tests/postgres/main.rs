//! The same on a PostgreSQL store.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics is one that fails")]

mod place;
#[expect(dead_code, reason = "the store's own tests use more of it")]
#[path = "../../../resthooks-postgres/tests/it/place.rs"]
mod schema;

#[path = "../it/account.rs"]
mod account;
#[path = "../it/api_key.rs"]
mod api_key;
#[path = "../it/audit.rs"]
mod audit;
#[path = "../it/authentication.rs"]
mod authentication;
#[path = "../it/delivery.rs"]
mod delivery;
#[path = "../it/embedded.rs"]
mod embedded;
#[path = "../it/event.rs"]
mod event;
#[path = "../it/event_batch.rs"]
mod event_batch;
#[path = "../it/event_type.rs"]
mod event_type;
#[path = "../it/harness.rs"]
mod harness;
#[path = "../it/intent.rs"]
mod intent;
#[path = "../it/isolation.rs"]
mod isolation;
#[path = "../it/node.rs"]
mod node;
#[path = "../it/ops.rs"]
mod ops;
#[path = "../it/refusals.rs"]
mod refusals;
#[path = "../it/routes.rs"]
mod routes;
#[path = "../it/scopes.rs"]
mod scopes;
#[path = "../it/signing.rs"]
mod signing;
#[path = "../it/subscription.rs"]
mod subscription;
#[path = "../it/subscription_lists.rs"]
mod subscription_lists;
#[path = "../it/terms.rs"]
mod terms;
#[path = "../it/verify.rs"]
mod verify;
