//! Chooses what happens next, and has it happen to the store and to the model.

use std::collections::BTreeMap;
use std::sync::Arc;

use resthooks::model::{
    Attempt, AuditAction, DeliveryKey, DeliveryStatus, Event, EventId, EventSeq, Health, Match, Progress,
    Subscription, SubscriptionNo, SubscriptionStatus, Timestamp,
};
use resthooks::store::{AuditFilter, Batch, Record, Settle};

use super::compare;
use super::dice::Dice;
use super::plain::Plain;
use crate::lab::{Lab, at, attempt, first, name};

pub(super) const ACCOUNTS: [&str; 3] = ["a", "b", "c.1"];
pub(super) const NAMES: [&str; 3] = ["contact.create", "contact.delete", "deal.create"];
pub(super) const TARGETS: [&str; 2] = ["https://one.example/", "https://two.example/x"];
pub(super) const PATTERNS: [&str; 4] = ["*", "contact.*", "contact.create", "deal.create"];
const STATUSES: [DeliveryStatus; 5] = [
    DeliveryStatus::Scheduled,
    DeliveryStatus::Held,
    DeliveryStatus::Delivered,
    DeliveryStatus::Dead,
    DeliveryStatus::Cancelled,
];

/// One run: chance, the model, and the time.
#[derive(Debug)]
pub(super) struct Trial {
    pub(super) dice: Dice,
    pub(super) plain: Plain,
    pub(super) now: Timestamp,
    ids: usize,
}

impl Trial {
    pub(super) async fn new(seed: u64, lab: &Lab) -> Self {
        let mut trial = Self { dice: Dice::new(seed), plain: Plain::default(), now: at(0), ids: 0 };
        trial.begin_log(lab).await;
        // The trail of a run before stays.
        let listed = lab.store().list_audit(&AuditFilter::default(), first(usize::MAX)).await.unwrap();
        trial.plain.audit = listed.into_iter().rev().collect();
        trial
    }

    pub(super) async fn step(&mut self, lab: &mut Lab) {
        self.now = self.now.plus(std::time::Duration::from_millis(7));
        match self.dice.below(32) {
            0..3 => self.subscribe(lab).await,
            3..6 => self.change_subscription(lab).await,
            6..20 => self.commit(lab).await,
            20..23 => self.settle(lab).await,
            23..25 => self.event_type(lab).await,
            25..27 => self.key(lab).await,
            27 if self.dice.once_in(3) => self.delete_account(lab).await,
            28..30 => self.settings(lab).await,
            _ => self.reopen(lab).await,
        }
    }

    async fn reopen(&mut self, lab: &mut Lab) {
        lab.reopen().await;
        self.begin_log_if_new(lab).await;
        compare::reopened(self, lab);
    }

    /// Where nodes share a store, each has a log of its own.
    pub(super) async fn begin_log_if_new(&mut self, lab: &Lab) {
        if lab.store().is_shared() {
            self.begin_log(lab).await;
        }
    }

    async fn begin_log(&mut self, lab: &Lab) {
        let position = lab.position().await;
        self.plain.begin_log(position.last.max(lab.joined_after()), position.watermark);
    }

    /// Deletes all accounts and whatever belongs to none.
    pub(super) async fn clear(&mut self, lab: &mut Lab) {
        for id in ACCOUNTS {
            self.delete(lab, id).await;
        }
        for name in self.plain.event_types.values().map(|one| &one.name) {
            assert!(lab.store().delete_event_type(name, None).await.unwrap());
        }
        for key in &self.plain.keys {
            assert!(lab.store().delete_key(key.id, None).await.unwrap());
        }
    }

    async fn subscribe(&mut self, lab: &Lab) {
        let of = self.dice.pick(&ACCOUNTS).unwrap();
        let new = self.shuffled(Subscription { created_at: self.now, ..lab.subscription(of) });
        let audit = self.audit(lab, AuditAction::SubscriptionCreated, new.id, Some(of));
        let no = lab.store().insert_subscription(&new, audit.as_ref()).await.unwrap();
        let new = Subscription { no, ..new };
        assert!(self.plain.subscriptions.last_key_value().is_none_or(|(last, _)| *last < new.no));
        self.plain.subscriptions.insert(new.no, (new, Progress::default()));
    }

    fn shuffled(&mut self, one: Subscription) -> Subscription {
        let mut events: Vec<_> = PATTERNS.iter().filter(|_| self.dice.once_in(2)).collect();
        if events.is_empty() {
            events.push(&PATTERNS[0]);
        }
        Subscription {
            events: events.into_iter().map(|pattern| pattern.parse().unwrap()).collect(),
            target_url: self.dice.pick(&TARGETS).unwrap().parse().unwrap(),
            updated_at: self.now,
            ..one
        }
    }

    async fn change_subscription(&mut self, lab: &Lab) {
        let Some(no) = self.any_subscription() else { return };
        let status = match self.dice.below(8) {
            0 => SubscriptionStatus::Gone,
            1 => SubscriptionStatus::Deleted,
            2 => SubscriptionStatus::Paused,
            3 => SubscriptionStatus::Disabled,
            4 => SubscriptionStatus::Pending,
            _ => SubscriptionStatus::Active,
        };
        let before = self.plain.subscriptions[&no].0.clone();
        let changed = self.shuffled(Subscription { status, ..before });
        let of = changed.account.to_string();
        let audit = self.audit(lab, AuditAction::SubscriptionUpdated, changed.id, Some(&of));
        lab.store().update_subscription(&changed, audit.as_ref()).await.unwrap();
        let changed = Subscription { version: changed.version + 1, ..changed };
        self.plain.subscriptions.get_mut(&no).unwrap().0 = changed;
    }

    pub(super) fn any_subscription(&mut self) -> Option<SubscriptionNo> {
        let numbers: Vec<_> = self.plain.subscriptions.keys().copied().collect();
        self.dice.pick(&numbers).copied()
    }

    async fn commit(&mut self, lab: &Lab) {
        let events: Vec<_> = (0..self.dice.below(5)).map(|_| Arc::new(self.event(lab))).collect();
        let mut records: Vec<Record> = (0..self.dice.below(7)).filter_map(|_| self.record()).collect();
        records.sort_by_key(|record| record.key);
        records.dedup_by_key(|record| record.key);
        let mut progress = self.sequences(&events);
        if self.dice.once_in(3)
            && let Some(no) = self.any_subscription()
        {
            let before = progress.remove(&no).unwrap_or(self.plain.subscriptions[&no].1);
            progress.insert(no, self.fared(before));
        }
        let watermark = self.dice.once_in(3).then(|| self.recorded(&records));
        let progress = progress.into_iter().collect();
        let batch = Batch { events, records, watermark, progress, now: self.now, ..Batch::default() };
        let committed = lab.commit(batch.clone()).await.unwrap();
        assert!(committed.shifts.is_empty(), "nobody else gives sequences: {committed:?}");
        assert_eq!(committed.numbers.len(), batch.events.len());
        let last = self.plain.events.last_key_value().map(|(seq, _)| *seq);
        assert!(last.iter().chain(&committed.numbers).is_sorted_by(|one, next| one < next), "{committed:?}");
        self.plain.commit(&batch, &committed.numbers);
    }

    fn event(&mut self, lab: &Lab) -> Event {
        let of = self.dice.pick(&ACCOUNTS).unwrap();
        let matched = self
            .plain
            .subscriptions
            .values()
            .filter(|(one, _)| one.account.as_str() == *of && one.status.matches_events());
        let matched: Vec<SubscriptionNo> = matched.map(|(one, _)| one.no).collect();
        let matched = matched.into_iter().filter(|_| !self.dice.once_in(3)).collect::<Vec<_>>();
        let matched: Vec<&Subscription> = matched.iter().map(|no| &self.plain.subscriptions[no].0).collect();
        let bare = lab.event(of, &matched);
        let own_id = self.dice.once_in(3);
        self.ids += 1;
        Event {
            id: if own_id {
                format!("own-{}", self.ids).parse().unwrap()
            } else {
                EventId::generated(bare.uid)
            },
            digest: own_id.then_some([7; 32]),
            event: name(self.dice.pick(&NAMES).unwrap()),
            created_at: if self.dice.once_in(5) { at(self.dice.millis(2_000)) } else { self.now },
            ..bare
        }
    }

    fn record(&mut self) -> Option<Record> {
        let events: Vec<EventSeq> = self.plain.events.keys().copied().collect();
        let seq = *self.dice.pick(&events)?;
        let event = Arc::clone(self.plain.events.get(&seq)?);
        let to = *self.dice.pick(&event.matched)?;
        let key = DeliveryKey { event: seq, subscription: to.subscription };
        let known = self.plain.rows.get(&key);
        let made = known.map_or(0, |row| row.record.attempts) + 1;
        let has_row = if known.is_some() { !self.dice.once_in(8) } else { self.dice.once_in(20) };
        let status = *self.dice.pick(&STATUSES)?;
        let tried = !self.dice.once_in(4);
        Some(Record {
            key,
            account: event.account.clone(),
            sequence: to.sequence,
            has_row,
            status,
            reason: self.dice.once_in(2).then(|| format!("reason {made}")),
            next_attempt_at: (status == DeliveryStatus::Scheduled).then(|| at(self.dice.millis(2_000))),
            attempts: if tried { made } else { made - 1 },
            automatic: known.map_or(0, |row| row.record.automatic),
            attempt: tried.then(|| Attempt { manual: made.is_multiple_of(3), ..attempt(made) }),
            keep_state: tried && self.dice.once_in(6),
            group: None,
        })
    }

    /// The counters of the subscriptions that these events are for, as they stand after them.
    fn sequences(&self, events: &[Arc<Event>]) -> BTreeMap<SubscriptionNo, Progress> {
        let mut progress = BTreeMap::new();
        for one in events.iter().flat_map(|event| &event.matched) {
            let (_, before) = self.plain.subscriptions[&one.subscription];
            let after = progress.entry(one.subscription).or_insert(before);
            assert!(one.sequence == after.sequence + 1, "the trial gives them without gaps");
            after.sequence = one.sequence;
        }
        progress
    }

    /// The counters after an attempt just now that succeeded or failed.
    fn fared(&mut self, before: Progress) -> Progress {
        let last = before.health;
        let health = if self.dice.once_in(3) {
            Health { last_success_at: Some(self.now), failing_since: None, consecutive_failures: 0, ..last }
        } else {
            Health {
                last_failure_at: Some(self.now),
                failing_since: last.failing_since.or(Some(self.now)),
                consecutive_failures: last.consecutive_failures + 1,
                ..last
            }
        };
        Progress { health, ..before }
    }

    /// Up to where everything has a row, once these records are written.
    fn recorded(&self, records: &[Record]) -> EventSeq {
        let written = |seq: EventSeq, one: &Match| {
            records.iter().any(|record| {
                !record.has_row && record.key == DeliveryKey { event: seq, subscription: one.subscription }
            })
        };
        let open = |seq: &EventSeq| self.plain.missing(*seq).iter().any(|one| !written(*seq, one));
        let all = match self.plain.own_events().find(open) {
            Some(first) => first.previous(),
            None => self.plain.own_events().last().unwrap_or_default(),
        };
        all.max(self.plain.watermark())
    }

    async fn settle(&mut self, lab: &Lab) {
        let Some(subscription) = self.any_subscription() else { return };
        let [from, to] = match self.dice.below(4) {
            0 => [DeliveryStatus::Scheduled, DeliveryStatus::Held],
            1 => [DeliveryStatus::Held, DeliveryStatus::Scheduled],
            2 => [DeliveryStatus::Scheduled, DeliveryStatus::Cancelled],
            _ => [DeliveryStatus::Held, DeliveryStatus::Cancelled],
        };
        let ask = Settle {
            node: lab.node(),
            subscription,
            from,
            to,
            reason: self.dice.once_in(2).then(|| "settled".to_owned()),
            now: self.now,
            limit: 1 + self.dice.below(4),
            except: self.some_events(),
        };
        assert_eq!(lab.store().settle(ask.clone()).await.unwrap(), self.plain.settle(&ask), "{ask:?}");
    }

    pub(super) fn some_events(&mut self) -> Vec<EventSeq> {
        let events: Vec<EventSeq> = self.plain.events.keys().copied().collect();
        (0..self.dice.below(4)).filter_map(|_| self.dice.pick(&events).copied()).collect()
    }
}
