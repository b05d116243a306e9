//! The client: one request from its target to its exchange.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::header::{CONTENT_LENGTH, HOST, HeaderMap, HeaderValue};
use http::{Method, Request};
use rustls::pki_types::CertificateDer;

use super::connect::{Connected, Connector, Tls, Unconnected};
use super::h1::{Deadlines, H1, Place, Sent};
use super::h2::H2;
use super::limits::{BODY_KEPT, MAX_BODY_KEPT};
use super::pool::{Bounds, Connection, Pool};
use super::target::Parts;
use super::{Answer, Body, Exchange, Failure, Identity, Proxy, SetupError, Target, tls};
use crate::deliver::guard::Policy;
use crate::deliver::resolver::Resolver;
use crate::env::Clock;
use crate::model::ErrorClass;

/// What a client is made of.
#[derive(Debug, Clone)]
pub struct Options {
    /// Which addresses may be connected to.
    pub policy: Policy,
    /// Resolves names.
    pub resolver: Arc<dyn Resolver>,
    /// All timeouts are this clock's.
    pub clock: Arc<dyn Clock>,
    /// How long a connection may take to be open: name, TCP and TLS. 5 s.
    pub connect_timeout: Duration,
    /// How long a request may take in all. 15 s.
    pub total_timeout: Duration,
    /// How long an answer's body may take after its head. 5 s.
    pub body_timeout: Duration,
    /// How long an unused connection is kept. 4 s: servers commonly close after 5.
    pub idle_timeout: Duration,
    /// The most unused connections kept to one origin. 64.
    pub max_idle_per_origin: usize,
    /// The most unused connections kept in all. 1,024.
    pub max_idle_total: usize,
    /// How many bytes of an answer's body are kept, up to 4 MiB. 16 KiB.
    pub body_kept: usize,
    /// Certificate authorities trusted beside those of the web.
    pub extra_roots: Vec<CertificateDer<'static>>,
    /// The certificate shown to targets that ask for one. None.
    pub identity: Option<Identity>,
    /// Where connections are asked for instead of being opened. None: the environment is never asked.
    pub proxy: Option<Proxy>,
}

impl Options {
    /// The defaults.
    #[must_use]
    pub fn new(policy: Policy, resolver: Arc<dyn Resolver>, clock: Arc<dyn Clock>) -> Self {
        Self {
            policy,
            resolver,
            clock,
            connect_timeout: Duration::from_secs(5),
            total_timeout: Duration::from_secs(15),
            body_timeout: Duration::from_secs(5),
            idle_timeout: Duration::from_secs(4),
            max_idle_per_origin: 64,
            max_idle_total: 1024,
            body_kept: BODY_KEPT,
            extra_roots: Vec::new(),
            identity: None,
            proxy: None,
        }
    }
}

/// One request.
#[derive(Debug)]
pub struct Call<'a> {
    /// Its method: `GET`, `POST`, `OPTIONS` and the like; not `HEAD` and `CONNECT`, whose answers end otherwise.
    pub method: Method,
    /// Where it goes.
    pub target: &'a Target,
    /// Its headers but for `host` and `content-length`, which are set by the client.
    pub headers: HeaderMap,
    /// Its body. Without one a `POST`, `PUT` or `PATCH` says `content-length: 0` and others say nothing.
    pub body: Body,
    /// How long it may take in all, when that is not as the client has it.
    pub timeout: Option<Duration>,
}

/// Sends requests to targets. Cheap to clone; clones share their connections.
#[derive(Debug, Clone)]
pub struct Client {
    connector: Arc<Connector>,
    pool: Arc<Pool>,
    clock: Arc<dyn Clock>,
    total_timeout: Duration,
    body_timeout: Duration,
    body_kept: usize,
}

impl Client {
    /// Makes a client. Opens nothing.
    ///
    /// # Errors
    /// When TLS can't be set up with these options.
    pub fn new(options: Options) -> Result<Self, SetupError> {
        let bounds = Bounds {
            per_origin: options.max_idle_per_origin,
            total: options.max_idle_total,
            idle_timeout: options.idle_timeout,
        };
        let connector = Connector {
            policy: options.policy,
            resolver: options.resolver,
            clock: Arc::clone(&options.clock),
            tls: Tls(tls::connector(options.extra_roots, options.identity)?),
            proxy: options.proxy,
            timeout: options.connect_timeout,
        };
        Ok(Self {
            connector: Arc::new(connector),
            pool: Pool::new(bounds, Arc::clone(&options.clock)),
            clock: options.clock,
            total_timeout: options.total_timeout,
            body_timeout: options.body_timeout,
            body_kept: options.body_kept.min(MAX_BODY_KEPT),
        })
    }

    /// Makes one POST: [`Client::send`].
    pub async fn post(&self, target: &Target, headers: HeaderMap, body: Body) -> Exchange {
        self.send(Call { method: Method::POST, target, headers, body, timeout: None }).await
    }

    /// Makes one request. Room for `host` and `content-length` in its headers saves growing them. Must be called
    /// within a Tokio runtime. Dropping the future closes the connection that it uses.
    pub async fn send(&self, call: Call<'_>) -> Exchange {
        let started = self.clock.monotonic();
        let total = call.timeout.unwrap_or(self.total_timeout);
        let by = Deadlines { total_at: started + total, total, body: self.body_timeout.min(total) };
        let (address, answer) = match call.target.parts() {
            Ok(target) => {
                let mut request = Request::new(call.body);
                *request.method_mut() = call.method;
                *request.headers_mut() = call.headers;
                say_length(&mut request);
                self.exchange(target, &mut Some(request), by).await
            }
            Err(invalid) => (None, Err(invalid.clone())),
        };
        Exchange { address, duration: self.clock.monotonic().saturating_sub(started), answer }
    }

    /// How many unused or shared connections are kept open.
    #[must_use]
    pub fn idle_connections(&self) -> usize {
        self.pool.len()
    }

    /// Goes through the kept connections until one takes the request, else opens one. A request is tried on another
    /// connection only when it comes back unsent.
    async fn exchange(&self, target: &Parts, request: &mut Place, by: Deadlines) -> Ended {
        let started = by.total_at.saturating_sub(by.total);
        while let Some(connection) = self.pool.take(&target.origin, started) {
            if let Some(ended) = self.send_on(target, connection, request, by).await {
                return ended;
            }
        }
        // Boxed: opening is rare and its state is large.
        let connection = match Box::pin(self.open(target, by)).await {
            Ok(connection) => connection,
            Err(unconnected) => return (unconnected.address, Err(unconnected.failure)),
        };
        let address = connection.address();
        let sent = self.send_on(target, connection, request, by).await;
        sent.unwrap_or_else(|| (Some(address), Err(Failure::closed())))
    }

    async fn open(&self, target: &Parts, by: Deadlines) -> Result<Connection, Unconnected> {
        let Connected { transport, address, is_http2 } = self.connector.connect(target, by.total_at).await?;
        let failed = |error| Unconnected { address: Some(address), failure: Failure::exchange(&error) };
        if is_http2 {
            let opened =
                H2::open(transport, address, self.clock.monotonic(), self.body_kept).await.map_err(failed)?;
            return Ok(Connection::Http2(self.pool.share(&target.origin, opened)));
        }
        let opened = H1::open(transport, address, Arc::clone(&self.clock), by.total_at, self.body_kept).await;
        opened.map(Connection::Http1).map_err(failed)
    }

    /// Sends on a connection, and keeps it if it can be used again. Nothing when the request was not written.
    async fn send_on(
        &self,
        target: &Parts,
        connection: Connection,
        place: &mut Place,
        by: Deadlines,
    ) -> Option<Ended> {
        let address = Some(connection.address());
        let answer = match connection {
            Connection::Http1(connection) => self.send_http1(target, connection, place, by).await?,
            Connection::Http2(connection) => self.send_http2(target, connection, place, by).await?,
        };
        Some((address, answer))
    }

    async fn send_http1(
        &self,
        target: &Parts,
        connection: Box<H1>,
        place: &mut Place,
        by: Deadlines,
    ) -> Option<Result<Answer, Failure>> {
        let request = place.as_mut()?;
        request.headers_mut().insert(HOST, target.host_header.clone());
        *request.uri_mut() = target.path.clone();
        let started = by.total_at.saturating_sub(by.total);
        let is_on_trial = connection.is_on_trial(started);
        let sent = connection.send(place, by).await;
        let is_broken = match &sent {
            Sent::Answered(..) => false,
            Sent::Failed(failure) => failure.class == ErrorClass::Reset,
            Sent::Unsent => true,
        };
        if is_on_trial && is_broken {
            self.pool.distrust(&target.origin, started);
        }
        match sent {
            Sent::Answered(answer, reusable) => {
                if let Some(connection) = reusable {
                    self.pool.put(&target.origin, connection, self.clock.monotonic());
                }
                Some(Ok(answer))
            }
            Sent::Failed(failure) => Some(Err(failure)),
            Sent::Unsent => None,
        }
    }

    async fn send_http2(
        &self,
        target: &Parts,
        connection: H2,
        place: &mut Place,
        by: Deadlines,
    ) -> Option<Result<Answer, Failure>> {
        let request = place.as_mut()?;
        // The authority says it; beside it a host header is only a chance to differ.
        request.headers_mut().remove(HOST);
        *request.uri_mut() = target.absolute.clone();
        let sent = connection.clone().send(place, &self.clock, by).await;
        if matches!(sent, Sent::Unsent) || connection.is_closed() {
            self.pool.forget(&target.origin, &connection);
        }
        match sent {
            Sent::Answered(answer, _) => Some(Ok(answer)),
            Sent::Failed(failure) => Some(Err(failure)),
            Sent::Unsent => None,
        }
    }
}

/// The address that was connected to, and what came of the request.
type Ended = (Option<SocketAddr>, Result<Answer, Failure>);

/// Says how long the body is where its absence would not be understood: what has a length says so itself.
fn say_length(request: &mut Request<Body>) {
    request.headers_mut().remove(CONTENT_LENGTH);
    if request.body().is_empty() && matches!(*request.method(), Method::POST | Method::PUT | Method::PATCH) {
        request.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
}
