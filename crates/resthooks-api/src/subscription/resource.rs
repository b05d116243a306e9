//! What a subscription looks like.

use std::collections::BTreeMap;

use resthooks::SubscriptionView;
use resthooks::model::{
    AccountId, Batching, Debounce, EventPattern, OnBlocked, Order, PayloadKind, RateLimit, Retry, Signature,
    SigningKey, Span, SubscriptionId, SubscriptionStatus, Timestamp,
};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::headers::masked;

/// A subscription: what is delivered where, and how that has fared. Options that are not set are `null`.
#[derive(Serialize, ToSchema)]
#[schema(as = Subscription)]
pub(crate) struct Resource<'a> {
    /// Its id.
    #[schema(value_type = String, example = "sub_01k6x8t1m2n3p4q5r6s7t8v9wa")]
    id: SubscriptionId,
    /// Whose it is.
    #[schema(value_type = String, example = "tenant-42")]
    account: &'a AccountId,
    /// The first of `events`.
    #[schema(value_type = String, example = "contact.create")]
    event: Option<&'a EventPattern>,
    /// What it wants.
    #[schema(value_type = Vec<String>)]
    events: &'a [EventPattern],
    /// Where its hooks go, normalised.
    #[schema(format = "uri", example = "https://example.com/hooks")]
    target_url: &'a str,
    /// Whether `status` is `active`.
    active: bool,
    /// `pending` (its target has not confirmed its intent), `active`, `paused` (by its owner: deliveries are held), `disabled`
    /// (by us, see `status_reason`) or `gone` (the target said 410).
    #[schema(value_type = String, example = "active")]
    status: &'static str,
    /// Why it stands so, in words.
    #[schema(required = true)]
    status_reason: Option<&'a str>,
    /// Its signing secret. Only in the answers to creating it and to rotating the secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<&'a str>,
    /// How its hooks are signed: `v1` (HMAC-SHA256), or `v1a` (Ed25519 as well).
    #[schema(value_type = String, example = "v1")]
    signature: Signature,
    /// What Ed25519 signatures are verified with: `whpk_` and base64. `null` without them.
    #[schema(required = true, example = json!(null))]
    public_key: Option<String>,
    /// When it was created.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it was last changed, by its owner or by us.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
    /// For humans.
    #[schema(required = true)]
    description: Option<&'a str>,
    /// The owner's own object.
    #[schema(value_type = Option<Object>, required = true)]
    metadata: Option<&'a Map<String, Value>>,
    /// How bodies are built: `full`, `skinny` or `raw`.
    #[schema(value_type = String, example = "full")]
    payload: PayloadKind,
    /// Extra headers of every request. Those that carry credentials are shown as `***`.
    headers: BTreeMap<&'a str, &'a str>,
    /// How the target confirms that its owner wants hooks: `none`, `echo`, `challenge` or `options`.
    #[schema(example = "none")]
    intent: &'static str,
    /// When it did; `null` where it need not, and as long as it has not.
    #[schema(value_type = Option<String>, format = DateTime, required = true)]
    intent_confirmed_at: Option<Timestamp>,
    /// Not supported yet.
    #[schema(value_type = Option<Value>, required = true)]
    filter: (),
    /// When failed deliveries are tried again; `null` for the server's schedule.
    #[schema(value_type = Option<Object>, required = true)]
    retry: Option<&'a Retry>,
    /// How long a whole attempt may take; `null` for the server's default.
    #[schema(value_type = Option<String>, required = true)]
    timeout: Option<Span>,
    /// The most requests in a time; `null` for any.
    #[schema(value_type = Option<Object>, required = true)]
    rate_limit: Option<RateLimit>,
    /// The most requests in flight at once; `null` for the server's default.
    #[schema(required = true)]
    max_in_flight: Option<u32>,
    /// In which order deliveries are sent; `null` for none.
    #[schema(value_type = Option<Value>, required = true)]
    order: Option<Order>,
    /// What becomes of those behind a delivery that fails; `null` for the default, `wait`.
    #[schema(value_type = Option<Value>, required = true)]
    on_blocked: Option<OnBlocked>,
    /// How many events go in one request; `null` for one.
    #[schema(value_type = Option<Object>, required = true)]
    batch: Option<Batching>,
    /// Which of several events with the same key are sent; `null` for all.
    #[schema(value_type = Option<Object>, required = true)]
    debounce: Option<&'a Debounce>,
    /// When it ends by itself; `null` for never.
    #[schema(value_type = Option<String>, format = DateTime, required = true)]
    expires_at: Option<Timestamp>,
    /// The last attempt that the target acknowledged.
    #[schema(value_type = Option<String>, format = DateTime, required = true)]
    last_success_at: Option<Timestamp>,
    /// The last attempt that failed.
    #[schema(value_type = Option<String>, format = DateTime, required = true)]
    last_failure_at: Option<Timestamp>,
    /// The first failure since the last success.
    #[schema(value_type = Option<String>, format = DateTime, required = true)]
    failing_since: Option<Timestamp>,
    /// Failed attempts since the last success.
    consecutive_failures: u64,
    /// Deliveries that wait.
    pending: u64,
    /// Whether requests are sent to its target's host (`closed`), none because it can't be reached (`open`), or one to see
    /// whether it can be again (`half_open`).
    #[schema(example = "closed")]
    circuit: &'static str,
}

impl<'a> Resource<'a> {
    /// As it is read: without its secret.
    pub(crate) fn of(view: &'a SubscriptionView) -> Self {
        let SubscriptionView { subscription, health, pending, circuit } = view;
        let terms = &subscription.terms;
        Self {
            id: subscription.id,
            account: &subscription.account,
            event: subscription.events.first(),
            events: &subscription.events,
            target_url: subscription.target_url.as_str(),
            active: subscription.status == SubscriptionStatus::Active,
            status: subscription.status.as_str(),
            status_reason: subscription.status_reason.as_deref(),
            secret: None,
            signature: subscription.signature(),
            public_key: subscription.signing_key.as_ref().map(SigningKey::public),
            created_at: subscription.created_at,
            updated_at: subscription.updated_at,
            description: subscription.description.as_deref(),
            metadata: subscription.metadata.as_ref(),
            payload: subscription.payload,
            headers: masked(&subscription.headers),
            intent: subscription.intent.as_str(),
            intent_confirmed_at: subscription.intent_confirmed_at,
            filter: (),
            retry: terms.retry.as_ref(),
            timeout: terms.timeout,
            rate_limit: terms.rate_limit,
            max_in_flight: terms.max_in_flight,
            order: terms.order,
            on_blocked: terms.on_blocked,
            batch: terms.batch,
            debounce: terms.debounce.as_ref(),
            expires_at: terms.expires_at,
            last_success_at: health.last_success_at,
            last_failure_at: health.last_failure_at,
            failing_since: health.failing_since,
            consecutive_failures: health.consecutive_failures,
            pending: *pending,
            circuit: circuit.as_str(),
        }
    }

    /// With its secret: for its owner, when there is a new one.
    pub(crate) fn with_secret(view: &'a SubscriptionView) -> Self {
        Self { secret: Some(view.subscription.secret.expose()), ..Self::of(view) }
    }
}
