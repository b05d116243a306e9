//! The program as its users meet it: a process with a command line, sockets and files.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests panic where something is wrong")]

mod broken;
mod cli;
mod crash;
mod delivery;
mod demo;
mod disk;
mod idempotency;
mod keys;
mod pause;
mod readme;
mod running;
mod serve;
mod shutdown;
mod signature;
mod support;
