//! What came of one request: an answer, cut to what is kept, or a failure.

use std::net::SocketAddr;
use std::time::Duration;

use http::header::AsHeaderName;
use http::header::RETRY_AFTER;
use http::{HeaderMap, HeaderName, HeaderValue, response};

use super::Failure;
use super::limits::{HEADER_BYTES_KEPT, HEADERS_KEPT, body_read};
use super::retry_after::retry_after;
use crate::env::Clock;

/// One request and what came of it.
#[derive(Debug)]
pub struct Exchange {
    /// The address that was connected to, once there was one.
    pub address: Option<SocketAddr>,
    /// From the begin to the end of the (cut) answer.
    pub duration: Duration,
    /// The answer, once its head was complete; else why there is none.
    pub answer: Result<Answer, Failure>,
}

/// An answer whose head arrived whole. Its status counts, whatever became of its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// All headers as they came, for whoever looks for one: at most 64 KiB, 100 of them with HTTP/1.1.
    pub head: HeaderMap,
    /// The headers in their order, to be recorded: values as lossy UTF-8; at most 64 of them, and 8 KiB.
    pub headers: Vec<(String, String)>,
    /// The first bytes of the body ([`super::Options::body_kept`], 16 KiB) as lossy UTF-8.
    pub body: String,
    /// Whether that is not all of the body: it was longer than what is kept, broke off, or did not end in time.
    pub truncated: bool,
    /// What `Retry-After` asked for, from now on.
    pub retry_after: Option<Duration>,
}

impl Answer {
    pub(super) fn new(head: response::Parts, body: Kept, clock: &dyn Clock) -> Self {
        let truncated = !body.is_complete || body.read > body.keep;
        Self {
            status: head.status.as_u16(),
            headers: kept_headers(&head.headers),
            truncated,
            body: text(body.bytes, truncated),
            retry_after: head.headers.get(RETRY_AFTER).and_then(|value| retry_after(value, clock.now())),
            head: head.headers,
        }
    }

    /// A header's value, if the answer has it exactly once.
    #[must_use]
    pub fn once(&self, name: impl AsHeaderName) -> Option<&HeaderValue> {
        let mut values = self.head.get_all(name).iter();
        let value = values.next()?;
        values.next().is_none().then_some(value)
    }
}

/// The part of a body that is kept, and how much was read.
#[derive(Debug)]
pub(super) struct Kept {
    keep: usize,
    bytes: Vec<u8>,
    read: usize,
    is_complete: bool,
}

impl Kept {
    /// Keeps so many bytes, of none yet.
    pub(super) fn new(keep: usize) -> Self {
        Self { keep, bytes: Vec::new(), read: 0, is_complete: false }
    }

    /// Takes the next piece; says whether to read on.
    pub(super) fn push(&mut self, piece: &[u8]) -> bool {
        let room = self.keep - self.bytes.len();
        self.bytes.extend_from_slice(piece.get(..room).unwrap_or(piece));
        self.read = self.read.saturating_add(piece.len());
        self.read <= body_read(self.keep)
    }

    /// Says that the body has ended as it should.
    pub(super) fn complete(&mut self) {
        self.is_complete = true;
    }
}

fn kept_headers(headers: &HeaderMap) -> Vec<(String, String)> {
    let mut room = HEADER_BYTES_KEPT;
    let fits = |(name, value): &(&HeaderName, &HeaderValue)| {
        let size = name.as_str().len() + value.len();
        let fits = size <= room;
        room = if fits { room - size } else { 0 };
        fits
    };
    let owned = |(name, value): (&HeaderName, &HeaderValue)| {
        let lossy = || String::from_utf8_lossy(value.as_bytes()).into_owned();
        (name.as_str().to_owned(), value.to_str().map_or_else(|_| lossy(), str::to_owned))
    };
    headers.iter().take(HEADERS_KEPT).take_while(fits).map(owned).collect()
}

/// Lossy, but a character that a cut broke is left out.
fn text(bytes: Vec<u8>, truncated: bool) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| {
        let is_cut = truncated && error.utf8_error().error_len().is_none();
        let end = if is_cut { error.utf8_error().valid_up_to() } else { error.as_bytes().len() };
        String::from_utf8_lossy(error.as_bytes().get(..end).unwrap_or_default()).into_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::super::limits::{BODY_BEYOND, BODY_KEPT};
    use super::*;

    #[test]
    fn bodies_are_cut_between_characters() {
        let mut kept = Kept::new(BODY_KEPT);
        assert!(kept.push(&vec![b'a'; BODY_KEPT - 1]));
        assert!(kept.push("ü".as_bytes()));
        assert!(kept.push(&vec![b'b'; BODY_BEYOND - 1]));
        assert!(!kept.push(b"c"));
        assert_eq!(text(kept.bytes, true), "a".repeat(BODY_KEPT - 1));
        assert_eq!(text(vec![b'a', 0xff, b'b'], false), "a\u{fffd}b");
        assert_eq!(text(vec![b'a', 0xc3], false), "a\u{fffd}", "what was not cut is shown whole");
    }

    #[test]
    fn headers_are_kept_up_to_their_bounds() {
        let mut headers = HeaderMap::new();
        for n in 0..100 {
            headers.append("x-many", HeaderValue::from(n));
        }
        assert_eq!(kept_headers(&headers).len(), HEADERS_KEPT);
        headers.clear();
        headers.append("a", HeaderValue::from_bytes(b"caf\xe9").unwrap());
        headers.append("b", "x".repeat(HEADER_BYTES_KEPT).parse().unwrap());
        headers.append("c", HeaderValue::from_static("late"));
        assert_eq!(kept_headers(&headers), [("a".to_owned(), "caf\u{fffd}".to_owned())]);
    }
}
