//! Forward authentication: the provider's own API is asked who a caller is, as nginx' `auth_request` does.
//!
//! `question` takes from a request what is shown to the provider, `answer` judges what comes back, `asking` asks: once at a
//! time for each question, few at a time in all, and not again while an answer is kept. An answer that is neither yes
//! nor no admits nobody.

mod answer;
mod asking;
mod question;

pub use answer::{Named, Reading};
pub use asking::{ForwardAuth, ForwardOptions};
