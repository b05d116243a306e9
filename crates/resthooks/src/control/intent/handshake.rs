//! The state machine of a confirmation: from a subscription as it stands, and what came of asking, to how it stands
//! next. Pure; the one place where it is decided.

use std::time::Duration;

use super::finding::{Finding, Why};
use crate::model::{
    Attempt, Grant, Handshake, HandshakeSecret, Intent, Subscription, SubscriptionStatus, TargetUrl,
    Timestamp,
};
use crate::options::Options;
use crate::record::outcome;

/// Attempts that are kept with a subscription.
const KEPT: usize = 10;
/// An attempt that a node has claimed is left alone by others for so long at least.
const SHORTEST_CLAIM: Duration = Duration::from_secs(30);
/// A target that was granting and can't be reached is asked again after so long.
const RENEW_AGAIN: Duration = Duration::from_secs(3600);

/// When what happens.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    timeout: Duration,
    retries: Vec<Duration>,
    renewal: Duration,
    /// How long an attempt is its claimer's alone: longer than it can take, whenever it begins within the first half.
    claim: Duration,
}

impl Plan {
    pub(super) fn of(options: &Options) -> Self {
        Self {
            timeout: options.intent_timeout,
            retries: options.intent_retries.clone(),
            renewal: options.grant_renewal,
            claim: (options.attempt_timeout * 2).max(SHORTEST_CLAIM),
        }
    }

    fn retry(&self, attempts: u32, asked: Option<Duration>) -> Option<Duration> {
        let place = usize::try_from(attempts.saturating_sub(1)).unwrap_or(usize::MAX);
        let step = self.retries.get(place).copied()?;
        let longest = self.retries.iter().max().copied().unwrap_or(step);
        Some(asked.map_or(step, |asked| asked.clamp(step, longest)))
    }
}

/// What an attempt was made for: what comes of it counts for nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Round {
    /// A confirmation, known by its secret.
    Handshake(HandshakeSecret),
    /// A grant of this target's, asked for again.
    Renewal(TargetUrl),
}

impl Round {
    /// What a subscription is asked for now, if it is.
    pub(super) fn of(subscription: &Subscription) -> Option<Self> {
        match subscription.status {
            SubscriptionStatus::Pending => {
                subscription.handshake.as_ref().map(|one| Self::Handshake(one.secret.clone()))
            }
            SubscriptionStatus::Active if subscription.grant.is_some() => {
                Some(Self::Renewal(subscription.target_url.clone()))
            }
            _ => None,
        }
    }
}

/// What a subscription is waiting for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing, or nothing yet.
    Wait,
    /// To be asked.
    Ask,
    /// To be removed: its time is over.
    Expire,
}

/// When a subscription is to be looked at.
pub(super) fn wakes_at(subscription: &Subscription) -> Option<Timestamp> {
    if subscription.status.is_ended() {
        return None;
    }
    let asked = asked_at(subscription);
    asked.into_iter().chain(subscription.terms.expires_at).min()
}

fn asked_at(subscription: &Subscription) -> Option<Timestamp> {
    match subscription.status {
        SubscriptionStatus::Pending => subscription.handshake.as_ref().map(|handshake| {
            handshake.next_attempt_at.map_or(handshake.expires_at, |at| at.min(handshake.expires_at))
        }),
        SubscriptionStatus::Active => subscription.grant.as_ref().map(|grant| grant.renew_at),
        _ => None,
    }
}

/// What is to be done with a subscription now.
pub(super) fn step(subscription: &Subscription, now: Timestamp) -> Step {
    if wakes_at(subscription).is_none_or(|at| at > now) {
        return Step::Wait;
    }
    if is_never_confirmed(subscription, now) || subscription.terms.expires_at.is_some_and(|at| at <= now) {
        return Step::Expire;
    }
    Step::Ask
}

/// Whether its target has had all the time that it has to confirm.
pub(super) fn is_never_confirmed(subscription: &Subscription, now: Timestamp) -> bool {
    let handshake = subscription.handshake.as_ref();
    subscription.status == SubscriptionStatus::Pending && handshake.is_some_and(|one| one.expires_at <= now)
}

/// Whether the claim with which a round begins still holds for as long as an attempt takes.
pub(super) fn is_claimed(subscription: &Subscription, now: Timestamp, plan: &Plan) -> bool {
    let until = match subscription.status {
        SubscriptionStatus::Pending => subscription.handshake.as_ref().and_then(|one| one.next_attempt_at),
        _ => None,
    };
    until.is_some_and(|until| until.since(now) >= plan.claim / 2)
}

/// Claims the next attempt: others leave it alone for a while.
pub(super) fn claim(subscription: &mut Subscription, now: Timestamp, plan: &Plan) {
    let until = now.plus(plan.claim);
    match subscription.status {
        SubscriptionStatus::Pending => {
            if let Some(handshake) = &mut subscription.handshake {
                handshake.next_attempt_at = Some(until);
            }
        }
        _ => {
            if let Some(grant) = &mut subscription.grant {
                grant.renew_at = until;
            }
        }
    }
}

/// Follows what its owner has written: a subscription that is new, has another target or another policy has to
/// confirm, unless it need not any more. Its next round is claimed by whoever writes it.
pub(super) fn follow(
    draft: &mut Subscription,
    former: Option<&Subscription>,
    now: Timestamp,
    plan: &Plan,
    secret: impl FnOnce() -> HandshakeSecret,
) {
    let same = |former: &Subscription| former.target_url == draft.target_url && former.intent == draft.intent;
    if former.is_some_and(same) {
        return;
    }
    if draft.intent != Intent::None {
        begin(draft, now, plan, secret());
        return;
    }
    if draft.status == SubscriptionStatus::Pending {
        draft.status = confirmed_status(then_paused(draft));
        draft.status_reason = None;
    }
    draft.intent_confirmed_at = None;
    draft.handshake = None;
    draft.grant = None;
}

/// Begins a round: whatever was confirmed before is no longer.
pub(super) fn begin(subscription: &mut Subscription, now: Timestamp, plan: &Plan, secret: HandshakeSecret) {
    let then_paused = then_paused(subscription);
    subscription.status = SubscriptionStatus::Pending;
    subscription.intent_confirmed_at = None;
    subscription.grant = None;
    subscription.handshake = Some(Handshake {
        secret,
        begun_at: now,
        expires_at: now.plus(plan.timeout),
        next_attempt_at: Some(now.plus(plan.claim)),
        attempts: 0,
        last: Vec::new(),
        awaiting: false,
        then_paused,
        asked_anew_at: None,
    });
    subscription.status_reason = Some(describe(subscription));
}

/// Whether its owner wants it paused once it is confirmed.
fn then_paused(subscription: &Subscription) -> bool {
    match subscription.status {
        SubscriptionStatus::Pending => subscription.handshake.as_ref().is_some_and(|one| one.then_paused),
        SubscriptionStatus::Active => false,
        _ => true,
    }
}

const fn confirmed_status(paused: bool) -> SubscriptionStatus {
    if paused { SubscriptionStatus::Paused } else { SubscriptionStatus::Active }
}

/// The target's owner has confirmed.
pub(super) fn confirmed(
    subscription: &mut Subscription,
    now: Timestamp,
    per_minute: Option<u32>,
    plan: &Plan,
) {
    subscription.status = confirmed_status(then_paused(subscription));
    subscription.status_reason = None;
    subscription.intent_confirmed_at = Some(now);
    subscription.updated_at = now;
    subscription.grant = (subscription.intent == Intent::Options).then(|| Grant {
        per_minute,
        granted_at: now,
        renew_at: now.plus(plan.renewal),
    });
    if let Some(handshake) = &mut subscription.handshake {
        // It has served; the attempts stay to be read.
        handshake.secret = HandshakeSecret::new(String::new());
        handshake.next_attempt_at = None;
        handshake.awaiting = false;
    }
}

/// How a subscription stands after it was asked in this round.
pub(super) fn concluded(
    subscription: &mut Subscription,
    attempt: Attempt,
    finding: Finding,
    now: Timestamp,
    plan: &Plan,
    secret: impl FnOnce() -> HandshakeSecret,
) {
    if finding == Finding::Gone {
        subscription.status = SubscriptionStatus::Gone;
        subscription.status_reason = Some("the target answered 410".to_owned());
        subscription.updated_at = now;
        return;
    }
    let was_pending = subscription.status == SubscriptionStatus::Pending;
    if !was_pending && matches!(finding, Finding::Failed(Why::Refused | Why::Final, _) | Finding::Awaits) {
        begin(subscription, now, plan, secret());
        subscription.updated_at = now;
    }
    let asked = attempt.retry_after;
    let Some(attempts) = note(subscription, attempt, &finding) else { return };
    match (finding, was_pending) {
        (Finding::Confirmed(per_minute), _) => {
            let before = subscription.intent_confirmed_at.filter(|_| !was_pending);
            let updated_at = subscription.updated_at;
            confirmed(subscription, now, per_minute, plan);
            if let Some(before) = before {
                // Granted again: nothing of it is new to its owner but when.
                subscription.intent_confirmed_at = Some(before);
                subscription.updated_at = updated_at;
            }
        }
        (Finding::Failed(Why::Unreached, _), false) => {
            if let Some(grant) = &mut subscription.grant {
                grant.renew_at = now.plus(RENEW_AGAIN.min(plan.renewal));
            }
        }
        (finding, _) => {
            let again = !matches!(finding, Finding::Awaits | Finding::Failed(Why::Final, _));
            let wait = again.then(|| plan.retry(attempts, asked)).flatten();
            if let Some(handshake) = &mut subscription.handshake {
                handshake.next_attempt_at = wait.map(|wait| now.plus(wait));
                handshake.awaiting = finding == Finding::Awaits;
            }
            subscription.status_reason = Some(describe(subscription));
        }
    }
}

/// Keeps an attempt, with what it lacked: how many there were.
fn note(subscription: &mut Subscription, mut attempt: Attempt, finding: &Finding) -> Option<u32> {
    let handshake = subscription.handshake.as_mut()?;
    handshake.attempts = handshake.attempts.saturating_add(1);
    attempt.number = handshake.attempts;
    if let Finding::Failed(_, Some(detail)) = finding {
        attempt.error_detail.get_or_insert_with(|| detail.clone());
    }
    handshake.last.push(attempt);
    let over = handshake.last.len().saturating_sub(KEPT);
    handshake.last.drain(..over);
    Some(handshake.attempts)
}

/// What a pending subscription waits for, in words.
pub(in crate::control) fn describe(subscription: &Subscription) -> String {
    let Some(handshake) = &subscription.handshake else {
        return "the target's intent is not confirmed".to_owned();
    };
    let failed = handshake.last.last().map(last_words).unwrap_or_default();
    let attempts = match handshake.attempts {
        1 => "1 attempt".to_owned(),
        count => format!("{count} attempts"),
    };
    let what = match (handshake.awaiting, handshake.attempts, handshake.next_attempt_at) {
        (true, _, _) => {
            "the target has taken X-Hook-Secret without echoing it: whoever received it is to bring it \
                         back to activate/"
                .to_owned()
        }
        (false, 0, _) => {
            let intent = subscription.intent.as_str();
            format!("the target is being asked to confirm that it wants hooks ({intent})")
        }
        (false, _, Some(next)) => format!(
            "the target has not confirmed that it wants hooks ({attempts}, the last one: {failed}); it is asked \
             again at {next}"
        ),
        (false, _, None) => format!(
            "the target has not confirmed that it wants hooks ({attempts}, the last one: {failed}) and is not asked \
             again, unless by activate/"
        ),
    };
    let then = if handshake.then_paused { "; paused once it is confirmed" } else { "" };
    format!("{what}; removed unless it is confirmed by {}{then}", handshake.expires_at)
}

fn last_words(attempt: &Attempt) -> String {
    match &attempt.error_detail {
        Some(detail) => format!("{}: {detail}", outcome(attempt)),
        None => outcome(attempt),
    }
}

#[cfg(test)]
pub(super) mod tests;
