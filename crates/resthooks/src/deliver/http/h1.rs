//! HTTP/1.1: one request at a time on one connection, driven by the task that sends it.
//!
//! No task is spawned per connection: sending polls the connection itself and then looks whether an answer came out,
//! so that a request costs no wake-up between tasks. An idle connection is not polled at all; that its peer has closed
//! it shows when the next request is about to be written, and the request is then given back unsent.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use http::{Request, Response};
use http_body::Body as _;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;

use super::alarm::Alarm;
use super::answer::Kept;
use super::limits::{ANSWER_BYTES, HEAD_BYTES};
use super::stream::{Allowance, Stream, Transport};
use super::{Answer, Body, Failure};
use crate::env::Clock;

/// The moments of the monotonic clock by which an answer must have come.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadlines {
    /// When all must have ended.
    pub(super) total_at: Duration,
    /// How long all may take, for the failure's words.
    pub(super) total: Duration,
    /// How long the body may take from the end of the head.
    pub(super) body: Duration,
}

/// What came of a request on a connection.
pub(super) enum Sent<C> {
    /// A head came. The connection comes back if it can carry another request.
    Answered(Answer, Option<C>),
    /// There is no answer; the request may have arrived.
    Failed(Failure),
    /// The connection was closed before the request was written.
    Unsent(Box<Request<Body>>),
}

/// A connection that carries one request at a time.
pub(super) struct H1 {
    sender: http1::SendRequest<Body>,
    /// Gone once the connection has ended.
    driver: Option<http1::Connection<TokioIo<Stream>, Body>>,
    allowance: Allowance,
    alarm: Alarm,
    clock: Arc<dyn Clock>,
    pub(super) address: SocketAddr,
    pub(super) idle_since: Duration,
}

impl std::fmt::Debug for H1 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("H1").field("address", &self.address).field("idle_since", &self.idle_since).finish()
    }
}

impl H1 {
    /// Speaks HTTP/1.1 on a connection whose first request must be answered by `deadline`.
    pub(super) async fn open(
        transport: Transport,
        address: SocketAddr,
        clock: Arc<dyn Clock>,
        deadline: Duration,
    ) -> hyper::Result<Box<Self>> {
        let allowance = Allowance::new(ANSWER_BYTES);
        let io = TokioIo::new(Stream::new(transport, allowance.clone()));
        let mut builder = http1::Builder::new();
        builder.max_buf_size(HEAD_BYTES);
        let (sender, driver) = builder.handshake(io).await?;
        let alarm = Alarm::new(Arc::clone(&clock), deadline);
        let idle_since = Duration::ZERO;
        Ok(Box::new(Self { sender, driver: Some(driver), allowance, alarm, clock, address, idle_since }))
    }

    /// Sends a request and reads its answer.
    pub(super) async fn send(
        mut self: Box<Self>,
        request: Request<Body>,
        deadlines: Deadlines,
    ) -> Sent<Box<Self>> {
        self.allowance.refill(ANSWER_BYTES);
        let (head, body) = match self.head(request, deadlines).await {
            Ok(response) => response.into_parts(),
            Err(ended) => return ended,
        };
        let by = deadlines.total_at.min(self.clock.monotonic() + deadlines.body);
        let (kept, is_whole) = self.body(body, by).await;
        let answer = Answer::new(&head, kept, self.clock.now());
        Sent::Answered(answer, (is_whole && self.is_idle()).then_some(self))
    }

    async fn head(
        &mut self,
        request: Request<Body>,
        by: Deadlines,
    ) -> Result<Response<Incoming>, Sent<Box<Self>>> {
        let mut response = std::pin::pin!(self.sender.try_send_request(request));
        let ended = std::future::poll_fn(|cx| {
            drive(&mut self.driver, cx);
            match quietly(cx, |quiet| response.as_mut().poll(quiet)) {
                Poll::Ready(response) => Poll::Ready(Some(response)),
                Poll::Pending => self.alarm.poll_at(cx, by.total_at).map(|()| None),
            }
        });
        match ended.await {
            Some(Ok(response)) => Ok(response),
            Some(Err(mut error)) => Err(match error.take_message() {
                Some(request) => Sent::Unsent(Box::new(request)),
                None => Sent::Failed(Failure::exchange(error.error())),
            }),
            None => Err(Sent::Failed(Failure::timeout("the answer's head", by.total))),
        }
    }

    /// Reads a body up to its end, its bounds or the deadline. The flag says whether its end was seen.
    async fn body(&mut self, mut body: Incoming, by: Duration) -> (Kept, bool) {
        let mut kept = Kept::default();
        let is_whole = std::future::poll_fn(|cx| {
            let mut is_driven = false;
            loop {
                match quietly(cx, |quiet| Pin::new(&mut body).poll_frame(quiet)) {
                    Poll::Ready(None) => return Poll::Ready(true),
                    Poll::Ready(Some(Err(_))) => return Poll::Ready(false),
                    Poll::Ready(Some(Ok(frame))) => {
                        if !frame.data_ref().is_none_or(|data| kept.push(data)) {
                            return Poll::Ready(false);
                        }
                        is_driven = false;
                    }
                    Poll::Pending if !is_driven => {
                        drive(&mut self.driver, cx);
                        is_driven = true;
                    }
                    Poll::Pending => return self.alarm.poll_at(cx, by).map(|()| false),
                }
            }
        })
        .await;
        if is_whole {
            kept.complete();
        }
        (kept, is_whole)
    }

    /// Whether the connection waits for a request: the last one was written and its answer read, both to the end.
    fn is_idle(&mut self) -> bool {
        if self.driver.is_some() && !self.sender.is_ready() {
            drive(&mut self.driver, &mut Context::from_waker(Waker::noop()));
        }
        self.driver.is_some() && self.sender.is_ready()
    }
}

/// Lets the connection read and write what it can. Once it has ended it is dropped, which ends whatever still waits for
/// it; its error, if any, has been told to the request by then.
fn drive(driver: &mut Option<http1::Connection<TokioIo<Stream>, Body>>, cx: &mut Context<'_>) {
    if driver.as_mut().is_some_and(|driver| Pin::new(driver).poll(cx).is_ready()) {
        *driver = None;
    }
}

/// Polls the near end of a channel whose far end only moves when this task drives the connection: its wake-ups would
/// come from the task itself, each for one poll too many. Out of budget, the task is woken all the same: the channel
/// may then hold back what is there.
fn quietly<T>(cx: &Context<'_>, poll: impl FnOnce(&mut Context<'_>) -> Poll<T>) -> Poll<T> {
    let polled = poll(&mut Context::from_waker(Waker::noop()));
    if polled.is_pending() && !tokio::task::coop::has_budget_remaining() {
        cx.waker().wake_by_ref();
    }
    polled
}
