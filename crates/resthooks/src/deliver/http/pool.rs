//! Idle connections, by origin.
//!
//! HTTP/1.1 connections are taken out to be used and put back afterwards, the last one first, so that those that a
//! falling load leaves over grow old and are closed. An HTTP/2 connection stays and is shared. The lock is held for
//! moments, never while something is waited for or a connection is closed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use super::h1::H1;
use super::h2::H2;
use crate::env::Clock;

/// How long no connection of an origin is kept that closes them unannounced.
const DISTRUST: Duration = Duration::from_secs(30);

/// How many connections are kept, and for how long.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) per_origin: usize,
    pub(super) total: usize,
    pub(super) idle_timeout: Duration,
}

/// A connection to send on.
pub(super) enum Connection {
    Http1(Box<H1>),
    Http2(H2),
}

#[derive(Debug)]
pub(super) struct Pool {
    bounds: Bounds,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    origins: HashMap<Arc<str>, Origin>,
    /// How many connections are kept in all.
    count: usize,
    /// Whether a sweeper runs.
    is_swept: bool,
}

/// Connections to one origin; the longest idle first.
#[derive(Debug, Default)]
#[expect(clippy::vec_box, reason = "connections are large and move in and out with every request")]
struct Origin {
    http1: Vec<Box<H1>>,
    http2: Option<H2>,
    /// Nothing is kept before this moment: the peer has closed a connection right after its answer, unannounced.
    kept_from: Duration,
}

impl Pool {
    pub(super) fn new(bounds: Bounds, clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self { bounds, clock, state: Mutex::default() })
    }

    /// An idle or shared connection of the origin, if one is kept. It may have been closed meanwhile.
    pub(super) fn take(&self, origin: &str, now: Duration) -> Option<Connection> {
        let fresh_since = now.saturating_sub(self.bounds.idle_timeout);
        let mut state = self.lock();
        let kept = state.origins.get_mut(origin)?;
        if let Some(shared) = &mut kept.http2 {
            if !shared.is_closed() {
                shared.used_at = now;
                return Some(Connection::Http2(shared.clone()));
            }
            let closed = kept.http2.take();
            state.count -= usize::from(closed.is_some());
            return None;
        }
        let last = kept.http1.pop()?;
        state.count -= 1;
        drop(state);
        // The rest have been idle for longer still: they are left to the sweeper.
        (last.idle_since >= fresh_since).then_some(Connection::Http1(last))
    }

    /// Keeps a connection whose answer was read to the end.
    pub(super) fn put(self: &Arc<Self>, origin: &Arc<str>, mut connection: Box<H1>, now: Duration) {
        connection.idle_since = now;
        let mut state = self.lock();
        let has_room = state.count < self.bounds.total;
        let displaced = match state.origins.get_mut(origin) {
            Some(kept) if now < kept.kept_from => Some(connection),
            Some(kept) if has_room && kept.http1.len() < self.bounds.per_origin => {
                kept.http1.push(connection);
                None
            }
            // The longest idle of the origin makes room, where there is one.
            Some(kept) if !kept.http1.is_empty() => {
                kept.http1.push(connection);
                Some(kept.http1.remove(0))
            }
            None if has_room && self.bounds.per_origin > 0 => {
                let kept = Origin { http1: vec![connection], ..Origin::default() };
                state.origins.insert(Arc::clone(origin), kept);
                None
            }
            _ => Some(connection),
        };
        state.count += usize::from(displaced.is_none());
        self.sweep_later(state);
        drop(displaced);
    }

    /// Shares an HTTP/2 connection; answers the one to use, which is another's where that came first.
    pub(super) fn share(self: &Arc<Self>, origin: &Arc<str>, connection: H2) -> H2 {
        let mut state = self.lock();
        let has_room = state.count < self.bounds.total;
        let kept = state.origins.entry(Arc::clone(origin)).or_default();
        if let Some(first) = kept.http2.as_ref().filter(|first| !first.is_closed()) {
            return first.clone();
        }
        // One that is closed gives its place to the new one.
        let closed =
            if has_room || kept.http2.is_some() { kept.http2.replace(connection.clone()) } else { None };
        let is_shared = kept.http2.is_some();
        state.count += usize::from(is_shared && closed.is_none());
        self.sweep_later(state);
        connection
    }

    /// Shares this HTTP/2 connection no longer; what is in flight on it goes on.
    pub(super) fn forget(&self, origin: &str, connection: &H2) {
        let mut state = self.lock();
        if let Some(kept) = state.origins.get_mut(origin)
            && kept.http2.as_ref().is_some_and(|shared| shared.is_same(connection))
        {
            kept.http2 = None;
            state.count -= 1;
        }
    }

    /// Keeps nothing of this origin for a while. A peer that closes after every answer without saying so may close
    /// while the next request is on its way, which would then be lost for all that is known.
    pub(super) fn distrust(self: &Arc<Self>, origin: &Arc<str>, now: Duration) {
        let mut state = self.lock();
        let distrusted = state.origins.entry(Arc::clone(origin)).or_default();
        distrusted.kept_from = now + DISTRUST;
        let left = std::mem::take(&mut distrusted.http1);
        state.count -= left.len();
        self.sweep_later(state);
        drop(left);
    }

    /// How many connections are kept.
    pub(super) fn len(&self) -> usize {
        self.lock().count
    }

    /// Closes what has been idle for too long; answers whether anything is left.
    fn sweep(&self) -> bool {
        let now = self.clock.monotonic();
        let fresh_since = now.saturating_sub(self.bounds.idle_timeout);
        let mut expired: Vec<Box<H1>> = Vec::new();
        let mut closed: Vec<H2> = Vec::new();
        let mut state = self.lock();
        state.origins.retain(|_, kept| {
            let old = kept.http1.partition_point(|connection| connection.idle_since < fresh_since);
            expired.extend(kept.http1.drain(..old));
            closed.extend(kept.http2.take_if(|shared| shared.used_at < fresh_since || shared.is_closed()));
            !kept.http1.is_empty() || kept.http2.is_some() || now < kept.kept_from
        });
        state.count -= expired.len() + closed.len();
        state.is_swept = !state.origins.is_empty();
        state.is_swept
    }

    /// Sees to it that a task closes idle connections while there are any: nobody polls them, so that one that its
    /// peer has closed would otherwise hold its socket until its origin is asked again.
    fn sweep_later(self: &Arc<Self>, mut state: MutexGuard<'_, State>) {
        if state.is_swept || state.origins.is_empty() {
            return;
        }
        state.is_swept = true;
        drop(state);
        let pool: Weak<Self> = Arc::downgrade(self);
        let (clock, pause) = (Arc::clone(&self.clock), self.bounds.idle_timeout / 2);
        tokio::spawn(async move {
            loop {
                clock.sleep(pause.max(Duration::from_millis(10))).await;
                if !pool.upgrade().is_some_and(|pool| pool.sweep()) {
                    return;
                }
            }
        });
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connection {
    pub(super) fn address(&self) -> std::net::SocketAddr {
        match self {
            Self::Http1(connection) => connection.address,
            Self::Http2(connection) => connection.address(),
        }
    }
}
