//! Forward authentication: the provider's own API is asked who a caller is, as nginx' `auth_request` does.
//!
//! `question` takes from a request what is shown to the provider, `answer` judges what comes back, `asking` asks, and not
//! again while an answer is kept; `line` sees to it that it is once at a time for each question, and few at a time in all. An answer that is neither yes
//! nor no admits nobody.

mod answer;
mod asking;
mod line;
mod question;

pub use answer::{Named, Reading};
pub use asking::{ForwardAuth, ForwardOptions};
