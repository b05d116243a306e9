//! Subscriptions in memory, by account and event: what an event matches, without reading the store.
//!
//! Written by the control plane after the store has the change; read by ingest (what matches) and by dispatch
//! (where to send, as it stands now). Never does I/O.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use crate::control::Agenda;
use crate::deliver::Prepared;
use crate::model::{
    AccountId, Event, EventName, Health, Match, Mode, Progress, Subscription, SubscriptionNo,
    SubscriptionStatus,
};
use crate::store::Shift;

/// A subscription in memory, with what sending to it needs.
#[derive(Debug)]
pub(crate) struct Live {
    /// As it is stored.
    pub subscription: Subscription,
    /// Parsed and keyed once, for every delivery.
    pub prepared: Prepared,
    /// Shared by all versions of the same subscription.
    pub counters: Arc<Mutex<Counters>>,
}

/// What changes with every delivery.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    /// Its sequence and health.
    pub progress: Progress,
    /// Whether it has changed since it was last saved.
    pub dirty: bool,
}

impl Live {
    pub(crate) fn health(&self) -> Health {
        self.counters.lock().unwrap_or_else(PoisonError::into_inner).progress.health
    }
}

#[derive(Debug, Default)]
struct Account {
    exact: HashMap<EventName, Vec<SubscriptionNo>>,
    wildcard: Vec<(String, SubscriptionNo)>,
}

#[derive(Debug, Default)]
struct Maps {
    live: HashMap<SubscriptionNo, Arc<Live>>,
    accounts: HashMap<AccountId, Account>,
    /// Of the live ones, those whose targets have not confirmed.
    pending: usize,
    /// Those whose deliveries are planned.
    planned: usize,
}

/// All subscriptions that have not ended.
#[derive(Debug, Default)]
pub(crate) struct Index {
    maps: RwLock<Maps>,
    /// Whether any counters may have changed since they were last taken.
    dirty: AtomicBool,
    /// When which of them has to be asked for its intent.
    pub agenda: Agenda,
}

impl Index {
    /// Puts a subscription in the place of its former version; one that has ended is taken out.
    pub(crate) fn apply(&self, subscription: Subscription) {
        self.insert(subscription, None);
    }

    /// As [`Index::apply`], with the counters that the store has; for a start.
    pub(crate) fn load(&self, subscription: Subscription, progress: Progress) {
        self.insert(subscription, Some(progress));
    }

    fn insert(&self, subscription: Subscription, progress: Option<Progress>) {
        let no = subscription.no;
        let mut maps = self.maps.write().unwrap_or_else(PoisonError::into_inner);
        self.agenda.note(&subscription);
        let former = maps.live.remove(&no);
        if let Some(former) = &former {
            maps.unlist(&former.subscription);
            maps.pending -= usize::from(former.subscription.status == SubscriptionStatus::Pending);
            maps.planned -= usize::from(former.subscription.terms.mode() != Mode::Free);
        }
        if subscription.status.is_ended() {
            return;
        }
        let counters = match (progress, former) {
            (None, Some(former)) => Arc::clone(&former.counters),
            (progress, _) => {
                Arc::new(Mutex::new(Counters { progress: progress.unwrap_or_default(), dirty: false }))
            }
        };
        maps.list(&subscription);
        maps.pending += usize::from(subscription.status == SubscriptionStatus::Pending);
        maps.planned += usize::from(subscription.terms.mode() != Mode::Free);
        let prepared = Prepared::new(&subscription);
        maps.live.insert(no, Arc::new(Live { subscription, prepared, counters }));
    }

    /// What was taken from the agenda is there again, as its subscription stands now.
    pub(crate) fn look_again(&self, no: SubscriptionNo) {
        let maps = self.maps.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(live) = maps.live.get(&no) {
            self.agenda.note(&live.subscription);
        }
    }

    /// The subscription as it stands now; `None` when it has ended.
    pub(crate) fn get(&self, no: SubscriptionNo) -> Option<Arc<Live>> {
        self.maps.read().unwrap_or_else(PoisonError::into_inner).live.get(&no).map(Arc::clone)
    }

    /// All of them, in no order.
    pub(crate) fn all(&self) -> Vec<Arc<Live>> {
        self.maps.read().unwrap_or_else(PoisonError::into_inner).live.values().map(Arc::clone).collect()
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.maps.read().unwrap_or_else(PoisonError::into_inner).live.len()
    }

    /// How many of them have yet to be confirmed by their targets.
    pub(crate) fn pending(&self) -> usize {
        self.maps.read().unwrap_or_else(PoisonError::into_inner).pending
    }

    /// What an event matches, ascending by number, each with its subscription's next sequence number.
    pub(crate) fn match_event(&self, account: &AccountId, name: &EventName) -> Vec<Match> {
        let maps = self.maps.read().unwrap_or_else(PoisonError::into_inner);
        let numbers = maps.matching(account, name);
        if !numbers.is_empty() {
            self.dirty.store(true, Ordering::Relaxed);
        }
        let with_sequence = |subscription: SubscriptionNo| {
            let mut counters =
                maps.live.get(&subscription)?.counters.lock().unwrap_or_else(PoisonError::into_inner);
            counters.progress.sequence += 1;
            counters.dirty = true;
            Some(Match { subscription, sequence: counters.progress.sequence })
        };
        numbers.iter().copied().filter_map(with_sequence).collect()
    }

    /// Those of an event's matches that are planned: their places, with what they are planned by, and how long each is put
    /// off at least.
    pub(crate) fn planned(&self, event: &Event) -> Vec<(usize, Vec<u8>, Duration)> {
        let maps = self.maps.read().unwrap_or_else(PoisonError::into_inner);
        if maps.planned == 0 {
            return Vec::new();
        }
        let planned = |(place, given): (usize, &Match)| {
            let terms = &maps.live.get(&given.subscription)?.subscription.terms;
            let wait = match terms.mode() {
                Mode::Free => return None,
                Mode::Debounce { window, .. } => window,
                _ => Duration::ZERO,
            };
            Some((place, terms.plan_key(event)?, wait))
        };
        event.matched.iter().enumerate().filter_map(planned).collect()
    }

    /// Takes back the newest sequence numbers: the event they were given for was not committed.
    pub(crate) fn unmatch(&self, matched: &[Match]) {
        let maps = self.maps.read().unwrap_or_else(PoisonError::into_inner);
        for given in matched {
            if let Some(live) = maps.live.get(&given.subscription) {
                let mut counters = live.counters.lock().unwrap_or_else(PoisonError::into_inner);
                counters.progress.sequence = counters.progress.sequence.min(given.sequence - 1);
            }
        }
    }

    /// Another node has given numbers meanwhile: this one's go on behind them.
    pub(crate) fn shift(&self, shift: Shift) {
        if let Some(live) = self.get(shift.subscription) {
            let mut counters = live.counters.lock().unwrap_or_else(PoisonError::into_inner);
            let moved = counters.progress.sequence.saturating_add_signed(shift.by);
            counters.progress.sequence = moved;
        }
    }

    /// An event of an earlier run gave this number.
    pub(crate) fn seen(&self, given: Match) {
        if let Some(live) = self.get(given.subscription) {
            let mut counters = live.counters.lock().unwrap_or_else(PoisonError::into_inner);
            if counters.progress.sequence < given.sequence {
                counters.progress.sequence = given.sequence;
                counters.dirty = true;
            }
        }
    }

    /// A delivery of this subscription has fared well or badly: its health as it is then.
    pub(crate) fn note_health(&self, live: &Live, change: impl FnOnce(&mut Health)) -> Health {
        let mut counters = live.counters.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut counters.progress.health);
        counters.dirty = true;
        self.dirty.store(true, Ordering::Relaxed);
        counters.progress.health
    }

    /// Whether any counters may have changed since they were last taken.
    pub(crate) fn is_dirty(&self) -> bool {
        self.dirty.load(Ordering::Relaxed)
    }

    /// The counters that have changed since this was last asked.
    pub(crate) fn take_dirty(&self) -> Vec<(SubscriptionNo, Progress)> {
        self.dirty.store(false, Ordering::Relaxed);
        let maps = self.maps.read().unwrap_or_else(PoisonError::into_inner);
        let take = |(no, live): (&SubscriptionNo, &Arc<Live>)| {
            let mut counters = live.counters.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut counters.dirty).then_some((*no, counters.progress))
        };
        maps.live.iter().filter_map(take).collect()
    }

    /// These were taken, but could not be saved.
    pub(crate) fn mark_dirty(&self, taken: &[(SubscriptionNo, Progress)]) {
        self.dirty.fetch_or(!taken.is_empty(), Ordering::Relaxed);
        for (no, _) in taken {
            if let Some(live) = self.get(*no) {
                live.counters.lock().unwrap_or_else(PoisonError::into_inner).dirty = true;
            }
        }
    }
}

impl Maps {
    fn matching(&self, account: &AccountId, name: &EventName) -> Cow<'_, [SubscriptionNo]> {
        let Some(account) = self.accounts.get(account) else { return Cow::Borrowed(&[]) };
        let exact = account.exact.get(name).map_or(&[][..], Vec::as_slice);
        if account.wildcard.is_empty() {
            return Cow::Borrowed(exact);
        }
        let wanting =
            account.wildcard.iter().filter(|(prefix, _)| name.as_str().starts_with(prefix.as_str()));
        let mut matched: Vec<_> = exact.iter().copied().chain(wanting.map(|(_, no)| *no)).collect();
        matched.sort_unstable();
        matched.dedup();
        Cow::Owned(matched)
    }

    fn list(&mut self, subscription: &Subscription) {
        if !subscription.status.matches_events() {
            return;
        }
        let account = self.accounts.entry(subscription.account.clone()).or_default();
        for pattern in &subscription.events {
            match pattern.prefix() {
                Some(prefix) => account.wildcard.push((prefix.to_owned(), subscription.no)),
                None => {
                    let name = pattern.as_str().parse().expect("a pattern without a wildcard is a name");
                    let numbers = account.exact.entry(name).or_default();
                    if let Err(place) = numbers.binary_search(&subscription.no) {
                        numbers.insert(place, subscription.no);
                    }
                }
            }
        }
    }

    fn unlist(&mut self, subscription: &Subscription) {
        let Some(account) = self.accounts.get_mut(&subscription.account) else { return };
        account.wildcard.retain(|(_, no)| *no != subscription.no);
        for pattern in &subscription.events {
            if let Some(numbers) = account.exact.get_mut(pattern.as_str()) {
                if let Ok(place) = numbers.binary_search(&subscription.no) {
                    numbers.remove(place);
                }
                if numbers.is_empty() {
                    account.exact.remove(pattern.as_str());
                }
            }
        }
        if account.exact.is_empty() && account.wildcard.is_empty() {
            self.accounts.remove(&subscription.account);
        }
    }
}
