//! The shared store: everything durable in one PostgreSQL schema, by any number of nodes.
