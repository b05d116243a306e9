//! Answers that are kept for a while, by a hash of the credential that they are about: the credential itself is kept
//! nowhere.
//!
//! Bounded, whatever callers send: when the young half is full it becomes the old half, and what was the old half is
//! dropped. What is asked for again moves back among the young.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ring::digest::{Context, SHA256};

/// SHA-256 of what a caller shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// Of these parts. Each counts with its length, so that the same bytes divided otherwise are another.
    pub(super) fn of<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut context = Context::new(&SHA256);
        for part in parts {
            context.update(&(part.len() as u64).to_le_bytes());
            context.update(part);
        }
        let mut hash = [0; 32];
        hash.copy_from_slice(context.finish().as_ref());
        Self(hash)
    }
}

#[derive(Debug)]
struct Halves<V> {
    young: HashMap<Fingerprint, (V, Duration)>,
    old: HashMap<Fingerprint, (V, Duration)>,
}

/// At most twice so many answers, each until its time. Times are a monotonic clock's.
#[derive(Debug)]
pub(super) struct Cache<V> {
    halves: Mutex<Halves<V>>,
    half: usize,
}

impl<V: Clone> Cache<V> {
    /// An empty one, each half of which holds so many.
    pub(super) fn new(half: usize) -> Self {
        let halves = Halves { young: HashMap::new(), old: HashMap::new() };
        Self { halves: Mutex::new(halves), half: half.max(1) }
    }

    /// What is kept of this, unless its time has passed.
    pub(super) fn get(&self, of: &Fingerprint, now: Duration) -> Option<V> {
        let mut halves = self.halves.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((value, until)) = halves.young.get(of) {
            return (now < *until).then(|| value.clone());
        }
        let (value, until) = halves.old.remove(of)?;
        if now >= until {
            return None;
        }
        halves.put(*of, (value.clone(), until), self.half);
        Some(value)
    }

    /// Keeps this until then.
    pub(super) fn put(&self, of: Fingerprint, value: V, until: Duration) {
        let mut halves = self.halves.lock().unwrap_or_else(PoisonError::into_inner);
        halves.old.remove(&of);
        halves.put(of, (value, until), self.half);
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        let halves = self.halves.lock().unwrap();
        halves.young.len() + halves.old.len()
    }
}

impl<V> Halves<V> {
    fn put(&mut self, of: Fingerprint, value: (V, Duration), half: usize) {
        if self.young.len() >= half && !self.young.contains_key(&of) {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(of, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(n: usize) -> Fingerprint {
        Fingerprint::of([n.to_string().as_bytes()])
    }

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn an_answer_is_kept_until_its_time() {
        let cache = Cache::new(8);
        cache.put(of(1), "one", at(10));
        assert_eq!(cache.get(&of(1), at(9)), Some("one"));
        assert_eq!(cache.get(&of(1), at(10)), None);
        assert_eq!(cache.get(&of(2), at(0)), None);
        cache.put(of(1), "again", at(20));
        assert_eq!(cache.get(&of(1), at(10)), Some("again"));
    }

    #[test]
    fn it_is_bounded_and_keeps_what_is_asked_for() {
        let cache = Cache::new(10);
        cache.put(of(0), 0, at(100));
        for n in 1..1000 {
            cache.put(of(n), n, at(100));
            assert_eq!(cache.get(&of(0), at(1)), Some(0), "{n}");
            assert!(cache.len() <= 20);
        }
        assert_eq!(cache.get(&of(5), at(1)), None);
    }

    #[test]
    fn parts_count_with_their_lengths() {
        let of = |parts: &[&str]| Fingerprint::of(parts.iter().map(|part| part.as_bytes()));
        assert_eq!(of(&["ab", "c"]), of(&["ab", "c"]));
        for other in [&["a", "bc"][..], &["abc"], &["ab", "c", ""], &["c", "ab"]] {
            assert_ne!(of(&["ab", "c"]), of(other), "{other:?}");
        }
    }
}
