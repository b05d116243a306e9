//! When which subscription has to be looked at: kept with the index, so that it never differs from it.
//!
//! What has come is taken out; it is there again once its subscription has changed.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use super::handshake::wakes_at;
use crate::model::{Subscription, SubscriptionNo, Timestamp};

/// Moments to come, of confirmations and of grants to be asked for again.
#[derive(Debug, Default)]
pub(crate) struct Agenda {
    moments: Mutex<Moments>,
    /// Something came that may be due.
    grew: Notify,
}

#[derive(Debug, Default)]
struct Moments {
    due: BTreeSet<(Timestamp, SubscriptionNo)>,
    of: HashMap<SubscriptionNo, Timestamp>,
}

impl Agenda {
    /// A subscription is as it is now.
    pub(crate) fn note(&self, subscription: &Subscription) {
        let at = wakes_at(subscription);
        let mut moments = self.moments.lock().unwrap_or_else(PoisonError::into_inner);
        let no = subscription.no;
        if at.is_none() && moments.of.is_empty() {
            return;
        }
        moments.remove(no);
        let Some(at) = at else { return };
        moments.due.insert((at, no));
        moments.of.insert(no, at);
        drop(moments);
        self.grew.notify_one();
    }

    /// Has the driver look, though nothing came.
    pub(super) fn wake(&self) {
        self.grew.notify_one();
    }

    /// Ends when something came.
    pub(super) fn grew(&self) -> Notified<'_> {
        self.grew.notified()
    }

    /// Takes out those whose moment has come.
    pub(super) fn take(&self, now: Timestamp) -> Vec<SubscriptionNo> {
        let mut moments = self.moments.lock().unwrap_or_else(PoisonError::into_inner);
        let mut come = Vec::new();
        while let Some((_, no)) = moments.due.first().copied().filter(|(at, _)| *at <= now) {
            moments.remove(no);
            come.push(no);
        }
        come
    }

    /// How long until the next one.
    pub(super) fn wait(&self, now: Timestamp) -> Option<Duration> {
        let moments = self.moments.lock().unwrap_or_else(PoisonError::into_inner);
        moments.due.first().map(|(at, _)| at.since(now))
    }
}

impl Moments {
    fn remove(&mut self, no: SubscriptionNo) {
        if let Some(at) = self.of.remove(&no) {
            self.due.remove(&(at, no));
        }
    }
}
