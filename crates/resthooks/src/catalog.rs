//! The event types in memory, with their compiled schemas.

/// All event types.
#[derive(Debug, Default)]
pub(crate) struct Catalog;
