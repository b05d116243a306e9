//! Deletes what is old, oldest first, in steps that hold up nobody who writes.
//!
//! Beside everything else, in rounds; of nodes that share a store the first one does it. Nothing is remembered of a round
//! that the store does not say by itself, so that a crash at any moment costs nothing. What still waits to be sent is never
//! deleted, however old.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::core::Core;
use crate::model::{EventSeq, Timestamp};
use crate::store::{Error, Expire, Expiring, Holdings};

const DAY: Duration = Duration::from_secs(24 * 3600);
/// The first round comes so long after the start.
const FIRST: Duration = Duration::from_secs(60);
/// Between two rounds.
const ROUND: Duration = Duration::from_secs(600);
/// Between two steps of a round, for whoever else writes.
const PAUSE: Duration = Duration::from_millis(10);
/// What is looked at in a step.
const STEP: usize = 200;

/// How long what has happened is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetentionPolicy {
    /// Events, with their deliveries and producers' ids (30 days). An event with a delivery that still waits or is held
    /// stays, whatever its age.
    pub events: Duration,
    /// Attempts (30 days).
    pub attempts: Duration,
    /// Events that a subscription has missed: with a delivery that was given up (90 days).
    pub missed: Duration,
    /// Entries of the audit trail (for ever).
    pub audit: Option<Duration>,
    /// The most bytes that the store may hold: what is more goes, oldest events first, missed ones as well (no limit).
    pub bytes: Option<u64>,
}

impl Default for RetentionPolicy {
    fn default() -> Self {
        Self { events: 30 * DAY, attempts: 30 * DAY, missed: 90 * DAY, audit: None, bytes: None }
    }
}

/// What a node remembers of its rounds, for metrics and so as not to look twice.
#[derive(Debug, Default)]
pub(crate) struct RetentionState {
    /// Attempts of events up to here are deleted, but for those that waited.
    attempts_through: AtomicU64,
    bytes: AtomicU64,
    /// In seconds; 0 when there is none.
    oldest: AtomicU64,
}

impl RetentionState {
    /// What the last round found: bytes, and the oldest event's time in seconds.
    pub(crate) fn found(&self) -> (u64, u64) {
        (self.bytes.load(Ordering::Relaxed), self.oldest.load(Ordering::Relaxed))
    }

    fn learn(&self, holdings: Holdings) {
        self.bytes.store(holdings.bytes, Ordering::Relaxed);
        let oldest = holdings.oldest.map_or(0, |oldest| oldest.as_secs().unsigned_abs());
        self.oldest.store(oldest, Ordering::Relaxed);
    }
}

/// Keeps to the policy until the engine stops.
pub(crate) async fn retain(core: Arc<Core>) {
    let mut wait = FIRST;
    loop {
        tokio::select! {
            () = core.options.clock.sleep(wait) => wait = ROUND,
            () = core.stopping.cancelled() => return,
        }
        // Whoever else believes to be the first as well does the same, which harms nobody.
        if core.place.load(Ordering::Relaxed) != 0 {
            continue;
        }
        if let Err(error) = core.retention_round().await {
            tracing::warn!(%error, "deleting what is old was broken off; the next round goes on with it");
        }
    }
}

impl Core {
    async fn retention_round(&self) -> Result<(), Error> {
        let policy = &self.options.retention;
        let now = self.options.clock.now();
        let before = now.minus(policy.events);
        let missed_before = now.minus(policy.missed.max(policy.events));
        let what = Expiring::Events { before, missed_before };
        let (mut events, _) = self.expire_all(what, EventSeq(0)).await?;
        let attempts = self.expire_attempts(now).await?;
        let mut entries = 0;
        if let Some(audit) = policy.audit {
            (entries, _) = self.expire_all(Expiring::Audit { before: now.minus(audit) }, EventSeq(0)).await?;
        }
        let made_room = self.make_room(now).await?;
        events += made_room;
        while self.store.give_back().await? && self.goes_on().await {}
        self.retention.learn(self.store.holdings().await?);
        let stats = &self.stats;
        stats.expired_events.fetch_add(events, Ordering::Relaxed);
        stats.expired_attempts.fetch_add(attempts, Ordering::Relaxed);
        stats.expired_audit.fetch_add(entries, Ordering::Relaxed);
        if events + attempts + entries > 0 {
            tracing::info!(events, attempts, audit_entries = entries, made_room, "deleted what was old");
        }
        Ok(())
    }

    /// All that is old; how many, and up to where was looked.
    async fn expire_all(&self, what: Expiring, mut after: EventSeq) -> Result<(u64, EventSeq), Error> {
        let mut gone = 0;
        loop {
            let step = self.store.expire(&Expire { what, after, limit: STEP }).await?;
            gone += step.gone;
            let Some(last) = step.last else { return Ok((gone, after)) };
            after = last;
            if !self.goes_on().await {
                return Ok((gone, after));
            }
        }
    }

    async fn expire_attempts(&self, now: Timestamp) -> Result<u64, Error> {
        let policy = &self.options.retention;
        if policy.attempts >= policy.events.max(policy.missed) {
            return Ok(0);
        }
        let from = self.retention.attempts_through.load(Ordering::Relaxed);
        let after = EventSeq(i64::try_from(from).unwrap_or_default());
        let what = Expiring::Attempts { before: now.minus(policy.attempts) };
        let (gone, through) = self.expire_all(what, after).await?;
        self.retention.attempts_through.store(through.0.unsigned_abs(), Ordering::Relaxed);
        Ok(gone)
    }

    /// While there is more than there may be, the oldest goes. Whatever was accepted within the last minute stays.
    async fn make_room(&self, now: Timestamp) -> Result<u64, Error> {
        let Some(most) = self.options.retention.bytes else { return Ok(0) };
        let what = Expiring::Oldest { before: now.minus(FIRST) };
        let (mut after, mut gone) = (EventSeq(0), 0);
        loop {
            let holdings = self.store.holdings().await?;
            if holdings.bytes <= most {
                return Ok(gone);
            }
            let step = self.store.expire(&Expire { what, after, limit: STEP }).await?;
            gone += step.gone;
            let Some(last) = step.last else {
                tracing::warn!(
                    bytes = holdings.bytes,
                    limit = most,
                    "the store holds more than it may, and there is nothing left that can be deleted"
                );
                return Ok(gone);
            };
            after = last;
            // A day that was set apart counts until it is dropped.
            self.store.give_back().await?;
            if !self.goes_on().await {
                return Ok(gone);
            }
        }
    }

    /// A pause; whether the engine is still there after it.
    async fn goes_on(&self) -> bool {
        tokio::select! {
            () = self.options.clock.sleep(PAUSE) => true,
            () = self.stopping.cancelled() => false,
        }
    }
}
