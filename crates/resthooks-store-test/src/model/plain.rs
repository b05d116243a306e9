//! What a store is: a few maps.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use resthooks::model::{
    AccountId, AccountSettings, ApiKey, Attempt, AuditEntry, Delivery, DeliveryId, DeliveryKey,
    DeliveryStatus, Event, EventSeq, EventType, KeyRole, Match, Progress, SequencedEvent, Subscription,
    SubscriptionNo, Timestamp,
};
use resthooks::store::{
    AccountSummary, AuditFilter, Backlog, Batch, DeliveryFilter, EventFilter, LeaseDue, Record, Settle,
    Standing, SubscriptionFilter,
};

#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) record: Record,
    pub(super) updated_at: Timestamp,
    pub(super) attempts: Vec<Attempt>,
}

#[derive(Debug, Default)]
pub(super) struct Plain {
    /// Where the log of each node that ever worked here begins, and how far it is recorded, the present one's last.
    logs: Vec<(EventSeq, EventSeq)>,
    pub(super) events: BTreeMap<EventSeq, Arc<Event>>,
    pub(super) rows: BTreeMap<DeliveryKey, Row>,
    pub(super) subscriptions: BTreeMap<SubscriptionNo, (Subscription, Progress)>,
    pub(super) event_types: BTreeMap<String, EventType>,
    pub(super) keys: Vec<ApiKey>,
    /// Of accounts that have any.
    pub(super) settings: BTreeMap<AccountId, AccountSettings>,
    /// Oldest first; nothing takes anything away from it.
    pub(super) audit: Vec<AuditEntry>,
}

impl Plain {
    /// A node begins a log: its events are numbered above this one, and all is recorded up to that one.
    pub(super) fn begin_log(&mut self, after: EventSeq, watermark: EventSeq) {
        self.logs.push((after, watermark));
    }

    /// How far the present node's log is recorded.
    pub(super) fn watermark(&self) -> EventSeq {
        self.logs.last().map_or(EventSeq(0), |(_, watermark)| *watermark)
    }

    /// The present node's events.
    pub(super) fn own_events(&self) -> impl Iterator<Item = EventSeq> {
        let after = self.logs.last().map_or(EventSeq(0), |(after, _)| *after);
        self.events.keys().copied().filter(move |seq| *seq > after)
    }

    pub(super) fn commit(&mut self, batch: &Batch, numbers: &[EventSeq]) {
        for (event, seq) in batch.events.iter().zip(numbers) {
            self.events.insert(*seq, Arc::clone(event));
        }
        for record in &batch.records {
            self.record(record, batch.now);
        }
        if let (Some(given), Some((_, watermark))) = (batch.watermark, self.logs.last_mut()) {
            *watermark = given.max(*watermark);
        }
        for (no, progress) in &batch.progress {
            if let Some((_, kept)) = self.subscriptions.get_mut(no) {
                *kept = *progress;
            }
        }
    }

    fn record(&mut self, record: &Record, now: Timestamp) {
        match self.rows.get_mut(&record.key) {
            Some(row) => {
                let (sequence, state) = (row.record.sequence, row.record.clone());
                row.record = Record { sequence, ..record.clone() };
                if record.keep_state {
                    row.record = Record { attempts: record.attempts, ..state };
                }
                row.updated_at = now;
                row.attempts.extend(record.attempt.clone());
            }
            None if !record.has_row => {
                let attempts = record.attempt.iter().cloned().collect();
                self.rows.insert(record.key, Row { record: record.clone(), updated_at: now, attempts });
            }
            None => {}
        }
    }

    /// The keys of a subscription's rows in this state.
    fn waiting(&self, no: SubscriptionNo, status: DeliveryStatus) -> Vec<DeliveryKey> {
        let fits = |(key, row): &(&DeliveryKey, &Row)| key.subscription == no && row.record.status == status;
        self.rows.iter().filter(fits).map(|(key, _)| *key).collect()
    }

    pub(super) fn settle(&mut self, ask: &Settle) -> usize {
        let mut chosen = self.waiting(ask.subscription, ask.from);
        chosen.retain(|key| !ask.except.contains(&key.event));
        chosen.truncate(ask.limit);
        for key in &chosen {
            let Some(row) = self.rows.get_mut(key) else { continue };
            row.record.status = ask.to;
            row.record.reason.clone_from(&ask.reason);
            row.record.next_attempt_at = (ask.to == DeliveryStatus::Scheduled).then_some(ask.now);
            row.updated_at = ask.now;
        }
        chosen.len()
    }

    /// The events taken, the longest due first, and when the next is due.
    pub(super) fn lease(&self, ask: &LeaseDue) -> (Vec<EventSeq>, Option<Timestamp>) {
        let mut due: Vec<(Timestamp, EventSeq)> = self
            .waiting(ask.subscription, DeliveryStatus::Scheduled)
            .into_iter()
            .filter(|key| !ask.except.contains(&key.event))
            .filter_map(|key| Some((self.rows.get(&key)?.record.next_attempt_at?, key.event)))
            .collect();
        due.sort_unstable();
        let taken = due.iter().take_while(|(at, _)| *at <= ask.now).take(ask.limit).count();
        let next = due.get(taken).map(|(at, _)| *at);
        (due.into_iter().take(taken).map(|(_, seq)| seq).collect(), next)
    }

    pub(super) fn backlog(&self) -> Vec<Backlog> {
        let of = |no: &SubscriptionNo| {
            let scheduled = self.waiting(*no, DeliveryStatus::Scheduled);
            Backlog {
                subscription: *no,
                next_due: scheduled.iter().filter_map(|key| self.rows.get(key)?.record.next_attempt_at).min(),
                scheduled: scheduled.len() as u64,
                held: self.waiting(*no, DeliveryStatus::Held).len() as u64,
            }
        };
        self.subscriptions.keys().map(of).filter(|one| one.scheduled + one.held > 0).collect()
    }

    pub(super) fn standing(&self) -> Vec<Standing> {
        let waiting = |no| {
            let waits =
                [DeliveryStatus::Scheduled, DeliveryStatus::Held].map(|status| self.waiting(no, status));
            waits.iter().map(Vec::len).sum::<usize>() as u64
        };
        let of = |(no, (_, progress)): (&SubscriptionNo, &(Subscription, Progress))| Standing {
            subscription: *no,
            progress: *progress,
            waiting: waiting(*no),
        };
        self.subscriptions.iter().map(of).collect()
    }

    pub(super) fn missing(&self, seq: EventSeq) -> Vec<Match> {
        let Some(event) = self.events.get(&seq) else { return Vec::new() };
        let has_row = |one: &&Match| {
            self.rows.contains_key(&DeliveryKey { event: seq, subscription: one.subscription })
        };
        event.matched.iter().filter(|one| !has_row(one)).copied().collect()
    }

    pub(super) fn delete_account(&mut self, id: &AccountId) {
        self.settings.remove(id);
        self.subscriptions.retain(|_, (one, _)| one.account != *id);
        self.keys.retain(|key| key.role != KeyRole::Consumer(id.clone()));
        self.events.retain(|_, event| event.account != *id);
        let events = &self.events;
        self.rows.retain(|key, _| events.contains_key(&key.event));
    }

    /// Without the time at which they were first seen.
    pub(super) fn accounts(&self) -> Vec<AccountSummary> {
        let of_keys = self.keys.iter().filter_map(|key| match &key.role {
            KeyRole::Consumer(id) => Some(id),
            KeyRole::Provider => None,
        });
        let of_events = self.events.values().map(|event| &event.account);
        let of_subscriptions = self.subscriptions.values().map(|(one, _)| &one.account);
        let all: BTreeSet<&AccountId> =
            of_keys.chain(of_subscriptions).chain(of_events).chain(self.settings.keys()).collect();
        all.into_iter().map(|id| self.account(id)).collect()
    }

    fn account(&self, id: &AccountId) -> AccountSummary {
        let live = |(one, _): &&(Subscription, Progress)| one.account == *id && !one.status.is_ended();
        let role = KeyRole::Consumer(id.clone());
        AccountSummary {
            id: id.clone(),
            created_at: Timestamp::EPOCH,
            subscriptions: self.subscriptions.values().filter(live).count() as u64,
            events: self.events.values().filter(|event| event.account == *id).count() as u64,
            api_keys: self.keys.iter().filter(|key| key.role == role).count() as u64,
            settings: self.settings.get(id).cloned().unwrap_or_default(),
        }
    }

    pub(super) fn list_subscriptions(&self, filter: &SubscriptionFilter) -> Vec<Subscription> {
        let fits = |one: &&Subscription| {
            filter.account.as_ref().is_none_or(|of| *of == one.account)
                && filter.status.map_or(!one.status.is_ended(), |status| status == one.status)
                && one.status != resthooks::model::SubscriptionStatus::Deleted
                && filter.target_url.as_ref().is_none_or(|url| *url == one.target_url)
                && filter.event.as_ref().is_none_or(|pattern| one.events.contains(pattern))
        };
        self.subscriptions.values().rev().map(|(one, _)| one).filter(fits).cloned().collect()
    }

    pub(super) fn list_audit(&self, filter: &AuditFilter) -> Vec<AuditEntry> {
        let fits = |entry: &&AuditEntry| {
            filter.account.as_ref().is_none_or(|of| Some(of) == entry.account.as_ref())
                && filter.actor.as_ref().is_none_or(|actor| *actor == entry.actor)
                && filter.action.is_none_or(|action| action == entry.action)
                && filter.object.as_ref().is_none_or(|object| *object == entry.object)
        };
        self.audit.iter().rev().filter(fits).cloned().collect()
    }

    pub(super) fn list_events(&self, filter: &EventFilter) -> Vec<SequencedEvent> {
        let fits = |(_, event): &(&EventSeq, &Arc<Event>)| {
            filter.account.as_ref().is_none_or(|of| *of == event.account)
                && filter.event.as_ref().is_none_or(|name| *name == event.event)
                && filter.since.is_none_or(|since| event.created_at >= since)
                && filter.until.is_none_or(|until| event.created_at < until)
        };
        let read =
            |(seq, event): (&EventSeq, &Arc<Event>)| SequencedEvent { seq: *seq, event: Arc::clone(event) };
        self.events.iter().rev().filter(fits).map(read).collect()
    }

    pub(super) fn delivery(&self, key: DeliveryKey) -> Option<Delivery> {
        let (row, event) = (self.rows.get(&key)?, self.events.get(&key.event)?);
        let (to, _) = self.subscriptions.get(&key.subscription)?;
        Some(Delivery {
            key,
            id: DeliveryId { event: event.uid, subscription: to.id },
            account: event.account.clone(),
            event: event.id.clone(),
            event_type: event.event.clone(),
            sequence: row.record.sequence,
            status: row.record.status,
            reason: row.record.reason.clone(),
            attempts: row.record.attempts,
            automatic: row.record.automatic,
            next_attempt_at: row.record.next_attempt_at,
            created_at: event.created_at,
            updated_at: row.updated_at,
        })
    }

    pub(super) fn list_deliveries(&self, filter: &DeliveryFilter) -> Vec<Delivery> {
        let fits = |one: &Delivery| {
            filter.account.as_ref().is_none_or(|of| *of == one.account)
                && filter.subscription.is_none_or(|no| no == one.key.subscription)
                && filter.event.is_none_or(|seq| seq == one.key.event)
                && filter.event_type.as_ref().is_none_or(|name| *name == one.event_type)
                && filter.status.is_none_or(|status| status == one.status)
                && filter.since.is_none_or(|since| one.created_at >= since)
                && filter.until.is_none_or(|until| one.created_at < until)
        };
        self.rows.keys().rev().filter_map(|key| self.delivery(*key)).filter(fits).collect()
    }
}
