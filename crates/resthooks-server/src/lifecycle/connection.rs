//! Serves one connection: HTTP/1.1 or HTTP/2 in clear text, whichever the caller speaks.
//!
//! A connection on which nothing is being answered is closed after a while: it is idle, or its caller sends a request's
//! head so slowly that it never ends.

use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
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

use super::patience::PatientStream;

/// How often a connection is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// How often it is looked at once it was told to end.
const LAST_LOOK_EVERY: Duration = Duration::from_millis(500);
/// It is closed when nothing was being answered for so many looks in a row: 30 to 40 seconds.
const QUIET_LOOKS: u32 = 3;
/// The largest head of a request, in bytes.
const MAX_HEAD_BYTES: usize = 64 * 1024;
/// Requests at once on one HTTP/2 connection.
const MAX_STREAMS: u32 = 256;

/// What a connection does, as its watcher sees it.
#[derive(Debug, Default)]
struct Activity {
    begun: AtomicU64,
    ended: AtomicU64,
}

/// One request that is being answered.
#[derive(Debug)]
struct Answering(Arc<Activity>);

impl Answering {
    fn begin(activity: &Arc<Activity>) -> Self {
        activity.begun.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(activity))
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.ended.fetch_add(1, Ordering::Relaxed);
    }
}

/// Serves a connection until it ends by itself, has been idle for long, or `stop` asks it to end.
pub(super) async fn serve(
    stream: TcpStream,
    peer: PeerAddress,
    app: Router,
    mut stop: watch::Receiver<bool>,
    clock: Arc<dyn Clock>,
) {
    // Answers are written whole; waiting for more to send would only delay them.
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let activity = Arc::new(Activity::default());
    let service = {
        let activity = Arc::clone(&activity);
        service_fn(move |request| answer(app.clone(), request, peer, Answering::begin(&activity)))
    };
    let builder = protocols();
    let stream = TokioIo::new(PatientStream::new(stream, Arc::clone(&clock)));
    let mut connection = pin!(builder.serve_connection(stream, service));
    let ended = tokio::select! {
        result = connection.as_mut() => Some(result),
        _ = stop.wait_for(|stop| *stop) => None,
        () = quiet(&activity, &*clock, LOOK_EVERY) => None,
    };
    let result = match ended {
        Some(result) => result,
        None => {
            // What is being answered is still answered; a head that is still on its way is not waited for.
            connection.as_mut().graceful_shutdown();
            tokio::select! {
                result = connection.as_mut() => result,
                () = quiet(&activity, &*clock, LAST_LOOK_EVERY) => Ok(()),
            }
        }
    };
    if let Err(error) = result {
        // A caller's doing (it went away, it spoke no HTTP): nothing that an operator could mend.
        tracing::debug!(error = &*error, "a connection ended early");
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
        .keep_alive_interval(LOOK_EVERY)
        .keep_alive_timeout(LOOK_EVERY);
    builder
}

/// Ends when nothing has been answered for some looks.
async fn quiet(activity: &Activity, clock: &dyn Clock, every: Duration) {
    let mut seen = activity.begun.load(Ordering::Relaxed);
    let mut looks = 0;
    while looks < QUIET_LOOKS {
        clock.sleep(every).await;
        let ended = activity.ended.load(Ordering::Relaxed);
        let begun = activity.begun.load(Ordering::Relaxed);
        looks = if begun == seen && ended == begun { looks + 1 } else { 0 };
        seen = begun;
    }
}

async fn answer(
    app: Router,
    mut request: Request<Incoming>,
    peer: PeerAddress,
    answering: Answering,
) -> Result<Response<AnswerBody>, Infallible> {
    request.extensions_mut().insert(peer);
    let response = app.oneshot(request).await?;
    Ok(response.map(|body| AnswerBody { body, _answering: answering }))
}

/// An answer's body: while it is being written, its connection is not idle.
#[derive(Debug)]
struct AnswerBody {
    body: Body,
    _answering: Answering,
}

impl http_body::Body for AnswerBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
