//! What a subscription may look like, and how its status follows its owner's wishes. Pure: given the present and
//! the wanted, says the next or what is wrong.

use std::collections::HashSet;

use super::validate::Findings;
use super::{IntentChoice, NewSubscription, SubscriptionChange, headers, intent, terms};
use crate::catalog::Catalog;
use crate::deliver::guard;
use crate::error::Error;
use crate::limits::{MAX_DESCRIPTION_BYTES, MAX_METADATA_BYTES, MAX_SUBSCRIPTION_EVENTS};
use crate::model::{
    AccountId, EventPattern, Intent, Secret, Subscription, SubscriptionId, SubscriptionNo,
    SubscriptionStatus, Timestamp,
};

/// A subscription as it would be created, not judged yet.
pub(super) fn draft(
    id: SubscriptionId,
    account: AccountId,
    new: NewSubscription,
    made: Secret,
    now: Timestamp,
) -> Subscription {
    Subscription {
        no: SubscriptionNo(0),
        version: 0,
        id,
        account,
        events: new.events,
        target_url: new.target_url,
        status: if new.active { SubscriptionStatus::Active } else { SubscriptionStatus::Paused },
        status_reason: None,
        description: new.description,
        metadata: new.metadata,
        payload: new.payload,
        headers: new.headers,
        terms: new.terms,
        secret: new.secret.unwrap_or(made),
        signing_key: None,
        previous_secret: None,
        intent: Intent::None,
        intent_confirmed_at: None,
        handshake: None,
        grant: None,
        created_at: now,
        updated_at: now,
    }
}

/// Puts all that can be written in the place of what is there.
pub(super) fn replace(subscription: &mut Subscription, new: NewSubscription) {
    let change = SubscriptionChange {
        events: Some(new.events),
        target_url: Some(new.target_url),
        active: Some(new.active),
        description: Some(new.description),
        metadata: Some(new.metadata),
        payload: Some(new.payload),
        headers: Some(new.headers),
        terms: new.terms.into(),
        secret: new.secret,
        signature: new.signature,
        intent: new.intent,
    };
    apply(subscription, change);
}

/// Puts what a change names in the place of what is there.
pub(super) fn apply(subscription: &mut Subscription, change: SubscriptionChange) {
    fn set<T>(place: &mut T, value: Option<T>) {
        if let Some(value) = value {
            *place = value;
        }
    }
    set(&mut subscription.events, change.events);
    set(&mut subscription.target_url, change.target_url);
    set(&mut subscription.description, change.description);
    set(&mut subscription.metadata, change.metadata);
    set(&mut subscription.payload, change.payload);
    set(&mut subscription.headers, change.headers);
    subscription.terms.apply(change.terms);
    if let Some(secret) = change.secret {
        subscription.secret = secret;
        subscription.previous_secret = None;
    }
    if let Some(active) = change.active {
        let status = with_active(subscription.status, active);
        if status != subscription.status {
            subscription.status = status;
            subscription.status_reason = None;
        } else if let Some(handshake) = &mut subscription.handshake
            && status == SubscriptionStatus::Pending
        {
            handshake.then_paused = !active;
            subscription.status_reason = Some(intent::describe(subscription));
        }
    }
}

/// The status after its owner wrote `active`. What waits for a confirmation goes on waiting, and what has ended
/// stays so.
const fn with_active(status: SubscriptionStatus, active: bool) -> SubscriptionStatus {
    use SubscriptionStatus::{Active, Disabled, Paused};
    match (status, active) {
        (Paused | Disabled, true) => Active,
        (Active | Disabled, false) => Paused,
        (status, _) => status,
    }
}

/// What a draft is judged by.
#[derive(Debug)]
pub(super) struct Rules<'a> {
    /// Which targets are allowed.
    pub targets: &'a guard::Policy,
    /// Names must be in this catalogue, if there is one.
    pub registered: Option<&'a Catalog>,
    /// The account's policy.
    pub intent: Intent,
    /// The policy that is asked for.
    pub asked: Option<IntentChoice>,
    /// The time of the change.
    pub now: Timestamp,
}

/// Judges a draft, brings its headers into the form in which they are kept, and gives it the policy that it has to
/// follow. Only what differs from the former version is judged: a change must not fail for what it leaves alone, though
/// a rule or the catalogue has become stricter since.
pub(super) fn judge(
    draft: &mut Subscription,
    former: Option<&Subscription>,
    rules: &Rules<'_>,
) -> Result<(), Error> {
    let Rules { targets, registered, intent, asked, now } = *rules;
    let mut findings = Findings::default();
    if former.is_none_or(|former| former.target_url != draft.target_url)
        && let Err(invalid) = targets.check_url(&draft.target_url)
    {
        findings.add("target_url", invalid.0);
    }
    if former.is_none_or(|former| former.events != draft.events) {
        let held = former.map_or(&[][..], |former| &former.events);
        judge_events(&mut findings, &draft.events, held, registered);
    }
    if former.is_none_or(|former| former.description != draft.description) {
        findings.check_text("description", draft.description.as_deref(), MAX_DESCRIPTION_BYTES);
    }
    if former.is_none_or(|former| former.metadata != draft.metadata) {
        let metadata = draft.metadata.take().map(serde_json::Value::Object);
        findings.check_json("metadata", metadata.as_ref(), MAX_METADATA_BYTES);
        draft.metadata = metadata.and_then(|value| match value {
            serde_json::Value::Object(members) => Some(members),
            _ => None,
        });
    }
    if former.is_none_or(|former| former.headers != draft.headers) {
        draft.headers = headers::check(&mut findings, &draft.headers);
    }
    if former.is_none_or(|former| former.terms != draft.terms) {
        terms::judge(&mut findings, draft, former, now);
    }
    intent::judge(&mut findings, draft, former, asked, intent);
    findings.into_result()
}

fn judge_events(
    findings: &mut Findings,
    events: &[EventPattern],
    held: &[EventPattern],
    registered: Option<&Catalog>,
) {
    if events.is_empty() || events.len() > MAX_SUBSCRIPTION_EVENTS {
        findings.add("events", format!("must be 1 to {MAX_SUBSCRIPTION_EVENTS} names or patterns"));
        return;
    }
    let mut seen = HashSet::new();
    for (place, pattern) in events.iter().enumerate() {
        if !seen.insert(pattern) {
            findings.add(format!("events[{place}]"), "must be given once");
        } else if let Some(catalog) = registered
            && !held.contains(pattern)
            && let Some(message) = unknown(pattern, catalog)
        {
            findings.add(format!("events[{place}]"), message);
        }
    }
}

/// Why a name can't be subscribed to, if it can't. Patterns can always: what they match may come later.
fn unknown(pattern: &EventPattern, catalog: &Catalog) -> Option<&'static str> {
    let name = pattern.is_exact().then(|| pattern.as_str().parse().ok()).flatten()?;
    match catalog.get(&name) {
        None => Some("is not a registered event type"),
        Some(entry) if entry.event_type.archived => Some("is an archived event type"),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests;
