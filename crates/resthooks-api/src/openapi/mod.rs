//! The OpenAPI 3.1 document, made from the very list of routes that the router is made from.

mod document;
mod refusals;
mod scopes;

pub(crate) use document::{document, operations};
pub(crate) use refusals::{Conflict, ForProvider, TooSoon};
pub(crate) use scopes::scopes;
