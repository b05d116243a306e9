//! Targets on real sockets that note what the turned clock showed when a request came.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use http::{HeaderMap, HeaderName, HeaderValue};
use resthooks::env::{Clock, ManualClock};
use resthooks::model::Timestamp;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What a target does with a request.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    /// Answers with this status.
    Status(u16),
    /// With a header, too.
    Header(u16, &'static str, String),
    /// Says nothing.
    Hang,
    /// Says a byte for each second that the clock is turned by, without an end.
    Dribble,
}

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) at: Timestamp,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Received {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }
}

/// A listening target.
pub(crate) struct Target {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    replies: Vec<Reply>,
    clock: ManualClock,
    received: Mutex<Vec<Received>>,
    tries: Mutex<HashMap<String, usize>>,
}

impl Target {
    /// Answers the first request of each delivery with the first reply, and so on; the last one goes for all further.
    pub(crate) async fn script(clock: &ManualClock, replies: impl IntoIterator<Item = Reply>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            replies: replies.into_iter().collect(),
            clock: clock.clone(),
            received: Mutex::default(),
            tries: Mutex::default(),
        });
        let serving = Arc::clone(&shared);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&serving)));
            }
        });
        Self { address, shared }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.shared.received.lock().unwrap().clone()
    }

    pub(crate) fn count(&self) -> usize {
        self.shared.received.lock().unwrap().len()
    }
}

impl Shared {
    fn take(&self, request: Received) -> Reply {
        let mut tries = self.tries.lock().unwrap();
        let before = tries.entry(request.header("webhook-id").to_owned()).or_default();
        let reply = self.replies[(*before).min(self.replies.len() - 1)].clone();
        *before += 1;
        self.received.lock().unwrap().push(request);
        reply
    }
}

async fn serve(mut stream: TcpStream, shared: Arc<Shared>) {
    while let Some((headers, body)) = read(&mut stream).await {
        let reply = shared.take(Received { at: shared.clock.now(), headers, body });
        let (status, extra) = match reply {
            Reply::Status(status) => (status, String::new()),
            Reply::Header(status, name, value) => (status, format!("{name}: {value}\r\n")),
            Reply::Hang => {
                let mut rest = Vec::new();
                let _ = stream.read_to_end(&mut rest).await;
                return;
            }
            Reply::Dribble => return dribble(stream, &shared.clock).await,
        };
        let answer = format!("HTTP/1.1 {status} x\r\n{extra}content-length: 0\r\n\r\n");
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

async fn dribble(mut stream: TcpStream, clock: &ManualClock) {
    for byte in b"HTTP/1.1 200 OK\r\nx: ".iter().chain(std::iter::repeat(&b'y')) {
        if stream.write_all(&[*byte]).await.is_err() {
            return;
        }
        clock.sleep(std::time::Duration::from_secs(1)).await;
    }
}

async fn read(stream: &mut TcpStream) -> Option<(HeaderMap, Vec<u8>)> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let headers: HeaderMap = head
        .lines()
        .skip(1)
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap()))
        .collect();
    let length: usize = headers["content-length"].to_str().unwrap().parse().unwrap();
    while bytes.len() < end + length {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    Some((headers, bytes[end..].to_vec()))
}
