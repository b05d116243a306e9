//! What one answer may cost. Named here so that each has a test at its limit; the times are [`super::Options`].

/// The most bytes of an HTTP/1.1 answer's head, and of an HTTP/2 answer's header list.
pub(super) const HEAD_BYTES: usize = 64 * 1024;
/// How much of an answer's body is kept, unless the options say another number.
pub(super) const BODY_KEPT: usize = 16 * 1024;
/// How much of an answer's body may be kept at most.
pub(super) const MAX_BODY_KEPT: usize = 4 * 1024 * 1024;
/// How much of an answer's body is read beyond the part that is kept: it only saves the connection.
pub(super) const BODY_BEYOND: usize = 48 * 1024;
/// How many of an answer's headers are kept.
pub(super) const HEADERS_KEPT: usize = 64;
/// How many bytes of an answer's headers, names and values, are kept.
pub(super) const HEADER_BYTES_KEPT: usize = 8 * 1024;
/// The most bytes of a proxy's answer, interim ones among them.
pub(super) const PROXY_HEAD_BYTES: u64 = 16 * 1024;
/// How many of a name's addresses are tried.
pub(super) const ADDRESSES_TRIED: usize = 8;

/// How much of an answer's body is read at most, when so much is kept.
pub(super) const fn body_read(kept: usize) -> usize {
    kept + BODY_BEYOND
}

/// The most bytes of an HTTP/1.1 answer in all, with interim answers, chunk sizes and trailers.
pub(super) const fn answer_bytes(body_kept: usize) -> usize {
    HEAD_BYTES + 2 * body_read(body_kept)
}
