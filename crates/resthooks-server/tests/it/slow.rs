//! Slow clients: what they cost others, and how they end.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustls::ClientConfig;
use serde_json::json;

use super::support::line::{Line, trusting};
use super::support::{ACCOUNT, Api, Server, Setup, now, pass, within};

const SLOW_CLIENTS: usize = 200;
/// Rounds without them, and then with them.
const ROUNDS: usize = 9;
const ROUND: Duration = Duration::from_millis(600);
/// What is not told apart from noise on a busy machine: for what is read from memory, and for what goes to the disk.
const READ_FLOOR: Duration = Duration::from_millis(5);
const EMIT_FLOOR: Duration = Duration::from_millis(20);
/// How often it may be measured again: other tests run on the same processors.
const TRIES: usize = 3;

/// Where a client dawdles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Within {
    /// TLS's own words, before any of HTTP's.
    Handshake,
    Head,
    Body,
}

impl Within {
    /// What it has said at once.
    const fn begun(self) -> &'static [u8] {
        match self {
            // A handshake record of 512 bytes, which holds a client's hello of 508.
            Self::Handshake => b"\x16\x03\x01\x02\0\x01\0\x01\xfc",
            Self::Head => {
                b"GET /api/v1/subscription/ HTTP/1.1\r\nhost: x\r\nauthorization: Bearer dev\r\nx-slow: "
            }
            Self::Body => {
                b"POST /api/v1/event/ HTTP/1.1\r\nhost: x\r\nauthorization: Bearer dev\r\n\
                 content-type: application/json\r\ncontent-length: 5000\r\n\r\n{"
            }
        }
    }
}

/// A client that sends a byte a second.
struct Slow {
    line: Line,
    within: Within,
    sent: usize,
    answer: Vec<u8>,
    ended: bool,
}

impl Slow {
    fn begin(door: &Door, within: Within) -> Self {
        let tls = door.tls.as_ref().filter(|_| within != Within::Handshake);
        let mut line = Line::connect(door.address, tls, Duration::from_secs(20)).unwrap();
        line.write_all(within.begun()).unwrap();
        line.flush().unwrap();
        line.set_nonblocking().unwrap();
        Self { line, within, sent: 0, answer: Vec::new(), ended: false }
    }

    /// One more byte, unless it was let go.
    fn drip(&mut self) {
        let mut piece = [0; 4096];
        match self.line.read(&mut piece) {
            Ok(0) => self.ended = true,
            Ok(read) => self.answer.extend_from_slice(&piece[..read]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.sent += usize::from(self.line.write_all(b" ").is_ok() && self.line.flush().is_ok());
            }
            Err(_) => self.ended = true,
        }
    }
}

/// A server's door, and how it is entered.
struct Door {
    address: SocketAddr,
    tls: Option<Arc<ClientConfig>>,
}

impl Door {
    fn api(&self) -> Api {
        match &self.tls {
            Some(config) => Api::within_tls(self.address, Arc::clone(config)),
            None => Api::new(self.address),
        }
    }

    /// So many that dawdle, alike in each way.
    fn crowd(&self, count: usize) -> Vec<Slow> {
        let ways: &[Within] = match self.tls {
            Some(_) => &[Within::Handshake, Within::Head, Within::Body],
            None => &[Within::Head, Within::Body],
        };
        ways.iter().cycle().take(count).map(|way| Slow::begin(self, *way)).collect()
    }
}

/// A byte of each a second, until told to stop.
fn keep_dripping(mut crowd: Vec<Slow>, stop: &AtomicBool) -> Vec<Slow> {
    let mut next = now();
    while !stop.load(Ordering::SeqCst) {
        if now() >= next {
            crowd.iter_mut().for_each(Slow::drip);
            next += Duration::from_secs(1);
        }
        pass(Duration::from_millis(20));
    }
    crowd
}

/// The times within which all but one of a hundred requests are answered.
#[derive(Debug, Clone, Copy)]
struct P99 {
    read: Duration,
    emit: Duration,
}

fn p99(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() * 99 / 100]
}

fn median(rounds: &[P99], which: impl Fn(&P99) -> Duration) -> Duration {
    let mut all: Vec<Duration> = rounds.iter().map(which).collect();
    all.sort_unstable();
    all[all.len() / 2]
}

/// One round of somebody who is not slow, with a new connection now and then.
fn round(door: &Door) -> P99 {
    let body = json!({"account": ACCOUNT, "event": "order.paid", "data": 1}).to_string();
    let (mut reads, mut emits) = (Vec::new(), Vec::new());
    let mut api = door.api();
    let begun = now();
    while begun.elapsed() < ROUND {
        let asked = now();
        if reads.len() % 20 == 0 {
            api = door.api();
        }
        api.get("/api/v1/subscription/").expect(200);
        reads.push(asked.elapsed());
        let asked = now();
        api.ask("POST", "/api/v1/event/", &[], Some(body.as_bytes())).unwrap().expect(202);
        emits.push(asked.elapsed());
    }
    P99 { read: p99(reads), emit: p99(emits) }
}

/// The median of some rounds.
fn rounds(door: &Door) -> P99 {
    let rounds: Vec<P99> = (0..ROUNDS).map(|_| round(door)).collect();
    P99 { read: median(&rounds, |r| r.read), emit: median(&rounds, |r| r.emit) }
}

/// Without slow clients, then with them.
fn compare(door: &Door) -> (P99, P99) {
    round(door);
    let without = rounds(door);
    let crowd = door.crowd(SLOW_CLIENTS);
    let stop = AtomicBool::new(false);
    let with = std::thread::scope(|scope| {
        let dripping = scope.spawn(|| keep_dripping(crowd, &stop));
        let with = rounds(door);
        stop.store(true, Ordering::SeqCst);
        let crowd = dripping.join().unwrap();
        assert!(crowd.iter().all(|slow| !slow.ended && slow.sent > 2), "they were not there");
        with
    });
    (without, with)
}

/// Each time a server of its own, which has nothing left to do for the slow clients of the time before.
fn judge(open: impl Fn() -> (Server, Door)) {
    let worst = |before: Duration, floor: Duration| (before * 2).max(floor);
    for tried in 1..=TRIES {
        let (_server, door) = open();
        let (without, with) = compare(&door);
        println!(
            "p99 of reads and emits, without slow clients {without:?}, with {SLOW_CLIENTS} of them {with:?}"
        );
        if with.read <= worst(without.read, READ_FLOOR) && with.emit <= worst(without.emit, EMIT_FLOOR) {
            return;
        }
        assert!(tried < TRIES, "slow clients slow others down: {with:?} instead of {without:?}");
    }
}

fn in_clear() -> (Server, Door) {
    let server = Setup::new().start();
    let door = Door { address: server.address(), tls: None };
    (server, door)
}

/// A server that speaks TLS.
fn within_tls() -> (Server, Door) {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let setup = Setup::new().flag("--tls-cert=cert.pem").flag("--tls-key=key.pem");
    std::fs::write(setup.dir().join("cert.pem"), made.cert.pem()).unwrap();
    std::fs::write(setup.dir().join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    let server = setup.start();
    let door = Door { address: server.address(), tls: Some(trusting(made.cert.der().clone())) };
    (server, door)
}

#[test]
fn two_hundred_slow_clients_leave_others_their_pace() {
    judge(in_clear);
}

#[test]
fn two_hundred_slow_clients_leave_others_their_pace_within_tls() {
    judge(within_tls);
}

/// A byte now and then is not enough to stay: whoever has not sent a head within its time is let go without a word,
/// whoever has not sent a body is told why.
#[test]
fn slow_clients_are_let_go() {
    let ((_server, clear), (_other, tls)) = (in_clear(), within_tls());
    let doors = [clear, tls];
    let mut apis = [doors[0].api(), doors[1].api()];
    let mut crowd: Vec<Slow> = doors.iter().flat_map(|door| door.crowd(18)).collect();
    let begun = now();
    within(Duration::from_secs(90), || {
        crowd.iter_mut().for_each(Slow::drip);
        for api in &mut apis {
            api.get("/healthz").expect(200);
        }
        // Not all waiting is of one kind: they send a byte a second, no more.
        pass(Duration::from_secs(1));
        let left = crowd.iter().filter(|slow| !slow.ended).count();
        if left == 0 { Ok(()) } else { Err(format!("{left} of them are still there")) }
    });
    println!("all were let go within {:?}", begun.elapsed());
    for Slow { within, sent, answer, .. } in &crowd {
        let answer = String::from_utf8_lossy(answer);
        let least = if *within == Within::Handshake { 5 } else { 20 };
        assert!(*sent >= least, "{within:?}: let go after {sent} bytes: {answer}");
        if *within == Within::Body {
            assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains("request_timeout"), "{answer}");
        } else {
            assert!(answer.is_empty(), "{within:?}: {answer}");
        }
    }
}
