//! Targets: servers that keep what they were sent, and answer each request as they are told, also with things that
//! no HTTP library would let them say.

use std::collections::HashMap;
use std::io::{self, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use nix::libc;
use nix::sys::socket::{setsockopt, sockopt};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::patience::{now, pass};
use super::wire::Message;

/// What a target does with a request.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    /// Answers with this status and no body.
    Status(u16),
    /// With a header, too.
    Header(u16, &'static str, String),
    /// Answers with these header lines, each with its end, and this body.
    Body(u16, String, String),
    /// Answers after a while.
    After(Duration, u16),
    /// Answers after a while, with these header lines.
    Late(Duration, String),
    /// Breaks the connection off.
    Reset,
    /// Breaks it off when half of the answer's head is written.
    ResetInHead,
    /// Says nothing until the other side gives up.
    Hang,
    /// Answers a byte a second, without an end.
    Dribble,
    /// Answers with a body of so many bytes.
    Flood(u64),
    /// Answers 200 with headers of so many bytes.
    Wide(usize),
}

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) message: Message,
    pub(crate) at: Instant,
    /// Whether a 2xx was written to the end.
    pub(crate) acknowledged: bool,
}

impl Received {
    #[track_caller]
    pub(crate) fn header(&self, name: &str) -> &str {
        let found = self.message.header(name);
        found.unwrap_or_else(|| panic!("no {name} in {:?}", self.message.headers))
    }

    pub(crate) fn id(&self) -> &str {
        self.header("webhook-id")
    }

    /// `x-hook-attempt`.
    #[track_caller]
    pub(crate) fn attempt(&self) -> u32 {
        self.header("x-hook-attempt").parse().unwrap()
    }

    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.message.body).unwrap()
    }
}

type Answering = dyn Fn(&Received, usize) -> Reply + Send + Sync;

struct Shared {
    answering: Box<Answering>,
    tls: Option<Arc<ServerConfig>>,
    received: Mutex<Vec<Received>>,
    /// How many requests there were of each delivery.
    tries: Mutex<HashMap<String, usize>>,
    open: AtomicUsize,
    stopped: AtomicBool,
}

impl Shared {
    /// How many requests of this delivery came before this one.
    fn another(&self, id: &str) -> usize {
        let mut tries = self.tries.lock().unwrap();
        let count = tries.entry(id.to_owned()).or_default();
        *count += 1;
        *count - 1
    }

    fn keep(&self, request: Received) -> usize {
        let mut received = self.received.lock().unwrap();
        received.push(request);
        received.len() - 1
    }
}

/// A listening target.
pub(crate) struct Target {
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl Target {
    /// Answers the first request of each delivery with the first reply, the second with the second, and all further
    /// ones with the last.
    pub(crate) fn script(replies: impl IntoIterator<Item = Reply>) -> Self {
        Self::answering(scripted(replies))
    }

    /// Answers everything alike.
    pub(crate) fn always(reply: Reply) -> Self {
        Self::script([reply])
    }

    /// Answers as the function says, which is given the request and the number of those before it with its id.
    pub(crate) fn answering(answering: impl Fn(&Received, usize) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        Self::on(listener, None, answering)
    }

    /// The same with TLS.
    pub(crate) fn with_tls(config: ServerConfig, replies: impl IntoIterator<Item = Reply>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        Self::on(listener, Some(Arc::new(config)), scripted(replies))
    }

    /// The same on a socket that is there already.
    pub(crate) fn on(
        listener: TcpListener,
        tls: Option<Arc<ServerConfig>>,
        answering: impl Fn(&Received, usize) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            answering: Box::new(answering),
            tls,
            received: Mutex::default(),
            tries: Mutex::default(),
            open: AtomicUsize::new(0),
            stopped: AtomicBool::new(false),
        });
        let serving = Arc::clone(&shared);
        std::thread::spawn(move || accept(&listener, &serving));
        Self { address, shared }
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn url(&self) -> String {
        let scheme = if self.shared.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}/hook", self.address)
    }

    /// All requests so far.
    pub(crate) fn received(&self) -> Vec<Received> {
        self.shared.received.lock().unwrap().clone()
    }

    /// How many requests there were so far.
    pub(crate) fn count(&self) -> usize {
        self.shared.received.lock().unwrap().len()
    }

    /// Connections that are open now.
    pub(crate) fn open(&self) -> usize {
        self.shared.open.load(Ordering::SeqCst)
    }
}

impl Drop for Target {
    #[expect(clippy::disallowed_methods, reason = "wakes the target's own thread so that it ends")]
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(self.address));
    }
}

fn scripted(replies: impl IntoIterator<Item = Reply>) -> Box<Answering> {
    let replies: Vec<Reply> = replies.into_iter().collect();
    Box::new(move |_, before| replies[before.min(replies.len() - 1)].clone())
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming() {
        if shared.stopped.load(Ordering::SeqCst) {
            return;
        }
        let Ok(stream) = stream else { continue };
        shared.open.fetch_add(1, Ordering::SeqCst);
        let shared = Arc::clone(shared);
        std::thread::spawn(move || {
            // A connection that breaks is what some of these targets are for.
            let _ = serve(stream, &shared);
            shared.open.fetch_sub(1, Ordering::SeqCst);
        });
    }
}

fn serve(stream: TcpStream, shared: &Shared) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let raw = stream.try_clone()?;
    match &shared.tls {
        None => converse(stream, &raw, shared),
        Some(config) => {
            let session = ServerConnection::new(Arc::clone(config)).map_err(io::Error::other)?;
            converse(StreamOwned::new(session, stream), &raw, shared)
        }
    }
}

fn converse(stream: impl Read + Write, raw: &TcpStream, shared: &Shared) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    while let Some(message) = Message::read(&mut stream)? {
        let request = Received { message, at: now(), acknowledged: false };
        let before = shared.another(request.message.header("webhook-id").unwrap_or_default());
        let place = shared.keep(request.clone());
        let reply = (shared.answering)(&request, before);
        if perform(stream.get_mut(), raw, &reply)? {
            shared.received.lock().unwrap()[place].acknowledged = true;
        }
    }
    Ok(())
}

/// Does it, and tells whether a 2xx was written.
fn perform(stream: &mut impl Write, raw: &TcpStream, reply: &Reply) -> io::Result<bool> {
    let status = match reply {
        Reply::Status(status) => *status,
        Reply::Header(status, name, value) => {
            head(stream, *status, &format!("{name}: {value}\r\n"))?;
            return Ok((200..300).contains(status));
        }
        Reply::Body(status, headers, body) => {
            let headers = format!("{headers}content-length: {}\r\n", body.len());
            stream.write_all(format!("HTTP/1.1 {status} x\r\n{headers}\r\n{body}").as_bytes())?;
            stream.flush()?;
            return Ok((200..300).contains(status));
        }
        Reply::After(time, status) => {
            dawdle(raw, *time)?;
            *status
        }
        Reply::Late(time, headers) => {
            dawdle(raw, *time)?;
            head(stream, 200, headers)?;
            return Ok(true);
        }
        Reply::Reset => return reset(raw),
        Reply::ResetInHead => {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-len")?;
            stream.flush()?;
            return reset(raw);
        }
        Reply::Hang => return hang(raw),
        Reply::Dribble => return dribble(stream),
        Reply::Flood(bytes) => return flood(stream, *bytes),
        Reply::Wide(bytes) => {
            let many: String =
                (0..bytes / 1024).map(|n| format!("x-{n}: {}\r\n", "w".repeat(1000))).collect();
            head(stream, 200, &many)?;
            return Ok(true);
        }
    };
    head(stream, status, "")?;
    Ok((200..300).contains(&status))
}

fn head(stream: &mut impl Write, status: u16, headers: &str) -> io::Result<()> {
    let length = if status == 204 { "" } else { "content-length: 0\r\n" };
    stream.write_all(format!("HTTP/1.1 {status} x\r\n{headers}{length}\r\n").as_bytes())?;
    stream.flush()
}

/// Ends the connection with a reset rather than in order.
fn reset(raw: &TcpStream) -> io::Result<bool> {
    setsockopt(raw, sockopt::Linger, &libc::linger { l_onoff: 1, l_linger: 0 })?;
    Err(io::ErrorKind::ConnectionReset.into())
}

/// Lets time pass, unless the other side goes away meanwhile.
fn dawdle(raw: &TcpStream, time: Duration) -> io::Result<()> {
    if time.is_zero() {
        return Ok(());
    }
    raw.set_read_timeout(Some(time))?;
    let waited = raw.peek(&mut [0]);
    raw.set_read_timeout(None)?;
    match waited {
        Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => Ok(()),
        Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
        Ok(_) => Err(io::Error::other("a request came before the one before it was answered")),
        Err(error) => Err(error),
    }
}

fn hang(raw: &TcpStream) -> io::Result<bool> {
    let mut raw = raw;
    while raw.read(&mut [0; 1024])? > 0 {}
    raw.shutdown(Shutdown::Both)?;
    Err(io::ErrorKind::UnexpectedEof.into())
}

fn dribble(stream: &mut impl Write) -> io::Result<bool> {
    for byte in b"HTTP/1.1 200 OK\r\nx: ".iter().chain(std::iter::repeat(&b'y')) {
        stream.write_all(&[*byte])?;
        stream.flush()?;
        pass(Duration::from_secs(1));
    }
    Ok(false)
}

fn flood(stream: &mut impl Write, bytes: u64) -> io::Result<bool> {
    stream.write_all(format!("HTTP/1.1 200 OK\r\ncontent-length: {bytes}\r\n\r\n").as_bytes())?;
    let chunk = vec![b'a'; 1 << 20];
    let mut left = bytes;
    while left > 0 {
        let now = left.min(chunk.len() as u64);
        stream.write_all(&chunk[..usize::try_from(now).unwrap()])?;
        left -= now;
    }
    Ok(true)
}
