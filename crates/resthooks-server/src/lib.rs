//! The server: what surrounds the engine when it runs as a program of its own.
//!
//! [`run`] reads a command line and does what it says. What follows is the way of a start, in order: the words of the
//! command line, the settings that they and the environment and a file give, what is logged, and the node's life. No
//! rule about hooks is made here: the engine has them all, and the API shows them.

mod command;
mod failure;
mod settings;
mod telemetry;

mod lifecycle;

// What the commands that stand outside of a server are made of.
mod client;
mod receiver;
mod terminal;

pub use command::run;
