//! A JWK Set at a URL: fetched when it is needed, kept, and fetched again.
//!
//! One fetch at a time, in a task of its own: a caller that goes away breaks nothing off for the others. While the URL
//! fails, the last good set counts for a day; without one, nobody is admitted and nobody refused: the answer is that it
//! can't be told now.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::header::{ACCEPT, CACHE_CONTROL};
use http::{HeaderMap, HeaderValue, Method};
use resthooks::deliver::http::{Body, Call, Client};
use resthooks::env::Clock;
use tokio::sync::watch;

use super::key_set::KeySet;
use crate::credentials::Endpoint;
use crate::credentials::cache::Fingerprint;

/// How long a set is good that doesn't say.
const FRESH: Duration = Duration::from_secs(5 * 60);
/// The least and the most of what it may say.
const LEAST_FRESH: Duration = Duration::from_secs(60);
const MOST_FRESH: Duration = Duration::from_secs(3600);
/// Between two fetches, whatever callers send: a token may name a key that is not there.
const PAUSE: Duration = Duration::from_secs(10);
/// How long the last good set counts while the URL fails.
const MOST_STALE: Duration = Duration::from_secs(24 * 3600);

/// A set at a URL. Clones are the same one.
#[derive(Debug, Clone)]
pub struct RemoteKeys(Arc<Remote>);

#[derive(Debug)]
struct Remote {
    endpoint: Endpoint,
    client: Client,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    /// Counts the fetches that have ended.
    ended: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct State {
    current: Option<Current>,
    /// When a fetch was last begun.
    begun_at: Option<Duration>,
    is_fetching: bool,
    /// Whether the last one failed: it is logged once.
    is_failing: bool,
}

/// The set as it was last fetched.
#[derive(Debug, Clone)]
pub(super) struct Current {
    pub(super) keys: Arc<KeySet>,
    /// Another one for each set that differs from the one before.
    pub(super) generation: u64,
    content: Fingerprint,
    fetched_at: Duration,
    fresh_for: Duration,
}

/// The set can't be had now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unavailable;

impl RemoteKeys {
    /// A set that is fetched with its first use, or by [`RemoteKeys::prepare`].
    #[must_use]
    pub fn new(endpoint: Endpoint, client: Client, clock: Arc<dyn Clock>) -> Self {
        let (ended, _) = watch::channel(0);
        let state = Mutex::default();
        Self(Arc::new(Remote { endpoint, client, clock, state, ended }))
    }

    /// Begins to fetch it, so that the first caller need not wait. Must be called within a Tokio runtime.
    pub fn prepare(&self) {
        let state = self.0.lock();
        self.0.begin(state);
    }

    /// The set. While it is merely not fresh any more it is fetched behind the caller's back; one that nobody has asked
    /// for in a long time is fetched first, for a key may have been withdrawn since.
    pub(super) async fn current(&self) -> Result<Current, Unavailable> {
        let remote = &self.0;
        let mut ended = remote.ended.subscribe();
        {
            let state = remote.lock();
            let current = state.current.clone();
            let age = current.as_ref().map(|current| remote.age(current));
            match (current, age) {
                (Some(current), Some(age)) if age < current.fresh_for => return Ok(current),
                (Some(current), Some(age)) if age < current.fresh_for * 2 => {
                    remote.begin(state);
                    return Ok(current);
                }
                _ if remote.begin(state) => {}
                _ => return remote.usable(),
            }
        }
        let _ = ended.changed().await;
        remote.usable()
    }

    /// The set fetched again, when the one before may be missing a key; nothing when that was tried just now.
    pub(super) async fn renewed(&self, before: &Current) -> Option<Current> {
        let remote = &self.0;
        let mut ended = remote.ended.subscribe();
        let renewed = |current: Current| (current.generation != before.generation).then_some(current);
        {
            let state = remote.lock();
            let newer = state.current.clone().and_then(renewed);
            if newer.is_some() {
                return newer;
            }
            if !remote.begin(state) {
                return None;
            }
        }
        let _ = ended.changed().await;
        remote.usable().ok().and_then(renewed)
    }
}

impl Remote {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn age(&self, current: &Current) -> Duration {
        self.clock.monotonic().saturating_sub(current.fetched_at)
    }

    fn usable(&self) -> Result<Current, Unavailable> {
        let current = self.lock().current.clone();
        current.filter(|current| self.age(current) < MOST_STALE).ok_or(Unavailable)
    }

    /// Begins a fetch, unless one is under way, or was begun just now. Whether one is under way.
    fn begin(self: &Arc<Self>, mut state: MutexGuard<'_, State>) -> bool {
        if state.is_fetching {
            return true;
        }
        let now = self.clock.monotonic();
        if state.begun_at.is_some_and(|begun| now.saturating_sub(begun) < PAUSE) {
            return false;
        }
        state.begun_at = Some(now);
        state.is_fetching = true;
        drop(state);
        let fetch = Fetch(Arc::clone(self));
        tokio::spawn(async move { fetch.run().await });
        true
    }

    async fn fetch(&self) -> Result<(String, Duration), String> {
        let headers = HeaderMap::from_iter([
            (ACCEPT, HeaderValue::from_static("application/jwk-set+json, application/json")),
            (http::header::USER_AGENT, crate::credentials::OUR_NAME),
        ]);
        let target = &self.endpoint.target;
        let call = Call { method: Method::GET, target, headers, body: Body::default(), timeout: None };
        let answer = self.client.send(call).await.answer.map_err(|failure| failure.detail)?;
        if answer.status != 200 {
            return Err(format!("answered {}", answer.status));
        }
        if answer.truncated {
            return Err("is too long, or broke off".to_owned());
        }
        let fresh_for = max_age(&answer.head).unwrap_or(FRESH).clamp(LEAST_FRESH, MOST_FRESH);
        Ok((answer.body, fresh_for))
    }

    fn store(&self, fetched: Result<(String, Duration), String>) {
        let read = fetched.and_then(|(text, fresh_for)| Ok((KeySet::read(&text, false)?, text, fresh_for)));
        let mut state = self.lock();
        match read {
            Ok((keys, text, fresh_for)) => {
                let content = Fingerprint::of([text.as_bytes()]);
                let fetched_at = self.clock.monotonic();
                let former = state.current.take();
                let is_same = former.as_ref().is_some_and(|former| former.content == content);
                let generation = former.map_or(1, |former| former.generation + u64::from(!is_same));
                if !is_same || state.is_failing {
                    let url = &self.endpoint.name;
                    tracing::info!(
                        url,
                        keys = keys.len(),
                        "the keys that tokens are verified with are fetched"
                    );
                }
                let keys = Arc::new(keys);
                state.current = Some(Current { keys, generation, content, fetched_at, fresh_for });
                state.is_failing = false;
            }
            Err(reason) => {
                if !std::mem::replace(&mut state.is_failing, true) {
                    let url = &self.endpoint.name;
                    tracing::warn!(
                        url,
                        reason,
                        "the keys that tokens are verified with can't be fetched; trying again"
                    );
                }
            }
        }
    }
}

/// A fetch under way; when it ends, however it does, whoever waits for it goes on.
#[derive(Debug)]
struct Fetch(Arc<Remote>);

impl Fetch {
    async fn run(self) {
        let fetched = self.0.fetch().await;
        self.0.store(fetched);
    }
}

impl Drop for Fetch {
    fn drop(&mut self) {
        self.0.lock().is_fetching = false;
        self.0.ended.send_modify(|ended| *ended += 1);
    }
}

/// What `Cache-Control` says of how long an answer is good.
fn max_age(headers: &HeaderMap) -> Option<Duration> {
    let values = headers.get_all(CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
    let mut directives = values.flat_map(|value| value.split(',')).map(str::trim);
    let seconds = directives.find_map(|directive| {
        let (name, value) = directive.split_once('=')?;
        name.eq_ignore_ascii_case("max-age").then(|| value.trim_matches('"').parse().ok())?
    });
    seconds.map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn max_age_is_found_among_others() {
        let age = |value: &'static str| {
            let value = HeaderValue::from_static(value);
            max_age(&HeaderMap::from_iter([(CACHE_CONTROL, value)])).map(|age| age.as_secs())
        };
        assert_eq!(age("max-age=300"), Some(300));
        assert_eq!(age("public, Max-Age=\"7\", must-revalidate"), Some(7));
        for none in ["no-store", "max-age", "max-age=x", "max-age=-1", "s-maxage=5", ""] {
            assert_eq!(age(none), None, "{none}");
        }
    }
}
