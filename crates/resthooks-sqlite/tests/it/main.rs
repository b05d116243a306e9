//! The embedded store: the suite that every store passes, and what is this one's own.

mod conformance;
