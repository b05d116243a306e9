//! A request's body: a few shared pieces with a known length.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};

/// A body of up to three pieces, sent one after the other with their total as `content-length`. Pieces are shared,
/// not copied: the stored bytes of an event go to every target as they are.
#[derive(Debug, Clone, Default)]
pub struct Body {
    pieces: [Bytes; 3],
    left: usize,
}

impl Body {
    /// A body of these pieces; empty ones are left out.
    #[must_use]
    pub fn new(pieces: [Bytes; 3]) -> Self {
        let left = pieces.iter().map(Bytes::len).sum();
        Self { pieces, left }
    }

    /// Its length in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.left
    }

    /// Whether it has no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.left == 0
    }
}

impl From<[Bytes; 3]> for Body {
    fn from(pieces: [Bytes; 3]) -> Self {
        Self::new(pieces)
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self::new([bytes, Bytes::new(), Bytes::new()])
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let next = self.pieces.iter_mut().find(|piece| !piece.is_empty()).map(std::mem::take);
        self.left -= next.as_ref().map_or(0, Bytes::len);
        Poll::Ready(next.map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left as u64)
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    #[tokio::test]
    async fn pieces_come_in_order_and_empty_ones_not_at_all() {
        let mut body = Body::new([Bytes::new(), Bytes::from_static(b"ab"), Bytes::from_static(b"c")]);
        assert_eq!((body.len(), http_body::Body::size_hint(&body).exact()), (3, Some(3)));
        assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "ab");
        assert!(!http_body::Body::is_end_stream(&body));
        assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "c");
        assert!(http_body::Body::is_end_stream(&body));
        assert!(body.frame().await.is_none());
        assert!(Body::default().is_empty() && http_body::Body::is_end_stream(&Body::default()));
    }
}
