//! Creating, reading and changing subscriptions.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use super::IntentChoice;
use super::order::page_limit;
use super::rules::{self, Rules};
use super::signing::{self, SignatureChoice};
use crate::core::Core;
use crate::dispatch::Circuit;
use crate::error::Error;
use crate::hooks::{Hooks, List, Scope};
use crate::limits::MAX_GRACE_SECONDS;
use crate::model::{
    AccountId, AuditAction, AuditEntry, EventPattern, Health, PayloadKind, Secret, Subscription,
    SubscriptionId, TargetUrl, Terms, TermsChange, Timestamp, Uid,
};
use crate::options::EventTypes;
use crate::store::{self, Page, SubscriptionFilter};

/// How often a change is made anew when other nodes are quicker.
const EDITS: usize = 10;

/// What a subscription is created from, or replaced with (`PUT`).
#[derive(Debug, Clone)]
pub struct NewSubscription {
    /// What it wants; 1 to 100 patterns.
    pub events: Vec<EventPattern>,
    /// Where its hooks go.
    pub target_url: TargetUrl,
    /// `false` pauses it.
    pub active: bool,
    /// For humans.
    pub description: Option<String>,
    /// The owner's own JSON object.
    pub metadata: Option<serde_json::Map<String, serde_json::Value>>,
    /// How bodies are built.
    pub payload: PayloadKind,
    /// Extra request headers.
    pub headers: BTreeMap<String, String>,
    /// What is asked for of its delivery beside the server's defaults.
    pub terms: Terms,
    /// The owner's own secret; one is made when absent (on replacing: the present one stays).
    pub secret: Option<Secret>,
    /// How its hooks are signed; by HMAC alone when absent (on replacing: as now).
    pub signature: Option<SignatureChoice>,
    /// How its target confirms its intent; as its account has it when absent (on replacing: as it has it now).
    pub intent: Option<IntentChoice>,
}

/// What to change (`PATCH`): absent fields stay; `Some(None)` clears.
#[derive(Debug, Clone, Default)]
pub struct SubscriptionChange {
    /// New patterns.
    pub events: Option<Vec<EventPattern>>,
    /// A new target.
    pub target_url: Option<TargetUrl>,
    /// `true` resumes or re-enables, `false` pauses.
    pub active: Option<bool>,
    /// A new description.
    pub description: Option<Option<String>>,
    /// New metadata.
    pub metadata: Option<Option<serde_json::Map<String, serde_json::Value>>>,
    /// Another way to build bodies.
    pub payload: Option<PayloadKind>,
    /// New extra headers, replacing all.
    pub headers: Option<BTreeMap<String, String>>,
    /// Other terms.
    pub terms: TermsChange,
    /// A new secret, at once and without grace.
    pub secret: Option<Secret>,
    /// Another way to sign, likewise.
    pub signature: Option<SignatureChoice>,
    /// Another way for its target to confirm its intent.
    pub intent: Option<IntentChoice>,
}

/// A subscription as it is read.
#[derive(Debug, Clone, PartialEq)]
pub struct SubscriptionView {
    /// As it is stored.
    pub subscription: Subscription,
    /// How its deliveries have fared.
    pub health: Health,
    /// Deliveries that wait: in memory, scheduled or held.
    pub pending: u64,
    /// How its target's host stands, as this node sees it.
    pub circuit: Circuit,
}

impl Hooks {
    /// Creates a subscription for an account.
    ///
    /// # Errors
    /// [`Error::Invalid`] with every field that is wrong.
    pub async fn create_subscription(
        &self,
        account: &AccountId,
        new: NewSubscription,
    ) -> Result<SubscriptionView, Error> {
        let (account, actor) = (account.clone(), Arc::clone(self.actor()));
        self.core()
            .adding(|core| async move {
                let now = core.options.clock.now();
                let id = SubscriptionId(Uid::new(now, core.options.random.u128()));
                let (asked, signature) = (new.intent, new.signature.clone());
                let random = &*core.options.random;
                let mut subscription = rules::draft(id, account, new, signing::new_secret(random), now);
                signing::choose(&mut subscription, signature, random);
                core.judge(&mut subscription, None, asked)?;
                core.follow_intent(&mut subscription, None, now);
                let action = AuditAction::SubscriptionCreated;
                let entry = core.audit(&actor, action, &id, Some(&subscription.account));
                subscription.no = core.store.insert_subscription(&subscription, Some(&entry)).await?;
                // Before it can match anything.
                core.dispatch.set_rate(subscription.no, subscription.rate());
                core.index.apply(subscription.clone());
                core.round_begun(&subscription, None);
                core.view(subscription).await
            })
            .await
    }

    /// A subscription that has not ended.
    ///
    /// # Errors
    /// [`Error::NotFound`] when it is gone, deleted, absent or another account's.
    pub async fn subscription(&self, scope: &Scope, id: SubscriptionId) -> Result<SubscriptionView, Error> {
        let core = self.core();
        let subscription = core.present(scope, id).await?;
        core.shown(std::slice::from_ref(&subscription)).await;
        core.view(subscription).await
    }

    /// Subscriptions, newest first. The scope's account replaces the filter's.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn subscriptions(
        &self,
        scope: &Scope,
        filter: SubscriptionFilter,
        page: Page<SubscriptionId>,
    ) -> Result<List<SubscriptionView, SubscriptionId>, Error> {
        let account = scope.account().cloned().or(filter.account);
        let filter = SubscriptionFilter { account, ..filter };
        let limit = page_limit(page.limit);
        let page = Page { after: page.after, limit: limit + 1 };
        let core = self.core();
        let found = core.store.list_subscriptions(&filter, page).await?;
        core.shown(&found).await;
        let views = core.views(found).await?;
        Ok(List::cut(views, limit, |view: &SubscriptionView| view.subscription.id))
    }

    /// Replaces a subscription's settings; its id, account and (unless given) secret stay. With a `version`, only when it
    /// still is that one.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Invalid`]; [`Error::Conflict`] (`changed_meanwhile`).
    pub async fn replace_subscription(
        &self,
        scope: &Scope,
        id: SubscriptionId,
        new: NewSubscription,
        version: Option<u64>,
    ) -> Result<SubscriptionView, Error> {
        let edit = move |core: &Core, subscription: &mut Subscription, _| {
            rules::replace(subscription, new.clone());
            signing::choose(subscription, new.signature.clone(), &*core.options.random);
            new.intent
        };
        self.edit(scope, id, version, edit).await
    }

    /// Changes some of a subscription's settings. With a `version`, only when it still is that one.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Invalid`]; [`Error::Conflict`] (`changed_meanwhile`).
    pub async fn change_subscription(
        &self,
        scope: &Scope,
        id: SubscriptionId,
        change: SubscriptionChange,
        version: Option<u64>,
    ) -> Result<SubscriptionView, Error> {
        let edit = move |core: &Core, subscription: &mut Subscription, _| {
            rules::apply(subscription, change.clone());
            signing::choose(subscription, change.signature.clone(), &*core.options.random);
            change.intent
        };
        self.edit(scope, id, version, edit).await
    }

    /// The current signing secret.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn subscription_secret(&self, scope: &Scope, id: SubscriptionId) -> Result<Secret, Error> {
        self.core().present(scope, id).await.map(|subscription| subscription.secret)
    }

    /// Gives a subscription a new secret, and a new Ed25519 key if it has one; the old ones go on signing beside them for
    /// `grace`.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Invalid`] when the grace is longer than 30 days.
    pub async fn rotate_secret(
        &self,
        scope: &Scope,
        id: SubscriptionId,
        grace: Duration,
    ) -> Result<SubscriptionView, Error> {
        if grace > Duration::from_secs(MAX_GRACE_SECONDS) {
            return Err(Error::field("grace_seconds", format!("must be at most {MAX_GRACE_SECONDS}")));
        }
        self.edit(scope, id, None, move |core, subscription, now| {
            let until = (!grace.is_zero()).then(|| now.plus(grace));
            signing::rotate(subscription, until, &*core.options.random);
            None
        })
        .await
    }

    /// Changes one that has not ended: reads, edits, judges and stores it. What leaves it as it is writes nothing. When
    /// another node was quicker, all of it is done again on what that one has stored. The edit tells which policy is
    /// asked for.
    async fn edit(
        &self,
        scope: &Scope,
        id: SubscriptionId,
        version: Option<u64>,
        edit: impl Fn(&Core, &mut Subscription, Timestamp) -> Option<IntentChoice> + Send + Sync + 'static,
    ) -> Result<SubscriptionView, Error> {
        let (scope, actor) = (scope.clone(), Arc::clone(self.actor()));
        self.core()
            .in_order(move |core| async move {
                for _ in 0..EDITS {
                    let former = core.present(&scope, id).await?;
                    if version.is_some_and(|version| version != former.version) {
                        let detail = "the subscription was changed meanwhile: read it again".to_owned();
                        return Err(Error::Conflict { code: "changed_meanwhile", detail });
                    }
                    let now = core.options.clock.now();
                    let mut subscription = former.clone();
                    let asked = edit(&core, &mut subscription, now);
                    core.judge(&mut subscription, Some(&former), asked)?;
                    core.follow_intent(&mut subscription, Some(&former), now);
                    if subscription == former {
                        return core.view(former).await;
                    }
                    subscription.updated_at = now;
                    let entry = core.audit_change(&actor, &former, &subscription);
                    match core.store_change(subscription, Some(&entry)).await {
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
    fn judge(
        &self,
        draft: &mut Subscription,
        former: Option<&Subscription>,
        asked: Option<IntentChoice>,
    ) -> Result<(), Error> {
        let registered = (self.options.event_types == EventTypes::Strict).then_some(&self.catalog);
        let intent = self.intent_of(&draft.account);
        let now = self.options.clock.now();
        rules::judge(draft, former, &Rules { targets: &self.options.targets, registered, intent, asked, now })
    }

    /// Stores a change of a subscription, and shows it in memory: as it is then. Within a change's turn only. Without an
    /// entry for the trail only when nothing of it is anybody's decision, such as an attempt that is noted.
    pub(super) async fn store_change(
        &self,
        mut subscription: Subscription,
        entry: Option<&AuditEntry>,
    ) -> Result<Subscription, store::Error> {
        self.store.update_subscription(&subscription, entry).await?;
        subscription.version += 1;
        self.show_subscription(subscription.clone());
        Ok(subscription)
    }

    pub(super) async fn view(&self, subscription: Subscription) -> Result<SubscriptionView, Error> {
        self.views(vec![subscription]).await?.pop().ok_or(Error::NotFound)
    }

    /// Subscriptions with what is known of their deliveries: on a shared store, what all nodes know.
    async fn views(&self, subscriptions: Vec<Subscription>) -> Result<Vec<SubscriptionView>, Error> {
        let mut standing = HashMap::new();
        if self.store.is_shared() && !subscriptions.is_empty() {
            let numbers: Vec<_> = subscriptions.iter().map(|subscription| subscription.no).collect();
            let found = self.store.standing(&numbers).await?;
            standing.extend(found.into_iter().map(|one| (one.subscription, one)));
        }
        let view = |subscription: Subscription| {
            let no = subscription.no;
            let mut health = self.index.get(no).map(|live| live.health()).unwrap_or_default();
            let mut pending = self.waiting(no);
            if let Some(stored) = standing.get(&no) {
                health = health.joined(stored.progress.health);
                pending = stored.waiting + self.dispatch.fresh(no);
            }
            let circuit = self
                .index
                .get(no)
                .map_or_else(Circuit::default, |live| self.dispatch.circuit(live.prepared.target.origin()));
            SubscriptionView { subscription, health, pending, circuit }
        };
        Ok(subscriptions.into_iter().map(view).collect())
    }

    /// Waits until this node's memory is not behind what was read: whoever is shown that a subscription is active finds
    /// that the next event goes to it. As far as that can be had: when the store fails now, the reading counts all the same.
    async fn shown(self: &Arc<Self>, read: &[Subscription]) {
        let is_behind = |stored: &Subscription| {
            let live = self.index.get(stored.no);
            !stored.status.is_ended() && live.is_none_or(|live| live.subscription.version < stored.version)
        };
        if read.iter().any(is_behind)
            && let Err(error) = self.follow_changes().await
        {
            tracing::debug!(%error, "a subscription was read that this node can't take into its memory now");
        }
    }

    /// One that has not ended, and that the caller may see.
    pub(crate) async fn present(&self, scope: &Scope, id: SubscriptionId) -> Result<Subscription, Error> {
        let subscription = self.store.subscription(id).await?.ok_or(Error::NotFound)?;
        scope.check(&subscription.account)?;
        if subscription.status.is_ended() { Err(Error::NotFound) } else { Ok(subscription) }
    }
}
