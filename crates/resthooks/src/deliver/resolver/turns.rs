//! Whose name is looked up next: lookups hold threads for as long as a name server likes, and whoever may subscribe may
//! name servers that never answer.
//!
//! A name that was answered soon the last time is known, and waits for nobody but others that are known or new. Those
//! that are not known leave half of the turns to those that are, and those of one site leave most of that to other
//! sites. A lookup that takes long gives its turn back and goes on at the side. Nothing here looks up a name.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Lookups at once.
const AT_ONCE: usize = 64;
/// Of these, of names that are not known.
const STRANGERS: usize = AT_ONCE / 2;
/// Of those, below one site, long ones among them.
const PER_SITE: usize = 8;
/// Long ones besides.
const LONG: usize = 128;
/// Half of how many names are known.
const KNOWN: usize = 8192;

#[derive(Debug)]
pub(super) struct Turns {
    all: Arc<Semaphore>,
    strangers: Arc<Semaphore>,
    long: Arc<Semaphore>,
    names: Mutex<Names>,
}

#[derive(Debug, Default)]
struct Names {
    /// Names that were answered soon, in two generations: the older one is forgotten when the young one is full.
    young: HashSet<Box<str>>,
    old: HashSet<Box<str>>,
    sites: HashMap<Box<str>, Site>,
}

#[derive(Debug)]
struct Site {
    users: usize,
    turns: Arc<Semaphore>,
}

/// A lookup's turn. It is over when this is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    turns: Arc<Turns>,
    host: Box<str>,
    permits: Vec<OwnedSemaphorePermit>,
    /// Where it is one of a site's.
    _site: Option<(AtSite, OwnedSemaphorePermit)>,
    is_long: bool,
}

/// Keeps a site's entry while somebody waits there or is looked up.
#[derive(Debug)]
struct AtSite {
    turns: Arc<Turns>,
    site: Box<str>,
}

impl Turns {
    pub(super) fn new() -> Arc<Self> {
        let of = |count| Arc::new(Semaphore::new(count));
        let names = Mutex::default();
        Arc::new(Self { all: of(AT_ONCE), strangers: of(STRANGERS), long: of(LONG), names })
    }

    /// Waits for a turn.
    pub(super) async fn take(self: &Arc<Self>, host: &str) -> Turn {
        let mut permits = Vec::with_capacity(2);
        let mut site = None;
        if !self.names().is_known(host) {
            let (at, turns) = self.enter(host);
            site = Some((at, permit(&turns).await));
            permits.push(permit(&self.strangers).await);
        }
        permits.push(permit(&self.all).await);
        Turn { turns: Arc::clone(self), host: host.into(), permits, _site: site, is_long: false }
    }

    fn enter(self: &Arc<Self>, host: &str) -> (AtSite, Arc<Semaphore>) {
        let site = site(host);
        let mut names = self.names();
        let none = || Site { users: 0, turns: Arc::new(Semaphore::new(PER_SITE)) };
        let entry = names.sites.entry(site.into()).or_insert_with(none);
        entry.users += 1;
        (AtSite { turns: Arc::clone(self), site: site.into() }, Arc::clone(&entry.turns))
    }

    fn names(&self) -> MutexGuard<'_, Names> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn permit(turns: &Arc<Semaphore>) -> OwnedSemaphorePermit {
    Arc::clone(turns).acquire_owned().await.expect("turns are never closed")
}

/// What somebody is likely to have all names below of: the last two labels.
fn site(host: &str) -> &str {
    let bare = host.strip_suffix('.').unwrap_or(host);
    bare.rmatch_indices('.').nth(1).map_or(bare, |(dot, _)| bare.get(dot + 1..).unwrap_or(bare))
}

impl Names {
    fn is_known(&self, host: &str) -> bool {
        self.young.contains(host) || self.old.contains(host)
    }

    fn learn(&mut self, host: Box<str>) {
        if self.young.len() >= KNOWN {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(host);
    }
}

impl Turn {
    /// It takes long: somebody else may begin, as long as there are not too many such.
    pub(super) fn takes_long(&mut self) {
        self.is_long = true;
        let mut names = self.turns.names();
        names.young.remove(&self.host);
        names.old.remove(&self.host);
        drop(names);
        if let Ok(aside) = Arc::clone(&self.turns.long).try_acquire_owned() {
            self.permits = vec![aside];
        }
    }

    /// There is an answer, whatever it says.
    pub(super) fn ended(self) {
        if !self.is_long {
            self.turns.names().learn(self.host.clone());
        }
    }
}

impl Drop for AtSite {
    fn drop(&mut self) {
        let mut names = self.turns.names();
        if let Some(entry) = names.sites.get_mut(&self.site) {
            entry.users -= 1;
            if entry.users == 0 {
                names.sites.remove(&self.site);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_site_of_a_name_is_its_end() {
        for (host, end) in [
            ("a.b.example.com", "example.com"),
            ("example.com.", "example.com"),
            ("example.com", "example.com"),
            ("com", "com"),
            ("", ""),
            ("a..", "a."),
        ] {
            assert_eq!(site(host), end, "{host}");
        }
    }

    #[tokio::test]
    async fn known_names_are_bounded_and_sites_forgotten() {
        let turns = Turns::new();
        for number in 0..3 * KNOWN {
            turns.take(&format!("n{number}.example")).await.ended();
        }
        let names = turns.names();
        assert!(names.sites.is_empty());
        assert!(names.young.len() + names.old.len() <= 2 * KNOWN);
        assert!(names.is_known(&format!("n{}.example", 3 * KNOWN - 1)) && !names.is_known("n0.example"));
        assert_eq!(
            (turns.all.available_permits(), turns.strangers.available_permits()),
            (AT_ONCE, STRANGERS)
        );
    }
}
