//! As much of HTTP/1.1 as two programs need that know each other: where a message ends, and its status.
//!
//! Shared by the load generator and the receiver, both of which must cost next to nothing beside what they measure.
//! Never to be pointed at anything but the server under test: chunked bodies are refused, not read.

use anyhow::{Context as _, bail};
use memchr::memmem;

/// The most bytes of one message.
pub(crate) const MAX_MESSAGE_BYTES: usize = 32 * 1024 * 1024;

/// A message that has arrived whole at the front of a buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Message {
    /// Bytes of the head, the empty line with it.
    pub head: usize,
    /// Bytes of head and body.
    pub whole: usize,
}

/// The message at the front of the buffer, once all of it is there.
pub(crate) fn message(buffer: &[u8]) -> anyhow::Result<Option<Message>> {
    let Some(end) = memmem::find(buffer, b"\r\n\r\n") else {
        return if buffer.len() < MAX_MESSAGE_BYTES { Ok(None) } else { bail!("a head without an end") };
    };
    let (head, _) = buffer.split_at(end);
    let whole = end + 4 + content_length(head)?;
    if whole > MAX_MESSAGE_BYTES {
        bail!("a message of {whole} bytes");
    }
    Ok((buffer.len() >= whole).then_some(Message { head: end + 4, whole }))
}

fn content_length(head: &[u8]) -> anyhow::Result<usize> {
    if let Some(at) = memmem::find(head, b"\r\ncontent-length: ") {
        return digits(head.get(at + 18..).unwrap_or_default());
    }
    for line in head.split(|byte| *byte == b'\n').skip(1) {
        let mut parts = line.splitn(2, |byte| *byte == b':');
        let (name, value) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        if name.eq_ignore_ascii_case(b"content-length") {
            return digits(value.trim_ascii());
        }
        if name.eq_ignore_ascii_case(b"transfer-encoding") {
            bail!("a chunked body");
        }
    }
    Ok(0)
}

fn digits(text: &[u8]) -> anyhow::Result<usize> {
    let end = text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    let (number, _) = text.split_at(end);
    std::str::from_utf8(number)?.parse().context("a content-length that is no number")
}

/// The status of the answer at the front of the buffer.
pub(crate) fn status(buffer: &[u8]) -> anyhow::Result<u16> {
    let code = buffer.get(9..12).context("an answer without a status")?;
    std::str::from_utf8(code)?.parse().context("a status that is no number")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_taken_once_it_is_whole() {
        let text = b"POST / HTTP/1.1\r\nhost: a\r\nContent-Length: 3\r\n\r\nabcNEXT";
        assert_eq!(message(&text[..30]).unwrap(), None);
        assert_eq!(message(&text[..49]).unwrap(), None);
        assert_eq!(message(text).unwrap(), Some(Message { head: 47, whole: 50 }));
        let lower = b"HTTP/1.1 202 Accepted\r\ncontent-length: 12\r\n\r\n";
        assert_eq!(message(lower).unwrap(), None);
        assert_eq!(status(lower).unwrap(), 202);
        assert_eq!(message(b"HTTP/1.1 204 No\r\n\r\n").unwrap(), Some(Message { head: 19, whole: 19 }));
    }

    #[test]
    fn what_it_can_not_read_is_refused() {
        assert!(message(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").is_err());
        assert!(message(b"HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n").is_err());
        assert!(message(b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n").is_err());
        assert!(status(b"HTTP").is_err());
    }
}
