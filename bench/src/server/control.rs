//! The few calls of the API beside events: subscribing, readiness, metrics.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};

use crate::http1;

/// No answer may take longer.
const LONGEST_ANSWER: Duration = Duration::from_secs(30);

/// One connection for calls that are not measured.
#[derive(Debug)]
pub(crate) struct Control {
    address: SocketAddr,
    key: &'static str,
    stream: Option<TcpStream>,
}

impl Control {
    pub(crate) fn new(address: SocketAddr, key: &'static str) -> Self {
        Self { address, key, stream: None }
    }

    pub(crate) fn is_ready(&mut self) -> bool {
        matches!(self.call("GET", "/readyz", ""), Ok((200..300, _)))
    }

    pub(crate) fn subscribe(&mut self, account: &str, event: &str, target: &str) -> anyhow::Result<()> {
        let body = serde_json::json!({ "account": account, "event": event, "target_url": target });
        let (status, answer) = self.call("POST", "/api/v1/subscription/", &body.to_string())?;
        ensure!(status == 201, "subscribing was answered with {status}: {answer}");
        Ok(())
    }

    /// Registers an event type.
    pub(crate) fn add_event_type(&mut self, name: &str) -> anyhow::Result<()> {
        let body = serde_json::json!({ "name": name });
        let (status, answer) = self.call("POST", "/api/v1/event-type/", &body.to_string())?;
        ensure!(status == 201, "registering a type was answered with {status}: {answer}");
        Ok(())
    }

    /// Whether the node knows an event type.
    pub(crate) fn has_event_type(&mut self, name: &str) -> anyhow::Result<bool> {
        match self.call("GET", &format!("/api/v1/event-type/{name}/"), "")? {
            (200, _) => Ok(true),
            (404, _) => Ok(false),
            (status, answer) => bail!("asking for a type was answered with {status}: {answer}"),
        }
    }

    /// The sum of a metric's samples.
    pub(crate) fn metric(&mut self, name: &str) -> anyhow::Result<u64> {
        let (status, text) = self.call("GET", "/metrics", "")?;
        ensure!(status == 200, "/metrics was answered with {status}");
        sum_of(&text, name).with_context(|| format!("/metrics has no {name}"))
    }

    fn call(&mut self, method: &str, path: &str, body: &str) -> anyhow::Result<(u16, String)> {
        let kept = self.stream.is_some();
        match self.exchange(method, path, body) {
            // A connection that was idle may have been closed by the server meanwhile.
            Err(_) if kept && method == "GET" => self.exchange(method, path, body),
            result => result,
        }
    }

    fn exchange(&mut self, method: &str, path: &str, body: &str) -> anyhow::Result<(u16, String)> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => self.connect()?,
        };
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\n\
             content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}",
            self.address, self.key
        );
        stream.write_all(request.as_bytes())?;
        let mut buffer = Vec::new();
        let mut chunk = [0; 16 * 1024];
        let message = loop {
            if let Some(message) = http1::message(&buffer)? {
                break message;
            }
            match stream.read(&mut chunk)? {
                0 => bail!("the server closed a connection"),
                read => buffer.extend_from_slice(chunk.get(..read).unwrap_or_default()),
            }
        };
        let body = buffer.get(message.head..message.whole).unwrap_or_default();
        let answer = (http1::status(&buffer)?, String::from_utf8_lossy(body).into_owned());
        self.stream = Some(stream);
        Ok(answer)
    }

    fn connect(&self) -> anyhow::Result<TcpStream> {
        let stream = TcpStream::connect(self.address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(LONGEST_ANSWER))?;
        stream.set_write_timeout(Some(LONGEST_ANSWER))?;
        Ok(stream)
    }
}

/// The sum of the samples of a metric: `name` alone, or `name{…}` to the one with these labels.
fn sum_of(text: &str, name: &str) -> Option<u64> {
    let mut found = None;
    for line in text.lines() {
        let Some(rest) = line.strip_prefix(name) else { continue };
        if !rest.starts_with([' ', '{']) {
            continue;
        }
        let value: f64 = rest.rsplit(' ').next()?.parse().ok()?;
        found = Some(found.unwrap_or(0) + value as u64);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_summed_over_their_labels() {
        let text =
            "# HELP a_total help\na_total{status=\"x\"} 3\na_total{status=\"y\"} 4\na_total_created 9\nb 1\n";
        assert_eq!(sum_of(text, "a_total"), Some(7));
        assert_eq!(sum_of(text, "a_total{status=\"y\"}"), Some(4));
        assert_eq!(sum_of(text, "b"), Some(1));
        assert_eq!(sum_of(text, "c"), None);
    }
}
