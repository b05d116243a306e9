//! The receiver of hooks: a process of its own, so that its memory and processor time can be told from the rest.
//!
//! `answer` is what runs there, `process` is the handle on it. Two ports: one answers every request with an empty 200,
//! one takes connections and never says a word.

mod answer;
mod process;

pub(crate) use answer::run;
pub(crate) use process::{Arrived, Receiver};
