//! Token buckets by the thousand, each in one number: the moment at which it will be full again (GCRA).
//!
//! A bucket that is full says no more than one that was never there, so that forgetting buckets costs nothing but the
//! memory of who has just emptied theirs. They are kept in two generations: when the young one is as large as it
//! may be, it becomes the old one, and what was old is forgotten unless it was used since.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, Hash, RandomState};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Parts with a lock of their own, so that callers seldom meet.
const SHARDS: usize = 16;
/// Buckets of one generation of one shard: 131,072 in all, some 5 MB.
const GENERATION: usize = 4096;

/// Buckets of one kind, by whatever they belong to.
#[derive(Debug)]
pub(super) struct Buckets {
    /// For one token to come back, in nanoseconds.
    interval: u64,
    /// What may be taken at once, in the same measure, without the first one.
    tolerance: u64,
    hasher: RandomState,
    shards: [Mutex<Shard>; SHARDS],
}

/// By the hash of what they belong to: seeded, so that nobody can look for two that share a bucket.
#[derive(Debug, Default)]
struct Shard {
    young: HashMap<u64, u64>,
    old: HashMap<u64, u64>,
}

impl Shard {
    /// When the bucket will be full again; 0 when nothing is known of it.
    fn full_at(&self, key: u64) -> u64 {
        self.young.get(&key).or_else(|| self.old.get(&key)).copied().unwrap_or(0)
    }

    fn put(&mut self, key: u64, full_at: u64) {
        if self.young.len() >= GENERATION && !self.young.contains_key(&key) {
            std::mem::swap(&mut self.young, &mut self.old);
            self.young.clear();
        }
        self.young.insert(key, full_at);
    }
}

impl Buckets {
    /// Buckets that hold `burst` tokens and get `per_second` back; both at least 1.
    pub(super) fn new(per_second: u32, burst: u32) -> Self {
        let interval = 1_000_000_000 / u64::from(per_second.max(1));
        let tolerance = interval * u64::from(burst.max(1) - 1);
        Self { interval, tolerance, hasher: RandomState::new(), shards: Default::default() }
    }

    /// Takes a token out of a bucket, or says how long until there will be one.
    pub(super) fn take(&self, owner: &impl Hash, now: Duration) -> Result<(), Duration> {
        let (key, now) = (self.hasher.hash_one(owner), nanoseconds(now));
        let mut shard = self.shard(key);
        let full_at = shard.full_at(key).max(now);
        let taken = self.wait(full_at, now);
        // Who is refused comes among the young ones as well: nobody gets a full bucket by being forgotten.
        shard.put(key, if taken.is_ok() { full_at.saturating_add(self.interval) } else { full_at });
        taken
    }

    fn wait(&self, full_at: u64, now: u64) -> Result<(), Duration> {
        match full_at.saturating_sub(self.tolerance).checked_sub(now) {
            None | Some(0) => Ok(()),
            Some(wait) => Err(Duration::from_nanos(wait)),
        }
    }

    fn shard(&self, key: u64) -> std::sync::MutexGuard<'_, Shard> {
        let place = usize::try_from(key >> 60).unwrap_or(0);
        let shard = self.shards.get(place).expect("there is a shard for each value of four bits");
        shard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Enough for five hundred years.
fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    /// How many tokens can be taken just now.
    fn taken(buckets: &Buckets, owner: &str, now: Duration) -> usize {
        (0..10_000).take_while(|_| buckets.take(&owner, now).is_ok()).count()
    }

    #[test]
    fn a_burst_and_then_so_many_a_second() {
        let buckets = Buckets::new(10, 5);
        assert_eq!(taken(&buckets, "a", ms(7)), 5);
        assert_eq!(buckets.take(&"a", ms(7)), Err(ms(100)));
        assert_eq!(buckets.take(&"a", ms(57)), Err(ms(50)));
        assert_eq!(taken(&buckets, "a", ms(106)), 0);
        assert_eq!(taken(&buckets, "a", ms(107)), 1);
        // Each second ten, however they are asked for.
        let all: usize = (0..10_000).map(|n| taken(&buckets, "a", ms(1000 + n))).sum();
        assert!((100..=105).contains(&all), "{all}");
        // Never more than a burst, however long nobody came.
        assert_eq!(taken(&buckets, "a", ms(100_000_000)), 5);
        assert_eq!(taken(&buckets, "b", ms(100_000_000)), 5);
    }

    #[test]
    fn a_refusal_costs_nothing() {
        let buckets = Buckets::new(1, 1);
        assert_eq!(taken(&buckets, "a", ms(0)), 1);
        for now in 0..999 {
            assert!(buckets.take(&"a", ms(now)).is_err());
        }
        assert!(buckets.take(&"a", ms(1000)).is_ok());
    }

    #[test]
    fn extremes() {
        for (per_second, burst) in [(1, 1), (1_000_000, 1), (1, 1_000_000), (1_000_000, 1_000_000), (0, 0)] {
            let buckets = Buckets::new(per_second, burst);
            assert_eq!(taken(&buckets, "a", Duration::ZERO), burst.clamp(1, 10_000) as usize);
            assert!(buckets.take(&"b", Duration::MAX / 2).is_ok());
        }
    }

    #[test]
    fn there_are_never_more_than_so_many_and_who_comes_often_is_not_forgotten() {
        let buckets = Buckets::new(1, 2);
        assert_eq!(taken(&buckets, "often", ms(0)), 2);
        for stranger in 0..400_000 {
            assert!(buckets.take(&stranger, ms(0)).is_ok());
            if stranger % 1000 == 0 {
                assert!(buckets.take(&"often", ms(1)).is_err(), "forgotten after {stranger}");
            }
        }
        let kept: usize = buckets
            .shards
            .iter()
            .map(|shard| {
                let shard = shard.lock().unwrap();
                shard.young.len() + shard.old.len()
            })
            .sum();
        assert!(kept <= SHARDS * GENERATION * 2, "{kept}");
    }

    #[test]
    fn threads_take_no_more_than_there_is() {
        let buckets = Buckets::new(1, 1000);
        let taken: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| taken(&buckets, "a", ms(0)))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(taken, 1000);
    }
}
