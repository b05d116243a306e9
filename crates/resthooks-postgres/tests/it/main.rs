//! The shared store: the suite that every store passes, and what is this one's own.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "all of it is tests: a panic is how they fail"
)]

mod backlog;
mod conformance;
mod lost;
mod migrations;
mod place;
mod sealing;
mod sequences;
