//! What one answer may cost. Named here so that each has a test at its limit; the times are [`super::Options`].

/// The most bytes of an HTTP/1.1 answer's head, and of an HTTP/2 answer's header list.
pub(super) const HEAD_BYTES: usize = 64 * 1024;
/// How much of an answer's body is kept.
pub(super) const BODY_KEPT: usize = 16 * 1024;
/// How much of an answer's body is read at most: what exceeds the kept part only saves the connection.
pub(super) const BODY_READ: usize = 64 * 1024;
/// The most bytes of an HTTP/1.1 answer in all, with interim answers, chunk sizes and trailers.
pub(super) const ANSWER_BYTES: usize = 3 * HEAD_BYTES;
/// How many of an answer's headers are kept.
pub(super) const HEADERS_KEPT: usize = 64;
/// How many bytes of an answer's headers, names and values, are kept.
pub(super) const HEADER_BYTES_KEPT: usize = 8 * 1024;
/// How many of a name's addresses are tried.
pub(super) const ADDRESSES_TRIED: usize = 8;
