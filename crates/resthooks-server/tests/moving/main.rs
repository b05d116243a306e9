//! Moving everything from one store to another, with the program as an operator runs it.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "all of it is tests: a panic is how they fail"
)]

mod contents;
mod cut;
mod many;
mod place;
mod there_and_back;
