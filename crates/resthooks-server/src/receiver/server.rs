//! Takes hooks in over HTTP/1.1 and HTTP/2.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use resthooks::env::{Clock as _, SystemClock};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::handshake::confirm;
use crate::terminal;

/// The largest hook that is taken, in bytes.
const MAX_HOOK_BYTES: usize = 16 * 1024 * 1024;
/// Connections that are served at once.
const MAX_CONNECTIONS: usize = 256;
/// How long a sender may take for a request's head.
const HEAD_WITHIN: Duration = Duration::from_secs(30);
/// How long the last answers may take when it ends.
const LAST_ANSWERS_WITHIN: Duration = Duration::from_secs(2);

/// One hook as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Hook {
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

impl Hook {
    /// A header's value as text; empty when it is absent or no text.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// Takes hooks and lets `answer` say what each is answered with, until `stop` ends; then answers what has arrived.
pub(crate) async fn receive<A>(listener: TcpListener, answer: A, stop: impl Future<Output = ()>)
where
    A: Fn(Hook) -> StatusCode + Send + Sync + 'static,
{
    let answer = Arc::new(answer);
    let (stopping, stopped) = watch::channel(false);
    let mut connections = JoinSet::new();
    let accepting = async {
        loop {
            while connections.try_join_next().is_some() {}
            if connections.len() >= MAX_CONNECTIONS {
                connections.join_next().await;
            }
            if let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serve(stream, Arc::clone(&answer), stopped.clone()));
            }
            // Without this, a listener that only fails would never let anything else run.
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        () = accepting => {}
        () = stop => {}
    }
    stopping.send_replace(true);
    let clock = SystemClock::default();
    tokio::select! {
        () = async { while connections.join_next().await.is_some() {} } => {}
        () = clock.sleep(LAST_ANSWERS_WITHIN) => {}
    }
}

async fn serve<A>(stream: TcpStream, answer: Arc<A>, mut stop: watch::Receiver<bool>)
where
    A: Fn(Hook) -> StatusCode + Send + Sync + 'static,
{
    let service = service_fn(move |request| {
        let answer = Arc::clone(&answer);
        async move { Ok::<_, Infallible>(take(request, &*answer).await) }
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_WITHIN);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    // A sender that breaks off tells so with its next attempt: nothing to report here.
    tokio::select! {
        _ = connection.as_mut() => return,
        _ = stop.wait_for(|stop| *stop) => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

async fn take<A>(request: Request<Incoming>, answer: &A) -> Response<Full<Bytes>>
where
    A: Fn(Hook) -> StatusCode,
{
    if let Some((response, policy)) = confirm(&request) {
        terminal::line(format_args!("\nasked whether hooks are wanted ({policy}), and confirmed"));
        return response;
    }
    let status = if request.method() == Method::POST {
        let (head, body) = request.into_parts();
        match Limited::new(body, MAX_HOOK_BYTES).collect().await {
            Ok(body) => answer(Hook { headers: head.headers, body: body.to_bytes() }),
            Err(_) => StatusCode::PAYLOAD_TOO_LARGE,
        }
    } else {
        StatusCode::METHOD_NOT_ALLOWED
    };
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}
