//! The program as its users meet it: a process with a command line, sockets and files.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests panic where something is wrong")]

mod broken;
mod cli;
mod crash;
mod credentials;
mod delivery;
mod demo;
mod disk;
mod file;
mod idempotency;
mod intent;
mod keys;
mod missed;
mod ordered;
mod pause;
mod place;
mod planned;
mod readme;
mod rotate;
mod running;
mod secrets;
mod serve;
mod shutdown;
mod signature;
mod slow;
#[expect(dead_code, reason = "some of it serves the tests on a database alone")]
mod support;
mod verifiers;
