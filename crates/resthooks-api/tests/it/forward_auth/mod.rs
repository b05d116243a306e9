//! The provider's own authentication is asked who calls, over real sockets: what it says, how it can fail, and how
//! seldom it is asked.

mod authority;
mod sharing;
mod silence;
mod words;
