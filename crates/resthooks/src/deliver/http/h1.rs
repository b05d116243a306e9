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
use super::gate::Gate;
use super::limits::{HEAD_BYTES, answer_bytes};
use super::stream::{Allowance, Stream, Transport};
use super::{Answer, Body, Failure};
use crate::env::Clock;

/// How long a peer is expected to keep a connection open that it has not said it would close.
const TRIAL: Duration = Duration::from_secs(1);

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

impl Deadlines {
    /// When a body whose head has come by now must have ended.
    pub(super) fn body_at(&self, clock: &dyn Clock) -> Duration {
        self.total_at.min(clock.monotonic() + self.body)
    }
}

/// What came of a request on a connection.
pub(super) enum Sent<C> {
    /// A head came. The connection comes back if it can carry another request.
    Answered(Answer, Option<C>),
    /// There is no answer; the request may have arrived.
    Failed(Failure),
    /// The connection was closed before the request was written: it is back in its place.
    Unsent,
}

/// A request in its place: it is taken out of it once, where it is written. It is large to be handed on.
pub(super) type Place = Option<Request<Body>>;

/// The connection itself, and who is woken when it can go on.
struct Wire {
    /// Gone once the connection has ended.
    driver: Option<http1::Connection<TokioIo<Stream>, Body>>,
    gate: Arc<Gate>,
    waker: Waker,
}

/// A connection that carries one request at a time.
pub(super) struct H1 {
    sender: http1::SendRequest<Body>,
    wire: Wire,
    allowance: Allowance,
    alarm: Alarm,
    clock: Arc<dyn Clock>,
    pub(super) address: SocketAddr,
    pub(super) idle_since: Duration,
    answers: u64,
    body_kept: usize,
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
        body_kept: usize,
    ) -> hyper::Result<Box<Self>> {
        let allowance = Allowance::new(answer_bytes(body_kept));
        let io = TokioIo::new(Stream::new(transport, allowance.clone()));
        let mut builder = http1::Builder::new();
        builder.max_buf_size(HEAD_BYTES);
        let (sender, driver) = builder.handshake(io).await?;
        let alarm = Alarm::new(Arc::clone(&clock), deadline);
        let idle_since = Duration::ZERO;
        let (gate, waker) = Gate::new();
        let wire = Wire { driver: Some(driver), gate, waker };
        let answers = 0;
        Ok(Box::new(Self { sender, wire, allowance, alarm, clock, address, idle_since, answers, body_kept }))
    }

    /// Whether it has carried one request alone, not long before `now`. If it breaks now, its peer never meant it to
    /// carry another.
    pub(super) fn is_on_trial(&self, now: Duration) -> bool {
        self.answers == 1 && now.saturating_sub(self.idle_since) < TRIAL
    }

    /// Sends a request and reads its answer.
    pub(super) async fn send(mut self: Box<Self>, request: &mut Place, by: Deadlines) -> Sent<Box<Self>> {
        self.allowance.refill(answer_bytes(self.body_kept));
        let (head, body) = match self.head(request, by).await {
            Ok(response) => response.into_parts(),
            Err(ended) => return ended,
        };
        let mut kept = Kept::new(self.body_kept);
        let is_whole = self.body(body, &mut kept, by).await;
        if is_whole {
            kept.complete();
        }
        self.answers += 1;
        let answer = Answer::new(head, kept, &*self.clock);
        Sent::Answered(answer, (is_whole && self.is_idle()).then_some(self))
    }

    async fn head(
        &mut self,
        place: &mut Place,
        by: Deadlines,
    ) -> Result<Response<Incoming>, Sent<Box<Self>>> {
        let request = place.take().expect("a request is in its place until it is written");
        let mut response = std::pin::pin!(self.sender.try_send_request(request));
        let ended = std::future::poll_fn(|cx| {
            self.wire.drive(cx.waker());
            match quietly(cx, |quiet| response.as_mut().poll(quiet)) {
                Poll::Ready(response) => Poll::Ready(Some(response)),
                Poll::Pending => self.alarm.poll_at(cx, by.total_at).map(|()| None),
            }
        });
        match ended.await {
            Some(Ok(response)) => Ok(response),
            Some(Err(mut error)) => {
                *place = error.take_message();
                Err(if place.is_some() {
                    Sent::Unsent
                } else {
                    Sent::Failed(Failure::exchange(error.error()))
                })
            }
            None => Err(Sent::Failed(Failure::timeout("the answer's head", by.total))),
        }
    }

    /// Reads a body up to its end, its bounds or its deadline; says whether its end was seen.
    async fn body(&mut self, mut body: Incoming, kept: &mut Kept, by: Deadlines) -> bool {
        let mut deadline = None;
        // Most bodies are there with their heads: taking them wakes the connection, for nobody to wait for.
        self.wire.gate.shut();
        std::future::poll_fn(|cx| {
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
                        self.wire.drive(cx.waker());
                        is_driven = true;
                    }
                    Poll::Pending => {
                        let deadline = *deadline.get_or_insert_with(|| by.body_at(&*self.clock));
                        return self.alarm.poll_at(cx, deadline).map(|()| false);
                    }
                }
            }
        })
        .await
    }

    /// Whether the connection waits for a request: the last one was written and its answer read, both to the end.
    fn is_idle(&mut self) -> bool {
        if !self.sender.is_ready() {
            self.wire.drive(Waker::noop());
        }
        self.wire.gate.shut();
        self.wire.driver.is_some() && self.sender.is_ready()
    }
}

impl Wire {
    /// Lets the connection read and write what it can, and wake `task` when it can do more. Once it has ended it is
    /// dropped, which ends whatever still waits for it; its error, if any, has been told to the request by then.
    fn drive(&mut self, task: &Waker) {
        let Some(driver) = &mut self.driver else { return };
        self.gate.open(task);
        if Pin::new(driver).poll(&mut Context::from_waker(&self.waker)).is_ready() {
            self.driver = None;
        }
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
