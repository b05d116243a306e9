//! `GET /subscription/:id/handshake/`

use axum::response::Response;
use http::StatusCode;
use resthooks::model::{Grant, Handshake, Subscription, SubscriptionId, SubscriptionStatus, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

use super::AccountQuery;
use crate::answer;
use crate::caller::Owner;
use crate::delivery::attempt;
use crate::id::Id;
use crate::problem::Problem;
use crate::query::Query;

/// How a subscription's target was asked for its intent, and what it answered: now, while the subscription is
/// `pending`, else when that last was.
#[derive(Serialize, ToSchema)]
#[schema(as = Handshake)]
pub(crate) struct Resource<'a> {
    /// How it is asked: `none`, `echo`, `challenge` or `options`.
    #[schema(example = "echo")]
    intent: &'static str,
    /// The subscription's status.
    #[schema(value_type = String, example = "pending")]
    status: &'static str,
    /// Why it stands so, in words.
    #[schema(required = true)]
    status_reason: Option<&'a str>,
    /// When the target confirmed; `null` as long as it has not.
    #[schema(value_type = Option<String>, format = DateTime, required = true)]
    confirmed_at: Option<Timestamp>,
    /// When it began to be asked.
    #[schema(value_type = Option<String>, format = DateTime, required = true)]
    begun_at: Option<Timestamp>,
    /// When the subscription is removed unless it is confirmed.
    #[schema(value_type = Option<String>, format = DateTime, required = true)]
    expires_at: Option<Timestamp>,
    /// When it is asked again; while it is being asked, at the latest.
    #[schema(value_type = Option<String>, format = DateTime, required = true)]
    next_attempt_at: Option<Timestamp>,
    /// Whether it has taken the secret without echoing it: whoever received it is to bring it to `activate/`.
    awaiting_secret: bool,
    /// How often it was asked.
    attempt_count: u32,
    /// The last ten times. Of an answer's headers and body the first 1 KiB each; secrets are `***`.
    attempts: Vec<attempt::Resource<'a>>,
    /// What it granted (`options`).
    #[schema(required = true)]
    grant: Option<Granted>,
}

/// What a target granted.
#[derive(Serialize, ToSchema)]
#[schema(as = Grant)]
pub(crate) struct Granted {
    /// The most requests a minute; `null` for any number.
    #[schema(required = true, example = 60)]
    per_minute: Option<u32>,
    /// When it granted this.
    #[schema(value_type = String, format = DateTime)]
    granted_at: Timestamp,
    /// When it is asked for it again.
    #[schema(value_type = String, format = DateTime)]
    renew_at: Timestamp,
}

impl Granted {
    fn of(grant: &Grant) -> Self {
        let Grant { per_minute, granted_at, renew_at } = *grant;
        Self { per_minute, granted_at, renew_at }
    }
}

impl<'a> Resource<'a> {
    fn of(subscription: &'a Subscription) -> Self {
        let handshake = subscription.handshake.as_ref();
        let under_way = handshake.filter(|_| subscription.status == SubscriptionStatus::Pending);
        let attempts = handshake.map(|handshake| handshake.last.as_slice()).unwrap_or_default();
        Self {
            intent: subscription.intent.as_str(),
            status: subscription.status.as_str(),
            status_reason: subscription.status_reason.as_deref(),
            confirmed_at: subscription.intent_confirmed_at,
            begun_at: handshake.map(|handshake| handshake.begun_at),
            expires_at: under_way.map(|handshake| handshake.expires_at),
            next_attempt_at: under_way.and_then(|handshake| handshake.next_attempt_at),
            awaiting_secret: under_way.is_some_and(|handshake: &Handshake| handshake.awaiting),
            attempt_count: handshake.map_or(0, |handshake| handshake.attempts),
            attempts: attempts.iter().map(attempt::Resource::of).collect(),
            grant: subscription.grant.as_ref().map(Granted::of),
        }
    }
}

/// See how a subscription's target is asked to confirm its intent
#[utoipa::path(
    get, path = "/subscription/{id}/handshake/", operation_id = "get_subscription_handshake",
    tag = "subscription",
    params(("id" = String, Path, description = "The subscription's id."), AccountQuery),
    responses((status = 200, description = "The handshake as it stands.", body = Resource<'static>)),
    extensions(("x-scopes" = json!(["provider", "consumer"]))),
)]
pub(crate) async fn handshake(
    Owner(asker): Owner,
    Id(id): Id<SubscriptionId>,
    Query(query): Query<AccountQuery>,
) -> Result<Response, Problem> {
    let scope = asker.scope(query.account)?;
    let view = asker.hooks.subscription(&scope, id).await?;
    Ok(answer::json(StatusCode::OK, &Resource::of(&view.subscription)))
}
