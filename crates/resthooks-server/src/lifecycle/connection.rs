//! Serves one connection: HTTP/1.1 or HTTP/2, whichever the caller speaks, in clear text or within TLS.
//!
//! It ends by itself, when it is told to, or when its caller's time is up ([`patience`](super::patience)).

use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use http::{Request, Response};
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use resthooks::env::Clock;
use resthooks_api::PeerAddress;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tower::ServiceExt as _;

use super::patience::{Activity, Answering, Patience};
use super::stream::{Metered, Stream};
use super::tls::Tls;

/// The largest head of a request, in bytes; over HTTP/2 of all its header blocks.
const MAX_HEAD_BYTES: usize = 64 * 1024;
/// Requests at once on one HTTP/2 connection.
const MAX_STREAMS: u32 = 256;
/// Requests that a caller takes back before we have looked at them, on one HTTP/2 connection; then it ends.
const MAX_TAKEN_BACK: usize = 20;
/// Broken requests on one HTTP/2 connection; then it ends.
const MAX_BROKEN: usize = 256;
/// How often an HTTP/2 connection is asked whether its caller is still there, and how long that may take.
const PING_EVERY: Duration = Duration::from_secs(10);
/// What may wait in memory to be taken in by the caller of one HTTP/2 stream.
const MAX_WAITING_BYTES: usize = 256 * 1024;

/// What a connection is served with.
#[derive(Debug, Clone)]
pub(super) struct Service {
    pub app: Router,
    pub tls: Option<Arc<Tls>>,
    pub clock: Arc<dyn Clock>,
}

/// Serves a connection until it ends by itself, its caller's time is up, or `stop` asks it to end.
pub(super) async fn serve(
    stream: TcpStream,
    peer: PeerAddress,
    with: Service,
    mut stop: watch::Receiver<bool>,
) {
    // Answers are written whole; waiting for more to send would only delay them.
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let Service { app, tls, clock } = with;
    let activity = Arc::new(Activity::default());
    let stream = Metered::new(stream, Arc::clone(&activity));
    let admitted = tokio::select! {
        stream = admit(stream, tls.as_deref(), &*clock) => stream,
        _ = stop.wait_for(|stop| *stop) => None,
    };
    let Some(stream) = admitted else { return };
    let service = {
        let activity = Arc::clone(&activity);
        service_fn(move |request| answer(app.clone(), request, peer, Answering::begin(&activity)))
    };
    let builder = protocols();
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        result = connection.as_mut() => Ok(result),
        _ = stop.wait_for(|stop| *stop) => Err(Patience::LEAVING),
        () = Patience::IN_SERVICE.runs_out(&activity, &*clock) => Err(Patience::EXPELLED),
    };
    let result = match ended {
        Ok(result) => result,
        Err(patience) => {
            // What is being answered is still answered; a head that is still on its way is not waited for.
            connection.as_mut().graceful_shutdown();
            tokio::select! {
                result = connection.as_mut() => result,
                () = patience.runs_out(&activity, &*clock) => Ok(()),
            }
        }
    };
    if let Err(error) = result {
        // A caller's doing (it went away, it spoke no HTTP): nothing that an operator could mend.
        tracing::debug!(error = &*error, "a connection ended early");
    }
}

async fn admit(stream: Metered, tls: Option<&Tls>, clock: &dyn Clock) -> Option<Stream> {
    match tls {
        None => Some(Stream::Clear(stream)),
        Some(tls) => Some(Stream::Tls(Box::new(tls.admit(stream, clock).await?))),
    }
}

fn protocols() -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(None).max_buf_size(MAX_HEAD_BYTES);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(u32::try_from(MAX_HEAD_BYTES).unwrap_or(u32::MAX))
        .max_pending_accept_reset_streams(MAX_TAKEN_BACK)
        .max_local_error_reset_streams(MAX_BROKEN)
        .max_send_buf_size(MAX_WAITING_BYTES)
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_EVERY);
    builder
}

async fn answer(
    app: Router,
    mut request: Request<Incoming>,
    peer: PeerAddress,
    mut answering: Answering,
) -> Result<Response<AnswerBody>, Infallible> {
    request.extensions_mut().insert(peer);
    let response = app.oneshot(request).await?;
    answering.is_the_callers_turn();
    Ok(response.map(|body| AnswerBody { body, answering }))
}

/// An answer's body, which knows whether it waits for us or for the caller.
#[derive(Debug)]
struct AnswerBody {
    body: Body,
    answering: Answering,
}

impl http_body::Body for AnswerBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        // Asked for more, until there is more.
        self.answering.is_our_turn();
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        self.answering.is_the_callers_turn();
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
