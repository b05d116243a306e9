//! The program as its users meet it, on a PostgreSQL store: the same tests as on a file, but for those that are about
//! the file.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests panic where something is wrong")]

mod commands;
mod live_rotation;
mod place;
mod watching;

#[path = "../it/broken.rs"]
mod broken;
#[path = "../it/cli.rs"]
mod cli;
#[path = "../it/crash.rs"]
mod crash;
#[path = "../it/delivery.rs"]
mod delivery;
#[path = "../it/idempotency.rs"]
mod idempotency;
#[path = "../it/intent.rs"]
mod intent;
#[path = "../it/keys.rs"]
mod keys;
#[path = "../it/missed.rs"]
mod missed;
#[path = "../it/ordered.rs"]
mod ordered;
#[path = "../it/pause.rs"]
mod pause;
#[path = "../it/planned.rs"]
mod planned;
#[path = "../it/readme.rs"]
mod readme;
#[path = "../it/rotate.rs"]
mod rotate;
#[path = "../it/running.rs"]
mod running;
#[path = "../it/secrets.rs"]
mod secrets;
#[path = "../it/serve.rs"]
mod serve;
#[path = "../it/shutdown.rs"]
mod shutdown;
#[path = "../it/signature.rs"]
mod signature;
#[expect(dead_code, reason = "some of it serves the tests of the file alone")]
#[path = "../it/support/mod.rs"]
mod support;
