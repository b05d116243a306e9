//! Taking a body off the wire: the right media type, within its size and its time.

use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt as _;

use crate::problem::Problem;

/// A whole body.
#[derive(Debug)]
pub(crate) struct Received {
    pub bytes: Bytes,
    /// Whether the bytes lie in memory of their own and no more. Else they are a part of something larger, such as
    /// the connection's read buffer, which whoever keeps a slice of them keeps whole.
    pub owned: bool,
}

/// The forms that a body can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MediaType {
    /// One JSON value.
    Json,
    /// One JSON value per line.
    Ndjson,
}

impl MediaType {
    /// Reads `content-type`; compressed bodies are not taken.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        let encoded =
            headers.get(CONTENT_ENCODING).is_some_and(|v| !v.as_bytes().eq_ignore_ascii_case(b"identity"));
        if encoded {
            return Err(unsupported("the body must not be compressed"));
        }
        let value = headers.get(CONTENT_TYPE).map_or(&b""[..], |value| value.as_bytes());
        if value == b"application/json" {
            return Ok(Self::Json);
        }
        let essence =
            value.split(|b| *b == b';').next().unwrap_or_default().trim_ascii().to_ascii_lowercase();
        match essence.as_slice() {
            b"application/json" => Ok(Self::Json),
            b"application/x-ndjson" | b"application/ndjson" => Ok(Self::Ndjson),
            other if other.starts_with(b"application/") && other.ends_with(b"+json") => Ok(Self::Json),
            _ => Err(unsupported("the body must be JSON, with content-type: application/json")),
        }
    }
}

pub(crate) fn unsupported(detail: &str) -> Problem {
    Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", detail)
}

fn too_large(limit: usize) -> Problem {
    let detail = format!("the body must be at most {limit} bytes");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", detail)
}

/// How much of what is too large is read all the same, and dropped: a client that is still sending when the
/// connection closes would not see why.
const MAX_DROPPED_BYTES: u64 = 8 * 1024 * 1024;

/// Reads a body of at most `limit` bytes that arrives within `patience`.
pub(crate) async fn receive(body: Body, limit: usize, patience: Duration) -> Result<Received, Problem> {
    match tokio::time::timeout(patience, collect_or_drop(body, limit)).await {
        Ok(received) => received,
        Err(_) => {
            let detail = "the body did not arrive in time";
            Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "request_timeout", detail))
        }
    }
}

async fn collect_or_drop(mut body: Body, limit: usize) -> Result<Received, Problem> {
    if body.size_hint().lower() > MAX_DROPPED_BYTES.max(limit as u64) {
        return Err(too_large(limit));
    }
    let collected = collect(&mut body, limit).await?;
    if let Some(received) = collected {
        return Ok(received);
    }
    let mut dropped = 0;
    while let Some(piece) = next(&mut body).await? {
        dropped += piece.len() as u64;
        if dropped > MAX_DROPPED_BYTES {
            break;
        }
    }
    Err(too_large(limit))
}

/// The whole body, or none when it is too large.
async fn collect(body: &mut Body, limit: usize) -> Result<Option<Received>, Problem> {
    let announced = body.size_hint().lower();
    if announced > limit as u64 {
        return Ok(None);
    }
    let Some(first) = next(body).await? else {
        return Ok(Some(Received { bytes: Bytes::new(), owned: true }));
    };
    // Most bodies come in one piece, with the head: no second buffer for those.
    let Some(second) = next(body).await? else {
        return Ok((first.len() <= limit).then_some(Received { bytes: first, owned: false }));
    };
    let announced = usize::try_from(announced).unwrap_or(limit);
    let mut whole = BytesMut::with_capacity(announced.max(first.len() + second.len()));
    let mut piece = Some(first);
    let mut ahead = Some(second);
    while let Some(bytes) = piece {
        if whole.len() + bytes.len() > limit {
            return Ok(None);
        }
        whole.extend_from_slice(&bytes);
        piece = match ahead.take() {
            Some(second) => Some(second),
            None => next(body).await?,
        };
    }
    let owned = whole.capacity() == whole.len();
    Ok(Some(Received { bytes: whole.freeze(), owned }))
}

/// The next piece of data that is not empty; trailers are passed over.
async fn next(body: &mut Body) -> Result<Option<Bytes>, Problem> {
    while !body.is_end_stream() {
        match body.frame().await {
            None => return Ok(None),
            Some(Err(_)) => {
                let detail = "the body broke off";
                return Err(Problem::new(StatusCode::BAD_REQUEST, "incomplete_body", detail));
            }
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) if !data.is_empty() => return Ok(Some(data)),
                _ => {}
            },
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::pin::Pin;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Context, Poll};

    use super::*;

    fn media(content_type: &'static str) -> Option<MediaType> {
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, http::HeaderValue::from_static(content_type))]);
        MediaType::of(&headers).ok()
    }

    #[test]
    fn media_types() {
        for json in ["application/json", "Application/JSON; charset=utf-8", "application/vnd.api+json"] {
            assert_eq!(media(json), Some(MediaType::Json), "{json}");
        }
        assert_eq!(media("application/x-ndjson"), Some(MediaType::Ndjson));
        for other in ["", "text/json", "text/plain", "application/x-www-form-urlencoded", "application/jsonx"]
        {
            assert_eq!(media(other), None, "{other}");
        }
    }

    /// A body of unannounced length that comes in these pieces.
    struct Pieces(VecDeque<Bytes>);

    impl http_body::Body for Pieces {
        type Data = Bytes;
        type Error = std::convert::Infallible;
        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<http_body::Frame<Bytes>, Self::Error>>> {
            Poll::Ready(self.0.pop_front().map(|piece| Ok(http_body::Frame::data(piece))))
        }
    }

    async fn received(pieces: &[&'static str], limit: usize) -> Option<String> {
        let body =
            Body::new(Pieces(pieces.iter().map(|piece| Bytes::from_static(piece.as_bytes())).collect()));
        let whole = receive(body, limit, Duration::from_secs(1)).await.ok()?;
        Some(String::from_utf8(whole.bytes.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn a_limit_holds_however_the_body_comes() {
        assert_eq!(received(&[], 4).await.as_deref(), Some(""));
        assert_eq!(received(&["", "abcd", ""], 4).await.as_deref(), Some("abcd"));
        assert_eq!(received(&["a", "b", "c", "d"], 4).await.as_deref(), Some("abcd"));
        assert_eq!(received(&["abcde"], 4).await, None);
        assert_eq!(received(&["ab", "cd", "e"], 4).await, None);
        let announced = receive(Body::from("abcde"), 4, Duration::from_secs(1)).await;
        assert_eq!(announced.unwrap_err().code(), "too_large");
    }

    #[tokio::test]
    async fn what_is_too_large_is_read_to_its_end_within_bounds() {
        let left = async |pieces: usize| {
            let pieces: VecDeque<_> = vec![Bytes::from(vec![0; 1024 * 1024]); pieces].into();
            let seen = Arc::new(AtomicUsize::new(0));
            let body = Body::new(Counted(Pieces(pieces), Arc::clone(&seen)));
            let refused = receive(body, 10, Duration::from_secs(1)).await;
            assert_eq!(refused.unwrap_err().code(), "too_large");
            seen.load(Ordering::Relaxed)
        };
        assert_eq!(left(5).await, 5);
        assert!(left(50).await <= 12);
    }

    /// Counts the pieces that were taken.
    struct Counted(Pieces, Arc<AtomicUsize>);

    impl http_body::Body for Counted {
        type Data = Bytes;
        type Error = std::convert::Infallible;
        fn poll_frame(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
        ) -> Poll<Option<Result<http_body::Frame<Bytes>, Self::Error>>> {
            let polled = Pin::new(&mut self.0).poll_frame(cx);
            if matches!(polled, Poll::Ready(Some(_))) {
                self.1.fetch_add(1, Ordering::Relaxed);
            }
            polled
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_does_not_come_is_given_up() {
        struct Never;
        impl http_body::Body for Never {
            type Data = Bytes;
            type Error = std::convert::Infallible;
            fn poll_frame(
                self: Pin<&mut Self>,
                _: &mut Context<'_>,
            ) -> Poll<Option<Result<http_body::Frame<Bytes>, Self::Error>>> {
                Poll::Pending
            }
        }
        let given_up = receive(Body::new(Never), 4, Duration::from_secs(30)).await;
        assert_eq!(given_up.unwrap_err().code(), "request_timeout");
    }
}
