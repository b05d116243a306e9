//! A plain client of the HTTP API.

use std::io::{self, BufReader, Write as _};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use serde_json::Value;

use super::line::Line;
use super::wire::Message;

/// No answer takes longer than this, but one that is never to come.
const PATIENCE: Duration = Duration::from_secs(60);

/// A caller with the admin key, on one connection that is kept while it works.
#[derive(Debug)]
pub(crate) struct Api {
    address: SocketAddr,
    /// Another key than the admin's.
    key: Option<String>,
    tls: Option<Arc<ClientConfig>>,
    connection: Option<BufReader<Line>>,
}

/// An answer.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) json: Value,
    message: Message,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.message.header(name)
    }

    /// All of them, in their order.
    pub(crate) fn headers(&self) -> &[(String, String)] {
        &self.message.headers
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.message.body).into_owned()
    }

    /// Itself when it has this status.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{} {}", self.message.first, self.text());
        self
    }

    /// A member of its JSON that is a text.
    #[track_caller]
    pub(crate) fn str(&self, member: &str) -> String {
        let found = self.json[member].as_str();
        found.unwrap_or_else(|| panic!("no text {member} in {}", self.json)).to_owned()
    }
}

impl Api {
    pub(crate) const fn new(address: SocketAddr) -> Self {
        Self { address, key: None, tls: None, connection: None }
    }

    /// A caller who speaks TLS.
    pub(crate) const fn within_tls(address: SocketAddr, tls: Arc<ClientConfig>) -> Self {
        Self { address, key: None, tls: Some(tls), connection: None }
    }

    /// A caller with this key.
    pub(crate) fn with_key(address: SocketAddr, key: &str) -> Self {
        Self { key: Some(key.to_owned()), ..Self::new(address) }
    }

    /// The key that it has instead of the admin's.
    #[track_caller]
    pub(crate) fn key(&self) -> &str {
        self.key.as_deref().expect("a key of its own")
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Asks; an error when the connection breaks before the answer is whole. What was asked may have happened then.
    pub(crate) fn ask(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&[u8]>,
    ) -> io::Result<Answer> {
        let answer = self.exchange(method, path, headers, body);
        if answer.as_ref().map_or(true, |answer| answer.header("connection") == Some("close")) {
            self.connection = None;
        }
        answer
    }

    fn exchange(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&[u8]>,
    ) -> io::Result<Answer> {
        let mut request = format!("{method} {path} HTTP/1.1\r\nhost: {}\r\n", self.address);
        request += &format!("authorization: Bearer {}\r\n", self.key.as_deref().unwrap_or("dev"));
        for (name, value) in headers {
            request += &format!("{name}: {value}\r\n");
        }
        if let Some(body) = body {
            request += &format!("content-type: application/json\r\ncontent-length: {}\r\n", body.len());
        }
        request += "\r\n";
        let mut request = request.into_bytes();
        request.extend_from_slice(body.unwrap_or_default());
        let connection = self.connection()?;
        connection.get_mut().write_all(&request)?;
        connection.get_mut().flush()?;
        let message = Message::read(connection)?;
        let message = message.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))?;
        let status = message.first.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.ok_or_else(|| io::Error::other(format!("no status in {:?}", message.first)))?;
        let json = serde_json::from_slice(&message.body).unwrap_or(Value::Null);
        Ok(Answer { status, json, message })
    }

    fn connection(&mut self) -> io::Result<&mut BufReader<Line>> {
        let stream = match self.connection.take() {
            Some(connection) => connection,
            None => BufReader::new(Line::connect(self.address, self.tls.as_ref(), PATIENCE)?),
        };
        Ok(self.connection.insert(stream))
    }

    #[track_caller]
    pub(crate) fn get(&mut self, path: &str) -> Answer {
        self.sure("GET", path, None)
    }

    #[track_caller]
    pub(crate) fn delete(&mut self, path: &str) -> Answer {
        self.sure("DELETE", path, None)
    }

    #[track_caller]
    pub(crate) fn post(&mut self, path: &str, body: &Value) -> Answer {
        self.sure("POST", path, Some(body))
    }

    #[track_caller]
    pub(crate) fn patch(&mut self, path: &str, body: &Value) -> Answer {
        self.sure("PATCH", path, Some(body))
    }

    #[track_caller]
    pub(crate) fn put(&mut self, path: &str, body: &Value) -> Answer {
        self.sure("PUT", path, Some(body))
    }

    #[track_caller]
    fn sure(&mut self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        let body = body.map(|body| serde_json::to_vec(body).unwrap());
        match self.ask(method, path, &[], body.as_deref()) {
            Ok(answer) => answer,
            Err(error) => panic!("{method} {path} was not answered: {error}"),
        }
    }
}
