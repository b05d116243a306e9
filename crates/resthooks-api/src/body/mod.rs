//! What callers send: read within a limit, parsed once; only what is wrong is looked at a second time, to name it.

mod diagnose;
mod given;
mod json;
mod receive;
mod strict;
mod text;

pub(crate) use diagnose::{malformed, shorten};
pub(crate) use given::{Given, NotYet};
pub(crate) use json::{JsonBody, NoFields, OptionalJsonBody, parse, refuse_shape};
pub(crate) use receive::{MediaType, receive, unsupported};
pub(crate) use strict::{Headers, Object, Value};
pub(crate) use text::Text;

use resthooks::limits::{MAX_BATCH_BYTES, MAX_DATA_BYTES};

/// The largest body of a request that carries one event: its `data` at its limit, and room for the rest.
pub(crate) const MAX_EVENT_BODY_BYTES: usize = MAX_DATA_BYTES + 64 * 1024;
/// The largest body of a batch of events.
pub(crate) const MAX_BATCH_BODY_BYTES: usize = MAX_BATCH_BYTES;
/// The largest body of a request that carries a hook as it was received: its body in base64, which may have become somewhat
/// larger on its way.
pub(crate) const MAX_HOOK_BODY_BYTES: usize = 3 * 1024 * 1024;
/// The largest body of any other request.
pub(crate) const MAX_BODY_BYTES: usize = 1024 * 1024;
