//! The HTTP client against real sockets: receivers that behave, that break, and that mean harm.

mod addresses;
mod hostile;
mod peer;
mod plain;
mod tls;
