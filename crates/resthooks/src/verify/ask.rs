//! The verdict: what the headers say, what the keys say, and, where those don't fit, what the store says was sent.

use std::time::Duration;

use super::compare::{Difference, compare};
use super::header::Signatures;
use super::keys::{Fit, Keys, fitting};
use super::received::{Claim, Received, Signed};
use super::verdict::{Code, Verdict};
use crate::core::Core;
use crate::deliver::bodies;
use crate::error::Error;
use crate::hooks::{Hooks, Scope};
use crate::model::{
    Attempt, DeliveryId, DeliveryKey, SequencedEvent, Subscription, SubscriptionId, Timestamp,
    format_duration,
};

impl Hooks {
    /// Finds out what is wrong with a hook as its receiver has it: whether its signature is one of the subscription's, and
    /// if not, why.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the subscription is gone, deleted, absent or another account's.
    pub async fn verify(
        &self,
        scope: &Scope,
        subscription: SubscriptionId,
        received: Received,
    ) -> Result<Verdict, Error> {
        let core = self.core();
        let subscription = core.present(scope, subscription).await?;
        let known = core.known(scope, &subscription, &received).await?;
        let now = core.options.clock.now();
        // Large bodies are hashed many times over.
        let judging = tokio::task::spawn_blocking(move || judge(&subscription, &received, &known, now));
        judging.await.map_err(|_| Error::Internal("the verification broke off".to_owned()))
    }
}

/// The most attempts that are asked for the time of a request: each costs as much as hashing the body.
const MOST_ATTEMPTS: usize = 10;

/// What the store knows of the delivery that a request names.
#[derive(Debug)]
enum Known {
    /// It names none.
    Unnamed,
    /// There is none of that name, as far as the caller may see.
    Nothing,
    /// It is another subscription's of the caller's.
    Another(Box<Subscription>),
    /// It is one of this subscription's.
    Sent {
        /// The body as it would be sent now; then as it would be had the subscription had other settings.
        bodies: Vec<Vec<u8>>,
        /// When it was sent.
        attempts: Vec<Attempt>,
    },
}

impl Core {
    async fn known(
        &self,
        scope: &Scope,
        subscription: &Subscription,
        received: &Received,
    ) -> Result<Known, Error> {
        let Ok(Claim { id: Some(id), .. }) = received.claim() else { return Ok(Known::Unnamed) };
        let Ok(id) = id.parse::<DeliveryId>() else { return Ok(Known::Nothing) };
        let Some(event) = self.store.event_by_uid(id.event).await? else { return Ok(Known::Nothing) };
        if !scope.admits(&event.event.account) {
            return Ok(Known::Nothing);
        }
        let is_matched = |no| event.event.matched.iter().any(|one| one.subscription == no);
        if id.subscription != subscription.id {
            let other = self.store.subscription(id.subscription).await?;
            let other = other.filter(|other| scope.admits(&other.account) && is_matched(other.no));
            return Ok(other.map_or(Known::Nothing, |other| Known::Another(Box::new(other))));
        }
        if !is_matched(subscription.no) {
            return Ok(Known::Nothing);
        }
        let SequencedEvent { seq, event } = event;
        let attempts = self.store.attempts(DeliveryKey { event: seq, subscription: subscription.no }).await?;
        Ok(Known::Sent { bodies: bodies(&self.catalog, subscription, &event), attempts })
    }
}

fn judge(subscription: &Subscription, received: &Received, known: &Known, now: Timestamp) -> Verdict {
    let claim = match received.claim() {
        Ok(claim) => claim,
        Err(verdict) => return verdict,
    };
    let keys = Keys::of(subscription);
    match fitting(&keys, &claim, &received.body) {
        Some(fit) => in_time(fit, &claim, received.tolerance, now),
        None => why_not(subscription, &keys, &claim, &received.body, known),
    }
}

/// The signature is right: whether its key and its time are.
fn in_time(fit: Fit, claim: &Claim<'_>, tolerance: Duration, now: Timestamp) -> Verdict {
    let Fit { matched, until } = fit;
    if let Some(until) = until.filter(|until| *until <= now) {
        let detail = format!(
            "the signature was made with the secret before the last rotation, which signed until {until}"
        );
        return Verdict::by(Code::SecretExpired, detail, matched);
    }
    let distance =
        claim.seconds.map_or(0, |seconds| now.as_millis().saturating_sub(seconds.saturating_mul(1000)));
    let away = Duration::from_millis(distance.unsigned_abs());
    let shown = format_duration(Duration::from_secs(away.as_secs()));
    let allowed = format_duration(tolerance);
    match distance {
        _ if away <= tolerance => Verdict::by(Code::Good, "the signature and its time are right", matched),
        0.. => {
            let detail = format!(
                "the signature is right, but was made {shown} ago, and {allowed} are allowed: a hook that was kept or \
                 played again, or a receiver whose clock is ahead"
            );
            Verdict::by(Code::TimestampTooOld, detail, matched)
        }
        _ => {
            let detail = format!(
                "the signature is right, but its time is {shown} ahead of now, and {allowed} are allowed: a clock is wrong"
            );
            Verdict::by(Code::TimestampInFuture, detail, matched)
        }
    }
}

/// The signature does not fit: what was sent tells why.
fn why_not(
    subscription: &Subscription,
    keys: &[Keys<'_>],
    claim: &Claim<'_>,
    body: &[u8],
    known: &Known,
) -> Verdict {
    match known {
        Known::Unnamed => Verdict::new(
            Code::NoMatch,
            "the signature fits none of the subscription's secrets with this body, and without a webhook-id there is nothing \
             to compare the body with",
        ),
        Known::Nothing => Verdict::new(
            Code::UnknownDelivery,
            "the webhook-id is none of this subscription's deliveries, and the signature fits none of its secrets: the hook \
             is not from here, or is a test that was not kept",
        ),
        Known::Another(other) => {
            let fit = fitting(&Keys::of(other), claim, body);
            let so = if fit.is_some() {
                "verifies with its secret"
            } else {
                "does not verify with its secret either"
            };
            let detail = format!("this is a delivery of the subscription {}, and {so}", other.id);
            Verdict::new(Code::WrongSecret, detail)
        }
        Known::Sent { bodies, attempts } => sent_otherwise(subscription, keys, claim, body, bodies, attempts),
    }
}

/// It is one of the subscription's deliveries, and was sent otherwise.
fn sent_otherwise(
    subscription: &Subscription,
    keys: &[Keys<'_>],
    claim: &Claim<'_>,
    body: &[u8],
    bodies: &[Vec<u8>],
    attempts: &[Attempt],
) -> Verdict {
    let signed = bodies.iter().find_map(|sent| Some((sent, fitting(keys, claim, sent)?)));
    if let Some((sent, fit)) = signed {
        let lengths = format!("{} bytes here, {} when it was sent", body.len(), sent.len());
        return match compare(body, sent) {
            Difference::Reserialized(how) => {
                let detail = format!(
                    "the body is the same JSON in other bytes ({lengths}): {how}. Verify the bytes that arrive, before \
                     anything reads them"
                );
                Verdict::by(Code::BodyReserialized, detail, fit.matched)
            }
            Difference::Changed(how) => {
                let detail = format!("the body is not the one that was sent ({lengths}): {how}");
                Verdict::by(Code::BodyChanged, detail, fit.matched)
            }
        };
    }
    if let Signed::Standard { signatures, id, .. } = &claim.signed {
        // All that is sent of a delivery is known but the second in which it was: one that fits says what was changed.
        // There is a v1 in whatever is sent.
        let signatures = Signatures { v1: signatures.v1.clone(), v1a: Vec::new() };
        let times = attempts.iter().rev().map(|attempt| attempt.started_at.as_secs().to_string());
        let at = times.take(MOST_ATTEMPTS).find(|seconds| {
            let signed = Signed::Standard { id, timestamp: seconds, signatures: signatures.clone() };
            let other = Claim { id: claim.id, seconds: None, signed };
            let bodies = std::iter::once(body).chain(bodies.first().map(Vec::as_slice));
            bodies.into_iter().any(|body| fitting(keys, &other, body).is_some())
        });
        if let Some(at) = at {
            let detail = format!("webhook-timestamp is not the one that was sent: that was {at}");
            return Verdict::new(Code::NoMatch, detail);
        }
    }
    if bodies.iter().any(|sent| sent == body) {
        return Verdict::new(
            Code::WrongSecret,
            "the body is the one that was sent, but the signature fits none of the subscription's secrets: it was made with \
             one that was given up, or was changed",
        );
    }
    let same = bodies.iter().any(|sent| matches!(compare(body, sent), Difference::Reserialized(_)));
    let body =
        if same { "the same JSON as what was sent in other bytes" } else { "not the one that was sent" };
    let since = attempts.last().is_some_and(|last| last.started_at < subscription.updated_at);
    let since = if since { "; the subscription was changed since then" } else { "" };
    let detail = format!(
        "the body is {body}, and the signature fits none of the subscription's secrets either{since}"
    );
    Verdict::new(Code::NoMatch, detail)
}
