//! What the driver shares with the rest of the engine: rounds that this node has begun itself, and how many attempts are
//! under way.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tokio::sync::Notify;

use super::handshake::{Plan, follow};
use crate::core::Core;
use crate::model::{HandshakeSecret, Subscription, SubscriptionNo, SubscriptionStatus, Timestamp};

/// Random bytes in a handshake's secret.
const SECRET_BYTES: usize = 32;

/// The confirmations' part of a running engine.
#[derive(Debug, Default)]
pub(crate) struct IntentState {
    begun: Mutex<Vec<SubscriptionNo>>,
    /// Attempts that are under way, or whose outcome is not written.
    busy: AtomicUsize,
    idle: Notify,
}

impl IntentState {
    pub(super) fn take_begun(&self) -> Vec<SubscriptionNo> {
        std::mem::take(&mut self.begun.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn set_busy(&self, count: usize) {
        self.busy.store(count, Ordering::Relaxed);
        if count == 0 {
            self.idle.notify_waiters();
        }
    }

    /// Attempts that are under way, or whose outcome is not written.
    pub(crate) fn busy(&self) -> usize {
        self.busy.load(Ordering::Relaxed)
    }

    /// Waits until no attempt is under way.
    pub(crate) async fn is_idle(&self) {
        loop {
            let idle = self.idle.notified();
            if self.busy() == 0 {
                return;
            }
            idle.await;
        }
    }
}

impl Core {
    /// A secret for one round.
    pub(in crate::control) fn handshake_secret(&self) -> HandshakeSecret {
        let mut bytes = [0; SECRET_BYTES];
        self.options.random.fill(&mut bytes);
        HandshakeSecret::new(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// Has a draft confirmed, if what its owner wrote asks for that.
    pub(in crate::control) fn follow_intent(
        &self,
        draft: &mut Subscription,
        former: Option<&Subscription>,
        now: Timestamp,
    ) {
        follow(draft, former, now, &Plan::of(&self.options), || self.handshake_secret());
    }

    /// A subscription was stored by this node: when a round begins with that, it is the one to make the first attempt.
    pub(in crate::control) fn round_begun(&self, subscription: &Subscription, former: Option<&Subscription>) {
        let secret = |one: &Subscription| one.handshake.as_ref().map(|handshake| handshake.secret.clone());
        if subscription.status != SubscriptionStatus::Pending
            || former.is_some_and(|former| secret(former) == secret(subscription))
        {
            return;
        }
        self.intent.begun.lock().unwrap_or_else(PoisonError::into_inner).push(subscription.no);
        self.index.agenda.wake();
    }
}
