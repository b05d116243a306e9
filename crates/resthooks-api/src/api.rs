//! What every handler is given.

use std::sync::{Arc, OnceLock};

use axum::extract::State;
use bytes::Bytes;
use resthooks::Hooks;

use crate::guard::Guard;
use crate::ops::docs::Page;
use crate::options::Options;

/// How a handler takes it.
pub(crate) type Shared = State<Arc<Api>>;

/// Where the caller is learnt from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Callers {
    /// From what the request shows: an API key, or what the provider's own API is called with.
    Credentials,
    /// From the [`Caller`](crate::Caller) that the embedding application put into the request's extensions.
    Embedder,
}

/// One router's state.
#[derive(Debug)]
pub(crate) struct Api {
    pub hooks: Hooks,
    pub options: Options,
    pub callers: Callers,
    pub guard: Guard,
    /// The OpenAPI document, made when it is first asked for.
    pub document: OnceLock<Bytes>,
    /// The page at `/docs`, likewise.
    pub docs: OnceLock<Page>,
}

impl Api {
    pub(crate) fn new(hooks: Hooks, options: Options, callers: Callers) -> Arc<Self> {
        let guard = Guard::new(&options);
        Arc::new(Self { hooks, options, callers, guard, document: OnceLock::new(), docs: OnceLock::new() })
    }
}
