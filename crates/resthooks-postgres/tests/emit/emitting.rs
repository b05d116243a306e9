//! `emit` in transactions.
