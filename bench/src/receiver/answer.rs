//! Inside the receiver's process: one thread, a task per connection, nothing parsed but where a request ends.
//!
//! Takes commands on stdin and ends with it, so that it never outlives the bench.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use anyhow::Context as _;
use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::http1;
use crate::payload::stamp_of;

/// The one answer.
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
/// Latencies that are kept; what comes later is only counted.
const MAX_LATENCIES: usize = 1_000_000;
/// Connections that are held open without an answer; past it, all are let go.
const MAX_HELD: usize = 10_000;

/// What the receiver has seen.
#[derive(Debug, Default)]
struct Seen {
    requests: AtomicU64,
    bytes: AtomicU64,
    connections: AtomicU64,
    timed: AtomicBool,
    latencies_us: Mutex<Vec<u64>>,
}

impl Seen {
    fn request(&self, request: &[u8]) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(request.len() as u64, Ordering::Relaxed);
        if !self.timed.load(Ordering::Relaxed) {
            return;
        }
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.as_nanos());
        let Some(sent) = stamp_of(request) else { return };
        let mut latencies = self.latencies_us.lock().unwrap_or_else(PoisonError::into_inner);
        if latencies.len() < MAX_LATENCIES {
            latencies.push(u64::try_from(now.saturating_sub(sent) / 1000).unwrap_or(u64::MAX));
        }
    }

    /// Answers a command in one line.
    fn command(&self, command: &str) -> String {
        match command {
            "reset" | "time" => {
                self.timed.store(command == "time", Ordering::Relaxed);
                self.latencies_us.lock().unwrap_or_else(PoisonError::into_inner).clear();
                self.bytes.store(0, Ordering::Relaxed);
                self.connections.store(0, Ordering::Relaxed);
                self.requests.swap(0, Ordering::Relaxed).to_string()
            }
            "latencies" => {
                let latencies = self.latencies_us.lock().unwrap_or_else(PoisonError::into_inner);
                let words: Vec<String> = latencies.iter().map(u64::to_string).collect();
                words.join(" ")
            }
            _ => {
                let counts = [&self.requests, &self.bytes, &self.connections];
                counts.map(|count| count.load(Ordering::Relaxed).to_string()).join(" ")
            }
        }
    }
}

/// Runs the receiver until stdin ends.
pub(crate) fn run() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    runtime.block_on(async {
        let seen = Arc::new(Seen::default());
        let answering = TcpListener::bind("127.0.0.1:0").await?;
        let hanging = TcpListener::bind("127.0.0.1:0").await?;
        println!("{} {}", answering.local_addr()?.port(), hanging.local_addr()?.port());
        let ended = obey(Arc::clone(&seen));
        tokio::select! {
            result = accept(answering, seen) => result,
            result = hang(hanging) => result,
            result = ended => result.context("reading commands"),
        }
    })
}

/// Reads commands on a thread of its own: stdin knows no readiness.
async fn obey(seen: Arc<Seen>) -> anyhow::Result<()> {
    let (end, ended) = tokio::sync::oneshot::channel::<()>();
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            println!("{}", seen.command(line.trim()));
        }
        drop(end);
    });
    let _dropped = ended.await;
    Ok(())
}

async fn accept(listener: TcpListener, seen: Arc<Seen>) -> anyhow::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let seen = Arc::clone(&seen);
        seen.connections.fetch_add(1, Ordering::Relaxed);
        // A connection that breaks shows in the counts.
        tokio::spawn(async move { drop(connection(stream, &seen).await) });
    }
}

async fn connection(mut stream: TcpStream, seen: &Seen) -> anyhow::Result<()> {
    let mut buffer = BytesMut::with_capacity(8 * 1024);
    loop {
        while let Some(message) = http1::message(&buffer)? {
            seen.request(buffer.get(..message.whole).unwrap_or_default());
            buffer.advance(message.whole);
            stream.write_all(ANSWER).await?;
        }
        buffer.reserve(4 * 1024);
        if stream.read_buf(&mut buffer).await? == 0 {
            return Ok(());
        }
    }
}

/// Keeps connections open and reads nothing from them.
async fn hang(listener: TcpListener) -> anyhow::Result<()> {
    let mut held = Vec::new();
    loop {
        let (stream, _) = listener.accept().await?;
        if held.len() >= MAX_HELD {
            held.clear();
        }
        held.push(stream);
    }
}
