//! The load generator: keep-alive connections on one thread, each with one request at a time, nothing allocated per
//! request.
//!
//! Runs inside the bench's own process. Counts only what was answered with 202; a 503 is tried again a little later, as a
//! producer would; any other answer ends the run.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context as _, bail};
use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::http1;
use crate::payload::Template;
use crate::samples::Samples;
use crate::server::Aim;

/// No run may take longer.
const LONGEST_RUN: Duration = Duration::from_secs(1800);
/// The last answers of a run may take so long.
const LONGEST_ANSWER: Duration = Duration::from_secs(60);
/// After a 503.
const PAUSE: Duration = Duration::from_millis(20);
/// Connections that share the requests of a paced run: one slow answer does not hold up the next request.
const PACED_CONNECTIONS: u64 = 8;

/// When a run ends.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Until {
    /// After so many accepted requests.
    Count(u64),
    /// After so long.
    Time(Duration),
}

/// What came of a run.
#[derive(Debug, Clone, Default)]
pub(crate) struct Outcome {
    /// Requests answered with 202.
    pub accepted: u64,
    /// Requests answered with 503 (and sent again).
    pub refused: u64,
    /// From the first request to the last answer.
    pub took: Duration,
    /// How long each answer took, of every 16th request.
    pub answers_ms: Samples,
}

impl Outcome {
    /// Accepted requests per second.
    pub(crate) fn rate(&self) -> f64 {
        self.accepted as f64 / self.took.as_secs_f64()
    }
}

/// Sends as fast as the answers come, on so many connections, which are spread over all aims.
pub(crate) fn run(aims: &[Aim], connections: u32, until: Until) -> anyhow::Result<Outcome> {
    let tickets = Arc::new(AtomicU64::new(0));
    let begun = Instant::now();
    let (count, deadline) = match until {
        Until::Count(count) => (count, begun + LONGEST_RUN),
        Until::Time(time) => (u64::MAX, begun + time.min(LONGEST_RUN)),
    };
    let all = on_one_thread(deadline + LONGEST_ANSWER, async {
        let mut workers = JoinSet::new();
        for Aim { address, template } in aims.iter().cycle().take(connections as usize).cloned() {
            let tickets = Arc::clone(&tickets);
            workers.spawn(async move {
                let mut connection = Connection::open(address).await?;
                flood(&mut connection, template, &tickets, count, deadline).await
            });
        }
        gather(workers).await
    })?;
    let outcome = Outcome { took: begun.elapsed(), ..all };
    if let Until::Count(count) = until {
        anyhow::ensure!(outcome.accepted == count, "{} of {count} requests in time", outcome.accepted);
    }
    Ok(outcome)
}

async fn flood(
    connection: &mut Connection,
    mut template: Template,
    tickets: &AtomicU64,
    count: u64,
    deadline: Instant,
) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::default();
    while tickets.fetch_add(1, Ordering::Relaxed) < count {
        loop {
            let asked = Instant::now();
            if asked >= deadline {
                return Ok(outcome);
            }
            if connection.post(&mut template).await? {
                if outcome.accepted.is_multiple_of(16) {
                    outcome.answers_ms.push(asked.elapsed().as_secs_f64() * 1000.0);
                }
                break;
            }
            outcome.refused += 1;
            tokio::time::sleep(PAUSE).await;
        }
        outcome.accepted += 1;
    }
    Ok(outcome)
}

/// Sends at a steady rate for so long, whatever the answers do. Each request carries the moment at which it was due.
pub(crate) fn paced(aim: &Aim, per_second: u32, time: Duration) -> anyhow::Result<Outcome> {
    let step = Duration::from_secs(1) / per_second;
    let count = (time.min(LONGEST_RUN).as_secs_f64() * f64::from(per_second)) as u64;
    let begun = tokio::time::Instant::now();
    let begun_wall = SystemTime::now();
    let deadline = Instant::now() + time.min(LONGEST_RUN) + LONGEST_ANSWER;
    let all = on_one_thread(deadline, async {
        let mut workers = JoinSet::new();
        for first in 0..PACED_CONNECTIONS.min(count) {
            let Aim { address, mut template } = aim.clone();
            workers.spawn(async move {
                let mut connection = Connection::open(address).await?;
                let mut outcome = Outcome::default();
                for turn in (first..count).step_by(PACED_CONNECTIONS as usize) {
                    let due = step * u32::try_from(turn + 1).unwrap_or(u32::MAX);
                    tokio::time::sleep_until(begun + due).await;
                    let late = begun.elapsed().saturating_sub(due);
                    // A timer is up to a millisecond late, and that is not the server's doing; more than that is.
                    let sent =
                        if late > Duration::from_millis(2) { begun_wall + due } else { SystemTime::now() };
                    let asked = Instant::now();
                    let accepted = connection.post_stamped(&mut template, sent).await?;
                    anyhow::ensure!(accepted, "refused at {per_second} events a second");
                    outcome.answers_ms.push(asked.elapsed().as_secs_f64() * 1000.0);
                    outcome.accepted += 1;
                }
                Ok(outcome)
            });
        }
        gather(workers).await
    })?;
    Ok(Outcome { took: begun.elapsed(), ..all })
}

/// One timer for the whole run: one for each answer would cost more than it is worth.
fn on_one_thread<T>(deadline: Instant, work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let bounded = async { tokio::time::timeout_at(deadline.into(), work).await };
    runtime.block_on(bounded).context("no answer in time")?
}

async fn gather(mut workers: JoinSet<anyhow::Result<Outcome>>) -> anyhow::Result<Outcome> {
    let mut all = Outcome::default();
    while let Some(ended) = workers.join_next().await {
        let one = ended??;
        all.accepted += one.accepted;
        all.refused += one.refused;
        all.answers_ms.extend(one.answers_ms);
    }
    Ok(all)
}

/// One connection to the server.
struct Connection {
    stream: TcpStream,
    buffer: BytesMut,
}

impl Connection {
    async fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await.context("connecting to the server")?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: BytesMut::with_capacity(8 * 1024) })
    }

    async fn post(&mut self, template: &mut Template) -> anyhow::Result<bool> {
        self.post_stamped(template, SystemTime::now()).await
    }

    /// Sends a request; whether it was accepted, or refused for the moment.
    async fn post_stamped(&mut self, template: &mut Template, sent: SystemTime) -> anyhow::Result<bool> {
        let sent = sent.duration_since(SystemTime::UNIX_EPOCH)?.as_nanos();
        self.stream.write_all(template.stamped(sent)).await?;
        match self.answer().await? {
            202 => Ok(true),
            503 | 429 => Ok(false),
            status => bail!("an event was answered with {status}"),
        }
    }

    async fn answer(&mut self) -> anyhow::Result<u16> {
        loop {
            if let Some(message) = http1::message(&self.buffer)? {
                let status = http1::status(&self.buffer)?;
                self.buffer.advance(message.whole);
                return Ok(status);
            }
            self.buffer.reserve(4 * 1024);
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                bail!("the server closed a connection");
            }
        }
    }
}
