//! The HTTP API on a real engine with a real store.
