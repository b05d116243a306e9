//! The running engine on a PostgreSQL store: the same tests as on the embedded one.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests panic where something is wrong")]

mod place;
#[expect(dead_code, reason = "the store's own tests use more of it")]
#[path = "../../../resthooks-postgres/tests/it/place.rs"]
mod schema;

#[path = "../engine/anew.rs"]
mod anew;
#[path = "../engine/disabled.rs"]
mod disabled;
#[path = "../engine/fairness.rs"]
mod fairness;
#[path = "../engine/grant.rs"]
mod grant;
#[path = "../engine/intent.rs"]
mod intent;
#[path = "../engine/planned.rs"]
mod planned;
#[path = "../engine/reading.rs"]
mod reading;
#[path = "../engine/receiver.rs"]
mod receiver;
#[path = "../engine/retention.rs"]
mod retention;
#[path = "../engine/retry_after.rs"]
mod retry_after;
#[path = "../engine/rotation.rs"]
mod rotation;
#[path = "../engine/schedule.rs"]
mod schedule;
#[path = "../engine/target.rs"]
mod target;
#[path = "../engine/terms.rs"]
mod terms;
#[path = "../engine/timeouts.rs"]
mod timeouts;
#[path = "../engine/verify.rs"]
mod verify;
#[path = "../engine/world.rs"]
mod world;
