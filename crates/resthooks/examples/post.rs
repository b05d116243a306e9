//! What one POST costs: this crate's client beside hyper's bare `SendRequest`, to a receiver in a process of its own.
//!
//! `cargo run --release -p resthooks --example post [POSTS] [IN_FLIGHT] [bare|ours]` prints posts per second and this process's CPU time
//! per post, for several rounds of both. Linux only: CPU time is read from `/proc`.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use resthooks::deliver::guard::Policy;
use resthooks::deliver::http::{Body, Client, Options, Target};
use resthooks::deliver::resolver::SystemResolver;
use resthooks::env::{Clock, SystemClock};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

type Failed = Box<dyn std::error::Error + Send + Sync>;

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 2\r\n\r\nok";
const ROUNDS: usize = 5;

fn main() -> Result<(), Failed> {
    let mut arguments = std::env::args().skip(1);
    let first = arguments.next();
    if first.as_deref() == Some("receive") {
        return tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(receive());
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let posts = first.map_or(Ok(100_000), |text| text.parse())?;
    let in_flight = arguments.next().map_or(Ok(32), |text| text.parse())?;
    let mut receiver =
        Command::new(std::env::current_exe()?).arg("receive").stdout(Stdio::piped()).spawn()?;
    let mut line = String::new();
    BufReader::new(receiver.stdout.take().ok_or("no output")?).read_line(&mut line)?;
    let address: SocketAddr = line.trim().parse()?;
    let only = arguments.next();
    let is_wanted = |name| only.as_deref().is_none_or(|only| only == name);
    for _ in 0..ROUNDS {
        if is_wanted("bare") {
            report("bare hyper", posts, || runtime.block_on(bare(address, posts, in_flight)))?;
        }
        if is_wanted("ours") {
            report("this client", posts, || runtime.block_on(ours(address, posts, in_flight)))?;
        }
    }
    receiver.kill()?;
    receiver.wait()?;
    Ok(())
}

fn report(name: &str, posts: usize, run: impl FnOnce() -> Result<(), Failed>) -> Result<(), Failed> {
    let clock = SystemClock::default();
    let before = cpu()?;
    run()?;
    let (wall, cpu) = (clock.monotonic().as_secs_f64(), cpu()?.saturating_sub(before).as_secs_f64());
    let count = f64::from(u32::try_from(posts)?);
    println!("{name:<12} {:>8.0} posts/s {:>6.2} µs CPU per post", count / wall, cpu * 1e6 / count);
    Ok(())
}

/// User and system time of this process, in the kernel's ticks of 10 ms.
fn cpu() -> Result<Duration, Failed> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let after_name = stat.rsplit_once(')').ok_or("no name")?.1;
    let ticks: u64 =
        after_name.split_whitespace().skip(11).take(2).map(str::parse::<u64>).sum::<Result<_, _>>()?;
    Ok(Duration::from_millis(ticks * 10))
}

/// Headers as a delivery has them.
fn headers() -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(16);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(USER_AGENT, HeaderValue::from_static("resthooks/0.1.0"));
    for (name, value) in [
        ("webhook-id", "dlv_01J0000000000000000000000001J0000000000000000000000"),
        ("webhook-timestamp", "1767323045"),
        ("webhook-signature", "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw="),
        ("x-hook-signature", "b59d48e3f843ca000980ee5363189277a49dd240d6ea13de9c37be6d36b72a4c"),
        ("x-hook-event", "contact.create"),
        ("x-hook-subscription", "sub_01J00000000000000000000000"),
        ("x-hook-sequence", "123456"),
        ("x-hook-attempt", "1"),
    ] {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    headers
}

fn pieces() -> [Bytes; 3] {
    [Bytes::from(vec![b'a'; 120]), Bytes::from(vec![b'b'; 400]), Bytes::from(vec![b'c'; 110])]
}

async fn ours(address: SocketAddr, posts: usize, in_flight: usize) -> Result<(), Failed> {
    let policy =
        Policy { allow_http: true, allow_private: true, allowed: Vec::new(), allowed_ports: Vec::new() };
    let options = Options::new(policy, Arc::new(SystemResolver::default()), Arc::new(SystemClock::default()));
    let client = Client::new(options)?;
    let target = Target::new(&format!("http://{address}/hook").parse()?);
    let left = Arc::new(AtomicUsize::new(posts));
    let senders = (0..in_flight).map(|_| {
        let (client, target, left, pieces) = (client.clone(), target.clone(), Arc::clone(&left), pieces());
        tokio::spawn(async move {
            while take_one(&left) {
                let exchange = client.post(&target, headers(), Body::new(pieces.clone())).await;
                let answer = exchange.answer.map_err(|failure| failure.detail)?;
                assert_eq!((answer.status, answer.body.as_str()), (200, "ok"));
            }
            Ok::<_, Failed>(())
        })
    });
    for sender in senders.collect::<Vec<_>>() {
        sender.await??;
    }
    Ok(())
}

async fn bare(address: SocketAddr, posts: usize, in_flight: usize) -> Result<(), Failed> {
    let left = Arc::new(AtomicUsize::new(posts));
    let senders = (0..in_flight).map(|_| {
        let (left, body) = (Arc::clone(&left), Bytes::from(pieces().concat()));
        tokio::spawn(async move {
            let stream = open(address).await?;
            let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
            tokio::spawn(async move { drop(connection.await) });
            let host = HeaderValue::try_from(address.to_string())?;
            while take_one(&left) {
                let mut request = http::Request::post("/hook").body(Full::new(body.clone()))?;
                *request.headers_mut() = headers();
                request.headers_mut().insert(HOST, host.clone());
                sender.ready().await?;
                let answer = sender.send_request(request).await?;
                assert_eq!(answer.status(), 200);
                assert_eq!(answer.into_body().collect().await?.to_bytes(), "ok");
            }
            Ok::<_, Failed>(())
        })
    });
    for sender in senders.collect::<Vec<_>>() {
        sender.await??;
    }
    Ok(())
}

fn take_one(left: &AtomicUsize) -> bool {
    left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
}

#[expect(clippy::disallowed_methods, reason = "the bare client that ours is measured against")]
async fn open(address: SocketAddr) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// The cheapest receiver: every read is taken for one whole request.
async fn receive() -> Result<(), Failed> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    println!("{}", listener.local_addr()?);
    loop {
        let (mut stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(async move {
            let mut buffer = vec![0; 16 * 1024];
            while let Ok(1..) = stream.read(&mut buffer).await {
                if stream.write_all(ANSWER).await.is_err() {
                    return;
                }
            }
        });
    }
}
