//! Which terms of delivery make sense. Pure.

use super::validate::Findings;
use crate::limits::{MAX_ATTEMPT_TIMEOUT, MAX_IN_FLIGHT_PER_SUBSCRIPTION, MIN_ATTEMPT_TIMEOUT};
use crate::model::{Batching, Debounce, OnBlocked, Subscription, Terms, Timestamp, format_duration};

/// Judges a draft's terms, as far as they differ from the former ones. What a term says by itself was seen to when it was
/// read.
pub(super) fn judge(
    findings: &mut Findings,
    draft: &Subscription,
    former: Option<&Subscription>,
    now: Timestamp,
) {
    let terms = &draft.terms;
    let cap = 1..=MAX_IN_FLIGHT_PER_SUBSCRIPTION;
    if terms.max_in_flight.is_some_and(|asked| !cap.contains(&asked)) {
        findings.add("max_in_flight", format!("must be 1 to {MAX_IN_FLIGHT_PER_SUBSCRIPTION}"));
    }
    let (least, most) = (MIN_ATTEMPT_TIMEOUT, MAX_ATTEMPT_TIMEOUT);
    if terms.timeout.is_some_and(|asked| !(least..=most).contains(&asked.get())) {
        let (least, most) = (format_duration(least), format_duration(most));
        findings.add("timeout", format!("must be {least} to {most}"));
    }
    if let Some(Err((member, wrong))) = terms.rate_limit.map(crate::model::RateLimit::check) {
        findings.add(format!("rate_limit.{member}"), wrong.0);
    }
    let is_new = former.is_none_or(|former| former.terms.expires_at != terms.expires_at);
    if is_new && terms.expires_at.is_some_and(|at| at <= now) {
        findings.add("expires_at", "must be in the future");
    }
    judge_plan(findings, terms);
}

/// In which order, how rarely and how many at once.
fn judge_plan(findings: &mut Findings, terms: &Terms) {
    let checks = [
        ("debounce", terms.debounce.as_ref().map(Debounce::check)),
        ("batch", terms.batch.as_ref().map(Batching::check)),
        ("on_blocked", terms.on_blocked.map(OnBlocked::check)),
    ];
    for (name, check) in checks {
        if let Some(Err((member, wrong))) = check {
            findings.add(format!("{name}.{member}"), wrong.0);
        }
    }
    if terms.order.is_none() && matches!(terms.on_blocked, Some(OnBlocked::SkipAfter(_))) {
        findings.add("on_blocked", "says what becomes of an order: there is no \"order\"");
    }
    let given = [
        ("order", terms.order.is_some()),
        ("debounce", terms.debounce.is_some()),
        ("batch", terms.batch.is_some()),
    ];
    let mut given = given.into_iter().filter_map(|(name, given)| given.then_some(name));
    if let (Some(first), Some(second)) = (given.next(), given.next()) {
        findings.add(second, format!("can't be asked for together with \"{first}\""));
    }
}
