//! What a subscription's owner can do about its confirmation: bring back the secret that the target was sent, or have the
//! target asked again.

use std::sync::Arc;
use std::time::Duration;

use super::handshake::{self, Plan};
use crate::core::Core;
use crate::error::Error;
use crate::hooks::{Hooks, Scope};
use crate::model::{
    Actor, AuditAction, AuditEntry, Intent, Subscription, SubscriptionId, SubscriptionStatus,
};
use crate::store;

use super::super::SubscriptionView;

/// How often it is done anew when other nodes are quicker.
const TRIES: usize = 10;
/// Between two rounds that were asked for.
const BETWEEN_ROUNDS: Duration = Duration::from_secs(5);
/// The header that a secret is brought in.
const HEADER: &str = "X-Hook-Secret";

impl Hooks {
    /// Confirms a pending subscription with the secret that its target was sent ([`Intent::Echo`]); without one, has the
    /// target asked anew. One that is not pending is answered as it stands.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Invalid`] for another secret; [`Error::Conflict`] (`intent_not_by_secret`) for a
    /// secret where none is sent; [`Error::TooSoon`] when the target was asked anew a few seconds ago.
    pub async fn activate_subscription(
        &self,
        scope: &Scope,
        id: SubscriptionId,
        secret: Option<&[u8]>,
    ) -> Result<SubscriptionView, Error> {
        let (scope, actor) = (scope.clone(), Arc::clone(self.actor()));
        let secret = secret.map(<[u8]>::to_vec);
        self.core()
            .in_order(move |core| async move {
                for _ in 0..TRIES {
                    let former = core.present(&scope, id).await?;
                    if former.status != SubscriptionStatus::Pending {
                        return core.view(former).await;
                    }
                    let (next, entry) = match &secret {
                        Some(secret) => core.brought(&former, secret, &actor)?,
                        None => core.asked_anew(&former, &actor)?,
                    };
                    match core.store_change(next, Some(&entry)).await {
                        Err(store::Error::Overtaken) => {}
                        stored => {
                            let stored = stored?;
                            core.round_begun(&stored, Some(&former));
                            return core.view(stored).await;
                        }
                    }
                }
                Err(store::Error::Overtaken.into())
            })
            .await
    }
}

impl Core {
    fn brought(
        &self,
        former: &Subscription,
        secret: &[u8],
        actor: &Actor,
    ) -> Result<(Subscription, AuditEntry), Error> {
        if former.intent != Intent::Echo {
            let detail = format!(
                "this subscription's intent is {}: its target is asked, and there is no secret to bring; without \
                 {HEADER} it is asked anew",
                former.intent.as_str()
            );
            return Err(Error::Conflict { code: "intent_not_by_secret", detail });
        }
        if !former.handshake.as_ref().is_some_and(|handshake| handshake.secret.is(secret)) {
            let message = "is not the secret that the target was sent last for this subscription";
            return Err(Error::field(HEADER, message));
        }
        let mut next = former.clone();
        handshake::confirmed(&mut next, self.options.clock.now(), None, &Plan::of(&self.options));
        let entry = self.audit(actor, AuditAction::SubscriptionActivated, &next.id, Some(&next.account));
        Ok((next, entry.because("its secret was brought back")))
    }

    fn asked_anew(&self, former: &Subscription, actor: &Actor) -> Result<(Subscription, AuditEntry), Error> {
        let now = self.options.clock.now();
        let last = former.handshake.as_ref().and_then(|handshake| handshake.asked_anew_at);
        let since = last.map_or(BETWEEN_ROUNDS, |last| now.since(last));
        if since < BETWEEN_ROUNDS {
            let retry_after = BETWEEN_ROUNDS.saturating_sub(since);
            let detail = "the target was asked anew a few seconds ago".to_owned();
            return Err(Error::TooSoon { code: "asked_too_soon", retry_after, detail });
        }
        let mut next = former.clone();
        handshake::begin(&mut next, now, &Plan::of(&self.options), self.handshake_secret());
        if let Some(handshake) = &mut next.handshake {
            handshake.asked_anew_at = Some(now);
        }
        next.updated_at = now;
        let entry = self.audit(actor, AuditAction::SubscriptionUpdated, &next.id, Some(&next.account));
        Ok((next, entry.because("its target is asked anew")))
    }
}
