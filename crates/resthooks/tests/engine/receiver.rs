//! A receiver on a real socket that answers each request as it sees fit, and notes what the turned clock showed.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use resthooks::env::{Clock, ManualClock};
use resthooks::model::Timestamp;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) at: Timestamp,
    pub(crate) method: String,
    pub(crate) path: String,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// Whether it carries an event.
    pub(crate) fn is_delivery(&self) -> bool {
        self.header("webhook-id").is_some()
    }

    pub(crate) fn secret(&self) -> String {
        self.header("x-hook-secret").unwrap().to_owned()
    }

    /// The echo of its secret.
    pub(crate) fn echo(&self) -> Answer {
        answer(200, &format!("x-hook-secret: {}\r\n", self.secret()))
    }
}

/// What is answered, byte for byte; `None` says nothing until the other side gives up.
pub(crate) type Answer = Option<String>;

/// An answer with these header lines and no body.
pub(crate) fn answer(status: u16, headers: &str) -> Answer {
    Some(format!("HTTP/1.1 {status} x\r\n{headers}content-length: 0\r\n\r\n"))
}

type Answering = dyn Fn(&Asked) -> Answer + Send + Sync;

pub(crate) struct Receiver {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    clock: ManualClock,
    answering: Mutex<Arc<Answering>>,
    asked: Mutex<Vec<Asked>>,
    hangs_up: AtomicBool,
    connections: AtomicUsize,
}

impl Receiver {
    pub(crate) async fn start(
        clock: &ManualClock,
        answering: impl Fn(&Asked) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            clock: clock.clone(),
            answering: Mutex::new(Arc::new(answering)),
            asked: Mutex::default(),
            hangs_up: AtomicBool::new(false),
            connections: AtomicUsize::new(0),
        });
        let serving = Arc::clone(&shared);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                serving.connections.fetch_add(1, Ordering::Relaxed);
                if serving.hangs_up.load(Ordering::Relaxed) {
                    continue;
                }
                tokio::spawn(serve(stream, Arc::clone(&serving)));
            }
        });
        Self { address, shared }
    }

    /// From now on it answers otherwise.
    pub(crate) fn answers(&self, answering: impl Fn(&Asked) -> Answer + Send + Sync + 'static) {
        *self.shared.answering.lock().unwrap() = Arc::new(answering);
    }

    /// From now on it hangs up on whoever connects, or does so no more.
    pub(crate) fn hangs_up(&self, does: bool) {
        self.shared.hangs_up.store(does, Ordering::Relaxed);
    }

    /// How often somebody has connected.
    pub(crate) fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::Relaxed)
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/hook?own=1", self.address)
    }

    /// What it was asked so far, without deliveries.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.shared.asked.lock().unwrap().iter().filter(|one| !one.is_delivery()).cloned().collect()
    }

    /// What was delivered so far.
    pub(crate) fn delivered(&self) -> Vec<Asked> {
        self.shared.asked.lock().unwrap().iter().filter(|one| one.is_delivery()).cloned().collect()
    }
}

async fn serve(mut stream: TcpStream, shared: Arc<Shared>) {
    while let Some(asked) = read(&mut stream, &shared.clock).await {
        let answering = Arc::clone(&shared.answering.lock().unwrap());
        shared.asked.lock().unwrap().push(asked.clone());
        let Some(answer) = answering(&asked) else {
            let _ = stream.read_to_end(&mut Vec::new()).await;
            return;
        };
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

async fn read(stream: &mut TcpStream, clock: &ManualClock) -> Option<Asked> {
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
    let mut lines = head.lines();
    let mut first = lines.next()?.split(' ').map(str::to_owned);
    let (method, path) = (first.next()?, first.next()?);
    let owned = |(name, value): (&str, &str)| (name.to_lowercase(), value.to_owned());
    let headers: Vec<_> = lines.filter_map(|line| line.split_once(": ")).map(owned).collect();
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length: usize = length.map_or(0, |(_, value)| value.parse().unwrap());
    while bytes.len() < end + length {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    Some(Asked { at: clock.now(), method, path, headers, body: bytes[end..].to_vec() })
}
