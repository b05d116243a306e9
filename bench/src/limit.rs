//! (a) The limit: the same signed POSTs by a bare hyper client to the same receiver, with no store and no engine.
//!
//! Each connection sends one request after another. How many connections, and whether their tasks may move between
//! threads, is tried first; the best shape is then measured in every round.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use http_body_util::Full;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;

use crate::signed::Signed;

/// Connections that are tried.
const CONNECTIONS: [usize; 4] = [16, 64, 128, 256];
/// How long each shape is tried.
const TRIAL: Duration = Duration::from_millis(700);
/// How long each round takes.
const ROUND: Duration = Duration::from_millis(2000);
/// The last answers of a round may take so long.
const LONGEST_ANSWER: Duration = Duration::from_secs(30);

/// How the client is set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shape {
    /// Connections, each with one request at a time.
    pub connections: usize,
    /// Two threads that keep their own tasks, rather than two that take each other's.
    pub apart: bool,
}

impl std::fmt::Display for Shape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let threads = if self.apart { "2 threads apart" } else { "2 shared threads" };
        write!(f, "{} connections on {threads}", self.connections)
    }
}

/// What one round came to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Round {
    /// Requests that were answered with 200.
    pub answered: u64,
    /// From the first request to the last answer.
    pub took: Duration,
}

impl Round {
    /// Requests per second.
    pub(crate) fn rate(&self) -> f64 {
        self.answered as f64 / self.took.as_secs_f64()
    }
}

/// Tries every shape, and says which was the best.
pub(crate) fn best_shape(target: SocketAddr) -> anyhow::Result<Shape> {
    let mut best: Option<(f64, Shape)> = None;
    for connections in CONNECTIONS {
        for apart in [false, true] {
            let shape = Shape { connections, apart };
            let rate = measure(target, shape, TRIAL)?.rate();
            if best.is_none_or(|(record, _)| rate > record) {
                best = Some((rate, shape));
            }
        }
    }
    Ok(best.context("no shape was tried")?.1)
}

/// One round with a shape.
pub(crate) fn round(target: SocketAddr, shape: Shape) -> anyhow::Result<Round> {
    measure(target, shape, ROUND)
}

fn measure(target: SocketAddr, shape: Shape, time: Duration) -> anyhow::Result<Round> {
    let counts = Arc::new(Counts::default());
    let signed = Arc::new(Signed::new(target));
    let begun = Instant::now();
    let work = |connections: usize| {
        let (counts, signed) = (Arc::clone(&counts), Arc::clone(&signed));
        move |runtime: Runtime| runtime.block_on(flood(target, signed, counts, connections, time))
    };
    if shape.apart {
        let alone = || Builder::new_current_thread().enable_all().build();
        let (one, other) = (work(shape.connections / 2), work(shape.connections / 2));
        let (first, second) = (alone()?, alone()?);
        let thread = std::thread::spawn(move || other(second));
        one(first)?;
        thread.join().map_err(|_| anyhow::anyhow!("a thread of the client failed"))??;
    } else {
        work(shape.connections)(Builder::new_multi_thread().worker_threads(2).enable_all().build()?)?;
    }
    Ok(Round { answered: counts.answered.load(Ordering::Relaxed), took: begun.elapsed() })
}

#[derive(Debug, Default)]
struct Counts {
    answered: AtomicU64,
    is_over: AtomicBool,
}

async fn flood(
    target: SocketAddr,
    signed: Arc<Signed>,
    counts: Arc<Counts>,
    connections: usize,
    time: Duration,
) -> anyhow::Result<()> {
    let mut senders = JoinSet::new();
    for _ in 0..connections {
        senders.spawn(send(target, Arc::clone(&signed), Arc::clone(&counts)));
    }
    tokio::time::sleep(time).await;
    counts.is_over.store(true, Ordering::Relaxed);
    let all = async {
        while let Some(ended) = senders.join_next().await {
            ended??;
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(LONGEST_ANSWER, all).await.context("the receiver did not answer in time")?
}

async fn send(target: SocketAddr, signed: Arc<Signed>, counts: Arc<Counts>) -> anyhow::Result<()> {
    let stream = TcpStream::connect(target).await?;
    stream.set_nodelay(true)?;
    let (mut sender, connection) = http1::handshake::<_, Full<bytes::Bytes>>(TokioIo::new(stream)).await?;
    let driver = tokio::spawn(connection);
    let mut answered = 0;
    while !counts.is_over.load(Ordering::Relaxed) {
        sender.ready().await?;
        let answer = sender.send_request(signed.request()).await?;
        ensure!(answer.status() == 200, "the receiver answered with {}", answer.status());
        answered += 1;
    }
    counts.answered.fetch_add(answered, Ordering::Relaxed);
    drop(sender);
    // It ends by itself now that nobody can send; how it ends no longer matters.
    drop(driver.await);
    Ok(())
}
