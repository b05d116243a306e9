//! Names to addresses. Passed in, so that tests name their own addresses.
//!
//! A resolver answers what it finds: it judges no address (the guard does) and keeps none, every new connection asks
//! again.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Semaphore, watch};

/// Resolves the names of targets.
#[async_trait::async_trait]
pub trait Resolver: std::fmt::Debug + Send + Sync + 'static {
    /// The addresses of a host, the preferred first.
    ///
    /// # Errors
    /// When the name does not exist, has no address, or nobody could say.
    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>>;
}

/// What a lookup ended with; nothing while it runs. Errors are shared as kind and text.
type Outcome = Option<Result<Vec<IpAddr>, (io::ErrorKind, String)>>;
type Running = Arc<Mutex<HashMap<String, watch::Receiver<Outcome>>>>;

/// The operating system's resolver (`getaddrinfo`), on the runtime's threads for blocking work.
///
/// Such a call can't be called off: for a name server that does not answer it holds its thread for long after the
/// attempt has timed out. So whoever asks for a name that is being looked up waits for that lookup: a dead name
/// server costs a thread per name, not one per attempt. Those threads serve the store too: so that it always finds
/// one, at most 64 names are looked up at once, and the others wait within their attempt's time.
#[derive(Debug)]
pub struct SystemResolver {
    running: Running,
    permits: Arc<Semaphore>,
}

/// Names that are looked up at once.
const LOOKUPS: usize = 64;

impl Default for SystemResolver {
    fn default() -> Self {
        Self { running: Running::default(), permits: Arc::new(Semaphore::new(LOOKUPS)) }
    }
}

#[async_trait::async_trait]
impl Resolver for SystemResolver {
    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        let mut lookup = self.join_or_start(host);
        let ended = lookup.wait_for(Option::is_some).await.map(|outcome| (*outcome).clone());
        match ended {
            Ok(Some(Ok(addresses))) => Ok(addresses),
            Ok(Some(Err((kind, text)))) => Err(io::Error::new(kind, text)),
            Ok(None) | Err(_) => Err(io::Error::other("the lookup was given up")),
        }
    }
}

impl SystemResolver {
    fn join_or_start(&self, host: &str) -> watch::Receiver<Outcome> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lookup) = running.get(host) {
            return lookup.clone();
        }
        let (sender, receiver) = watch::channel(None);
        running.insert(host.to_owned(), receiver.clone());
        let entry = Entry { host: host.to_owned(), running: Arc::clone(&self.running) };
        let permits = Arc::clone(&self.permits);
        // A task of its own: it goes on when the attempt that started it gives up, for those who joined it.
        tokio::spawn(async move {
            let permit = permits.acquire().await;
            let outcome = look_up(&entry.host).await;
            drop(permit);
            drop(entry);
            sender.send_replace(Some(outcome));
        });
        receiver
    }
}

/// A running lookup's entry; takes itself out, however the lookup ends.
struct Entry {
    host: String,
    running: Running,
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.host);
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place where names are resolved")]
async fn look_up(host: &str) -> Result<Vec<IpAddr>, (io::ErrorKind, String)> {
    match tokio::net::lookup_host((host, 0)).await {
        Ok(found) => Ok(found.map(|address| address.ip()).collect()),
        Err(error) => Err((error.kind(), error.to_string())),
    }
}

/// A resolver that knows what it was told and nothing else. For tests and closed networks.
#[derive(Debug, Clone, Default)]
pub struct StaticResolver {
    names: HashMap<String, Vec<IpAddr>>,
}

impl StaticResolver {
    /// Adds a name, in lower case, with its addresses in their order.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, addresses: impl IntoIterator<Item = IpAddr>) -> Self {
        self.names.insert(name.into(), addresses.into_iter().collect());
        self
    }
}

#[async_trait::async_trait]
impl Resolver for StaticResolver {
    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        let unknown = || io::Error::new(io::ErrorKind::NotFound, "the name is not known");
        self.names.get(host).cloned().ok_or_else(unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_system_knows_localhost_and_not_an_invalid_name() {
        let resolver = SystemResolver::default();
        let (first, second) = tokio::join!(resolver.resolve("localhost"), resolver.resolve("localhost"));
        assert!(first.unwrap().iter().all(IpAddr::is_loopback));
        assert!(second.unwrap().iter().all(IpAddr::is_loopback));
        resolver.resolve("name.invalid").await.unwrap_err();
        assert!(resolver.running.lock().unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_lookup_that_runs_is_joined() {
        let resolver = SystemResolver::default();
        let first = resolver.join_or_start("localhost");
        let second = resolver.join_or_start("localhost");
        assert!(first.same_channel(&second));
    }
}
