//! The operating system's resolver.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use super::Resolver;
use super::turns::{Turn, Turns};

/// What a lookup ended with. Errors are shared as kind and text.
type Found = Result<Vec<IpAddr>, (io::ErrorKind, String)>;
/// Nothing while it runs.
type Outcome = Option<Found>;
type LookUp = fn(String) -> Pin<Box<dyn Future<Output = Found> + Send>>;

/// A lookup that takes longer is a long one.
const LONG: Duration = Duration::from_secs(1);

/// The operating system's resolver (`getaddrinfo`), on the runtime's threads for blocking work.
///
/// Such a call can't be called off: for a name server that does not answer it holds its thread for long after the
/// attempt has timed out. So whoever asks for a name that is being looked up waits for that lookup: a dead name
/// server costs a thread per name, not one per attempt. Those threads serve the store too: so that it always finds
/// one, few names are looked up at once, and the others wait within their attempt's time; and so that these don't wait for
/// names whose servers never answer, those have few turns of their own.
#[derive(Debug)]
pub struct SystemResolver(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    running: Mutex<HashMap<String, Arc<watch::Sender<Outcome>>>>,
    turns: Arc<Turns>,
    look_up: LookUp,
    long: Duration,
}

impl Default for SystemResolver {
    fn default() -> Self {
        Self::by(|host| Box::pin(look_up(host)), LONG)
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
    fn by(look_up: LookUp, long: Duration) -> Self {
        Self(Arc::new(Shared { running: Mutex::default(), turns: Turns::new(), look_up, long }))
    }

    fn join_or_start(&self, host: &str) -> watch::Receiver<Outcome> {
        let mut running = self.0.running();
        if let Some(lookup) = running.get(host) {
            return lookup.subscribe();
        }
        let (tell, receiver) = watch::channel(None);
        let tell = Arc::new(tell);
        running.insert(host.to_owned(), Arc::clone(&tell));
        drop(running);
        let entry = Entry { host: host.to_owned(), shared: Arc::clone(&self.0), tell };
        // A task of its own: it goes on when the attempt that started it gives up, for those who joined it.
        tokio::spawn(async move {
            if let Some(turn) = entry.turn().await {
                let outcome = entry.shared.look_up(&entry.host, turn).await;
                let tell = Arc::clone(&entry.tell);
                drop(entry);
                tell.send_replace(Some(outcome));
            }
        });
        receiver
    }
}

impl Shared {
    fn running(&self) -> MutexGuard<'_, HashMap<String, Arc<watch::Sender<Outcome>>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn look_up(&self, host: &str, mut turn: Turn) -> Found {
        let mut lookup = pin!((self.look_up)(host.to_owned()));
        // Real time, as a name server takes it.
        let outcome = match tokio::time::timeout(self.long, lookup.as_mut()).await {
            Ok(outcome) => outcome,
            Err(_) => {
                turn.takes_long();
                lookup.await
            }
        };
        turn.ended();
        outcome
    }
}

/// A lookup's entry; takes itself out, however the lookup ends.
struct Entry {
    host: String,
    shared: Arc<Shared>,
    tell: Arc<watch::Sender<Outcome>>,
}

impl Entry {
    /// Its turn; none when nobody waits for it any more.
    async fn turn(&self) -> Option<Turn> {
        let mut turn = pin!(self.shared.turns.take(&self.host));
        loop {
            tokio::select! {
                turn = turn.as_mut() => return Some(turn),
                () = self.tell.closed() => {
                    // Who joins does so under this lock, and joins what is there.
                    let mut running = self.shared.running();
                    if self.tell.receiver_count() == 0 {
                        running.remove(&self.host);
                        return None;
                    }
                }
            }
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let mut running = self.shared.running();
        if running.get(&self.host).is_some_and(|lookup| Arc::ptr_eq(lookup, &self.tell)) {
            running.remove(&self.host);
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place where names are resolved")]
async fn look_up(host: String) -> Found {
    match tokio::net::lookup_host((host, 0)).await {
        Ok(found) => Ok(found.map(|address| address.ip()).collect()),
        Err(error) => Err((error.kind(), error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use tokio::task::JoinSet;

    use super::*;

    /// Names with `slow` in them are never answered.
    fn answering(long: Duration) -> Arc<SystemResolver> {
        let look_up: LookUp = |host| {
            Box::pin(async move {
                if host.contains("slow") {
                    std::future::pending::<()>().await;
                }
                Ok(vec![IpAddr::from([192, 0, 2, 1])])
            })
        };
        Arc::new(SystemResolver::by(look_up, long))
    }

    fn all(resolver: &Arc<SystemResolver>, names: impl IntoIterator<Item = String>) -> JoinSet<()> {
        let mut asking = JoinSet::new();
        for name in names {
            let resolver = Arc::clone(resolver);
            asking.spawn(async move { drop(resolver.resolve(&name).await) });
        }
        asking
    }

    /// Until so many lookups run or wait, as it should be.
    async fn running(resolver: &SystemResolver, is_so: impl Fn(usize) -> bool) {
        let waiting = async {
            while !is_so(resolver.0.running().len()) {
                tokio::task::yield_now().await;
            }
        };
        let ended = tokio::time::timeout(Duration::from_secs(20), waiting).await;
        assert!(ended.is_ok(), "{} run or wait", resolver.0.running().len());
    }

    async fn soon(resolver: &SystemResolver, host: &str) -> bool {
        tokio::time::timeout(Duration::from_secs(20), resolver.resolve(host)).await.is_ok()
    }

    /// Whether there is no answer though everything has many turns.
    async fn waits(resolver: &SystemResolver, host: &str) -> bool {
        let mut asked = pin!(resolver.resolve(host));
        for _ in 0..1000 {
            let polled = std::future::poll_fn(|cx| std::task::Poll::Ready(asked.as_mut().poll(cx))).await;
            if polled.is_ready() {
                return false;
            }
            tokio::task::yield_now().await;
        }
        true
    }

    const NEVER: Duration = Duration::from_secs(3600);

    #[tokio::test]
    async fn names_that_are_never_answered_leave_others_their_turns() {
        let resolver = answering(NEVER);
        assert!(soon(&resolver, "known.example").await);
        let _one_site = all(&resolver, (0..200).map(|number| format!("n{number}.slow.test")));
        running(&resolver, |count| count >= 200).await;
        assert!(soon(&resolver, "known.example").await);
        assert!(soon(&resolver, "new.example").await);
        assert!(waits(&resolver, "new.slow.test").await);
        // Of many sites, none that is not known.
        let _many_sites = all(&resolver, (0..200).map(|number| format!("n.slow{number}.test")));
        running(&resolver, |count| count >= 400).await;
        assert!(soon(&resolver, "known.example").await);
        assert!(waits(&resolver, "another.example").await);
    }

    #[tokio::test]
    async fn what_takes_long_goes_on_aside() {
        let resolver = answering(Duration::from_millis(1));
        let _many_sites = all(&resolver, (0..100).map(|number| format!("n.slow{number}.test")));
        assert!(soon(&resolver, "new.example").await);
    }

    #[tokio::test]
    async fn what_nobody_waits_for_is_not_begun() {
        let resolver = answering(NEVER);
        let mut asking = all(&resolver, (0..1000).map(|number| format!("n{number}.slow.test")));
        running(&resolver, |count| count == 1000).await;
        asking.shutdown().await;
        // Those that run go on: they can't be called off.
        running(&resolver, |count| count == 8).await;
    }

    #[tokio::test]
    async fn the_system_knows_localhost_and_not_an_invalid_name() {
        let resolver = SystemResolver::default();
        let (first, second) = tokio::join!(resolver.resolve("localhost"), resolver.resolve("localhost"));
        assert!(first.unwrap().iter().all(IpAddr::is_loopback));
        assert!(second.unwrap().iter().all(IpAddr::is_loopback));
        resolver.resolve("name.invalid").await.unwrap_err();
        assert!(resolver.0.running().is_empty());
    }

    #[tokio::test]
    async fn a_lookup_that_runs_is_joined() {
        let resolver = SystemResolver::default();
        let first = resolver.join_or_start("localhost");
        let second = resolver.join_or_start("localhost");
        assert!(first.same_channel(&second));
    }
}
