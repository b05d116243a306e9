//! The outgoing HTTP client: one attempt is one request on one connection, with everything hostile bounded.
//!
//! `deliver` hands in a prepared [`Target`], the headers and the [`Body`], and gets an [`Exchange`]: an [`Answer`] or
//! a [`Failure`], never an error. On the way: take an idle connection of the origin or open one (resolve, judge every
//! address, TCP, TLS, HTTP/1.1 or HTTP/2 by ALPN), send, read a head and a body of bounded size within a bounded
//! time, and keep the connection when its answer was read to the end.
//!
//! It never follows a redirect, never asks a proxy but the one it is given, never unpacks a body, and never sends a request a second time
//! once a byte of it may have left: repeating is the schedule's affair.

mod alarm;
mod answer;
mod body;
mod client;
mod connect;
mod failure;
mod gate;
mod h1;
mod h2;
mod identity;
mod limits;
mod pool;
mod proxy;
mod retry_after;
mod stream;
mod target;
mod tls;

pub use answer::{Answer, Exchange};
pub use body::Body;
pub use client::{Call, Client, Options};
pub use failure::Failure;
pub use identity::{Identity, IdentityError};
pub use proxy::Proxy;
pub use retry_after::retry_after;
pub use target::Target;
pub use tls::SetupError;
