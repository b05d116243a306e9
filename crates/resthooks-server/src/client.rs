//! A client of the HTTP API of a running server, for the commands that ask one: one request, one connection, a bounded
//! answer. Never used for hooks; those leave through the engine's own client and its address guard.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::rt::TokioIo;
use resthooks::env::{Clock, SystemClock};
use rustls::pki_types::ServerName;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use url::Url;

use crate::settings::Hidden;

/// The largest answer that is read, in bytes.
const MAX_ANSWER_BYTES: usize = 16 * 1024 * 1024;
/// How long one request may take, in all.
const WITHIN: Duration = Duration::from_secs(30);

/// Where the API is, and the key that is shown to it.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    base: Url,
    key: Hidden,
    clock: Arc<dyn Clock>,
}

impl Client {
    /// A client of the server at `base` (`http://127.0.0.1:8080`).
    ///
    /// # Errors
    /// When that is not an http or https URL.
    pub(crate) fn new(base: &str, key: &str) -> anyhow::Result<Self> {
        let base = Url::parse(base.trim_end_matches('/')).with_context(|| format!("{base} is not a URL"))?;
        if !matches!(base.scheme(), "http" | "https") || base.host().is_none() {
            bail!("{base} is not an http or https URL");
        }
        Ok(Self { base, key: key.to_owned().into(), clock: Arc::new(SystemClock::default()) })
    }

    /// Asks for something below `/api/v1`; the JSON of a 2xx answer.
    ///
    /// # Errors
    /// What went wrong on the way, or what the server answered instead.
    pub(crate) async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> anyhow::Result<Value> {
        let exchange = self.exchange(method, path, body);
        let (status, bytes) = tokio::select! {
            answered = exchange => answered?,
            () = self.clock.sleep(WITHIN) => bail!("{} did not answer within {} s", self.base, WITHIN.as_secs()),
        };
        let json = if bytes.is_empty() { Ok(Value::Null) } else { serde_json::from_slice(&bytes) };
        match json {
            Ok(json) if status.is_success() => Ok(json),
            Ok(problem) => bail!("{}", refusal(status, &problem)),
            Err(_) => bail!("{} answered {status} and no JSON: is it a resthooks server?", self.base),
        }
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> anyhow::Result<(StatusCode, Bytes)> {
        let host = self.base.host_str().unwrap_or_default();
        let port = self.base.port_or_known_default().unwrap_or(80);
        let authority = match self.base.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        };
        let target = format!("{}/api/v1{path}", self.base.path().trim_end_matches('/'));
        let mut request = Request::builder()
            .method(method)
            .uri(target)
            .header(HOST, authority)
            .header(AUTHORIZATION, format!("Bearer {}", &*self.key));
        if body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let body = body.map(Value::to_string).unwrap_or_default();
        let request = request.body(Full::new(Bytes::from(body))).context("the request can't be built")?;
        let stream = connect(host, port).await.with_context(|| format!("can't connect to {}", self.base))?;
        match self.base.scheme() {
            "https" => send(tls(host, stream).await?, request).await,
            _ => send(stream, request).await,
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the operator's own server, named by the operator: not a target"
)]
async fn connect(host: &str, port: u16) -> std::io::Result<TcpStream> {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let stream = TcpStream::connect((host, port)).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

async fn tls(host: &str, stream: TcpStream) -> anyhow::Result<tokio_rustls::client::TlsStream<TcpStream>> {
    let mut roots = rustls::RootCertStore::empty();
    roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(host.to_owned())?;
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    connector.connect(name, stream).await.context("the TLS handshake failed")
}

async fn send<S>(stream: S, request: Request<Full<Bytes>>) -> anyhow::Result<(StatusCode, Bytes)>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    // It ends when the sender is dropped; what goes wrong on it is told to the sender.
    let connection = tokio::spawn(connection);
    let answer = sender.send_request(request).await?;
    let status = answer.status();
    let body = Limited::new(answer.into_body(), MAX_ANSWER_BYTES).collect().await;
    let bytes = body.map_err(|e| anyhow::anyhow!("the answer can't be read: {e}"))?.to_bytes();
    drop(sender);
    let _ = connection.await;
    Ok((status, bytes))
}

/// A field of an answer that is text.
pub(crate) fn text<'a>(answer: &'a Value, field: &str) -> anyhow::Result<&'a str> {
    answer.get(field).and_then(Value::as_str).with_context(|| format!("the answer has no {field}"))
}

/// A field of an answer that is a list: `data`, mostly.
pub(crate) fn list<'a>(answer: &'a Value, field: &str) -> anyhow::Result<&'a [Value]> {
    let list = answer.get(field).and_then(Value::as_array);
    list.map(Vec::as_slice).with_context(|| format!("the answer has no {field}"))
}

/// A problem document in one line.
fn refusal(status: StatusCode, problem: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let fields = problem["errors"].as_array().map_or(&[][..], Vec::as_slice);
    let fields: Vec<_> =
        fields.iter().map(|field| format!("{} {}", text(&field["field"]), text(&field["message"]))).collect();
    let detail = if fields.is_empty() { text(&problem["detail"]) } else { fields.join("; ") };
    format!("the server answered {status}: {detail}")
}
