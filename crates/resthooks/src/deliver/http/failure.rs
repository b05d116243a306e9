//! Why there is no answer: a class to act on and a line to read.
//!
//! The one place where errors of the network, of TLS and of HTTP are given their class. Details name addresses and
//! causes, never a header or a body, and nothing that a peer says in words of its own beyond its certificate's names.

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use super::stream::AnswerTooLong;
use crate::deliver::guard::Blocked;
use crate::model::{ErrorClass, Invalid, format_duration};

/// The longest line, in bytes: a certificate may have names without end.
const LONGEST_DETAIL: usize = 512;

/// Why a request got no usable answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What kind of failure it is.
    pub class: ErrorClass,
    /// One line for humans. Holds no secret and nothing of the payload.
    pub detail: String,
}

impl Failure {
    /// A failure with its line.
    pub fn new(class: ErrorClass, detail: impl Into<String>) -> Self {
        let mut detail = detail.into();
        if detail.len() > LONGEST_DETAIL {
            let end = (0..=LONGEST_DETAIL).rev().find(|end| detail.is_char_boundary(*end)).unwrap_or(0);
            detail.truncate(end);
            detail.push('…');
        }
        Self { class, detail }
    }

    /// The time for `what` has passed.
    pub(super) fn timeout(what: &str, limit: Duration) -> Self {
        Self::new(ErrorClass::Timeout, format!("{what} took longer than {}", format_duration(limit)))
    }

    pub(super) fn dns(host: &str, error: &io::Error) -> Self {
        Self::new(ErrorClass::Dns, format!("{host} could not be resolved: {error}"))
    }

    /// The guard refuses the target whatever it resolves to.
    pub(super) fn refused(Invalid(why): Invalid) -> Self {
        Self::new(ErrorClass::BlockedAddress, format!("the target {why}"))
    }

    pub(super) fn blocked(host: &str, blocked: &Blocked) -> Self {
        let detail = match host.parse::<std::net::IpAddr>() {
            Ok(_) => blocked.to_string(),
            Err(_) => format!("{host} resolves to {blocked}"),
        };
        Self::new(ErrorClass::BlockedAddress, detail)
    }

    pub(super) fn connect(address: SocketAddr, error: &io::Error) -> Self {
        let class = match error.kind() {
            io::ErrorKind::ConnectionRefused => ErrorClass::Refused,
            io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted => ErrorClass::Reset,
            io::ErrorKind::TimedOut => ErrorClass::Timeout,
            _ => ErrorClass::Unreachable,
        };
        Self::new(class, format!("connecting to {address}: {error}"))
    }

    /// The handshake ended without a session. A peer that just hangs up there refuses TLS as well.
    pub(super) fn handshake(error: &io::Error) -> Self {
        let class = match error.kind() {
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => ErrorClass::Reset,
            io::ErrorKind::TimedOut => ErrorClass::Timeout,
            _ => ErrorClass::Tls,
        };
        Self::new(class, format!("TLS handshake: {error}"))
    }

    /// The exchange broke before the answer's head was complete.
    pub(super) fn exchange(error: &hyper::Error) -> Self {
        if let Some(io) = find::<io::Error>(error) {
            return Self::broken(io);
        }
        if let Some(h2) = find::<h2::Error>(error) {
            return Self::http2(h2);
        }
        if error.is_parse_too_large() {
            return Self::too_large();
        }
        if error.is_parse() {
            return Self::new(
                ErrorClass::InvalidResponse,
                format!("the answer is not HTTP: {}", chain(error)),
            );
        }
        if error.is_incomplete_message() || error.is_canceled() || error.is_closed() {
            return Self::closed();
        }
        // What is left: bytes that nobody asked for, an answer to no request.
        Self::new(ErrorClass::InvalidResponse, chain(error))
    }

    pub(super) fn closed() -> Self {
        Self::new(ErrorClass::Reset, "the connection was closed before the answer's head was complete")
    }

    pub(super) fn too_large() -> Self {
        Self::new(
            ErrorClass::ResponseTooLarge,
            "the answer's head is larger than 64 KiB or has more than 100 headers",
        )
    }

    /// An established connection broke.
    fn broken(error: &io::Error) -> Self {
        let inner = error.get_ref();
        if inner.is_some_and(|inner| inner.is::<AnswerTooLong>()) {
            return Self::too_large();
        }
        // A server that wants another certificate or protocol may say so only after the client's last message.
        if inner.is_some_and(|inner| inner.is::<rustls::Error>()) {
            return Self::new(ErrorClass::Tls, format!("TLS: {error}"));
        }
        match error.kind() {
            io::ErrorKind::TimedOut => {
                Self::new(ErrorClass::Timeout, format!("the connection was lost: {error}"))
            }
            io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
                Self::new(ErrorClass::Unreachable, format!("the connection was lost: {error}"))
            }
            io::ErrorKind::UnexpectedEof => Self::closed(),
            _ => Self::new(
                ErrorClass::Reset,
                format!("the connection broke before the answer's head was complete: {error}"),
            ),
        }
    }

    fn http2(error: &h2::Error) -> Self {
        if let Some(io) = error.get_io() {
            return Self::broken(io);
        }
        // The library leaves a connection for reasons of its own patience when header frames do not end.
        if !error.is_remote() && error.reason() == Some(h2::Reason::ENHANCE_YOUR_CALM) {
            return Self::too_large();
        }
        // What else we reset or left ourselves was the peer's breach of the protocol.
        let class = if error.is_remote() { ErrorClass::Reset } else { ErrorClass::InvalidResponse };
        // Not the error itself, which repeats what the peer says beside its reason: it may be what we have sent.
        let what = if error.is_go_away() { "connection" } else { "stream" };
        let whose = if error.is_remote() { "received" } else { "detected" };
        let line = match error.reason() {
            Some(reason) => format!("HTTP/2: {what} error {whose}: {reason}"),
            None => format!("HTTP/2: {error}"),
        };
        Self::new(class, line)
    }
}

fn find<E: Error + 'static>(error: &hyper::Error) -> Option<&E> {
    let mut next = error.source();
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = error.source();
    }
    None
}

/// An error with its causes on one line.
fn chain(error: &dyn Error) -> String {
    let mut line = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        line.push_str(": ");
        line.push_str(&error.to_string());
        next = error.source();
    }
    line
}
