//! What a caller must be, or its key be made for, to use an operation: in the document as `x-scopes`, any one of which
//! will do. Most of it follows from what the operation is; one that differs says so itself.

use serde_json::{Value, json};
use utoipa::openapi::extensions::Extensions;
use utoipa::openapi::path::Operation;

use super::refusals::is_for_provider;

const NAME: &str = "x-scopes";

/// Adds them, unless the operation has said them.
pub(super) fn add(operation: &mut Operation, is_read: bool) {
    if operation.extensions.as_ref().is_some_and(|said| said.contains_key(NAME)) {
        return;
    }
    let scopes = match (is_for_provider(operation), is_read) {
        (true, true) => json!(["provider", "read"]),
        (true, false) => json!(["provider"]),
        (false, true) => json!(["provider", "consumer", "read"]),
        (false, false) => json!(["provider", "consumer"]),
    };
    let extensions = operation.extensions.get_or_insert_with(Extensions::default);
    extensions.insert(NAME.to_owned(), scopes);
}

/// An operation's scopes.
pub(crate) fn scopes(operation: &Operation) -> Vec<&str> {
    let said = operation.extensions.as_ref().and_then(|said| said.get(NAME)?.as_array());
    said.into_iter().flatten().filter_map(Value::as_str).collect()
}
