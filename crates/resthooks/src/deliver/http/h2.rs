//! HTTP/2: many requests at a time on one connection, driven by a task of its own.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http_body::Body as _;
use hyper::body::Incoming;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};

use super::alarm::Alarm;
use super::answer::Kept;
use super::h1::{Deadlines, Place, Sent};
use super::limits::{HEAD_BYTES, body_read};
use super::stream::{Allowance, Stream, Transport};
use super::{Answer, Body, Failure};
use crate::env::Clock;

/// A connection that carries many requests; clones share it. It is closed when the last clone is dropped.
#[derive(Debug, Clone)]
pub(super) struct H2 {
    sender: http2::SendRequest<Body>,
    shared: Arc<Shared>,
    pub(super) used_at: Duration,
}

#[derive(Debug)]
struct Shared {
    address: SocketAddr,
    /// Set once a request got no answer in time: the connection may be dead without saying so.
    is_suspect: AtomicBool,
    body_kept: usize,
}

impl H2 {
    /// Speaks HTTP/2 on a connection.
    pub(super) async fn open(
        transport: Transport,
        address: SocketAddr,
        now: Duration,
        body_kept: usize,
    ) -> hyper::Result<Self> {
        let io = TokioIo::new(Stream::new(transport, Allowance::new(Allowance::UNBOUNDED)));
        let window = u32::try_from(body_read(body_kept)).unwrap_or(u32::MAX);
        let (sender, driver) = http2::Builder::new(TokioExecutor::new())
            // Twice what is allowed: that much is read and given its class, what exceeds it is a breach.
            .max_header_list_size(u32::try_from(2 * HEAD_BYTES).unwrap_or(u32::MAX))
            // Until the peer has said how many it takes, one: it would refuse what exceeds its number.
            .initial_max_send_streams(1)
            .initial_stream_window_size(window)
            .initial_connection_window_size(window.saturating_mul(16))
            .handshake(io)
            .await?;
        // Its end shows in the requests on it.
        tokio::spawn(async move { drop(driver.await) });
        let shared = Arc::new(Shared { address, is_suspect: AtomicBool::new(false), body_kept });
        Ok(Self { sender, shared, used_at: now })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.shared.address
    }

    /// Whether it takes no more requests.
    pub(super) fn is_closed(&self) -> bool {
        self.sender.is_closed() || self.shared.is_suspect.load(Ordering::Relaxed)
    }

    pub(super) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }

    /// Sends a request, as soon as the peer takes one more, and reads its answer.
    pub(super) async fn send(
        mut self,
        place: &mut Place,
        clock: &Arc<dyn Clock>,
        by: Deadlines,
    ) -> Sent<Self> {
        let request = place.take().expect("a request is in its place until it is written");
        let mut alarm = Alarm::new(Arc::clone(clock), by.total_at);
        let response = self.sender.try_send_request(request);
        let (head, body) = match alarm.within(by.total_at, response).await {
            Some(Ok(response)) => response.into_parts(),
            Some(Err(mut error)) => {
                *place = error.take_message();
                return if place.is_some() {
                    Sent::Unsent
                } else {
                    Sent::Failed(Failure::exchange(error.error()))
                };
            }
            None => {
                self.shared.is_suspect.store(true, Ordering::Relaxed);
                return Sent::Failed(Failure::timeout("the answer's head", by.total));
            }
        };
        let size = |(name, value): (&http::HeaderName, &http::HeaderValue)| name.as_str().len() + value.len();
        if head.headers.iter().map(size).sum::<usize>() > HEAD_BYTES {
            return Sent::Failed(Failure::too_large());
        }
        let mut kept = Kept::new(self.shared.body_kept);
        if alarm.within(by.body_at(&**clock), read(body, &mut kept)).await == Some(true) {
            kept.complete();
        }
        Sent::Answered(Answer::new(head, kept, &**clock), Some(self))
    }
}

/// Reads a body up to its end or its bounds; says whether its end was seen. One that is dropped before is reset.
async fn read(mut body: Incoming, kept: &mut Kept) -> bool {
    while let Some(frame) = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        match frame {
            Ok(frame) if frame.data_ref().is_none_or(|data| kept.push(data)) => {}
            _ => return false,
        }
    }
    true
}
