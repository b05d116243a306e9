//! What a subscription is created from, replaced with or changed by.

use resthooks::model::{
    AccountId, Batching, Debounce, EventPattern, OnBlocked, Order, RateLimit, Retry, Span, TargetUrl, Terms,
    TermsChange, Timestamp,
};
use resthooks::{FieldError, NewSubscription, SubscriptionChange, SubscriptionView};
use serde::Deserialize;
use utoipa::ToSchema;

use super::headers::{carries_mask, unmasked};
use super::members::{Patterns, Payload, Policy};
use super::read_only::differing;
use super::signing::{Key, Scheme};
use crate::body::{Given, Headers, NotYet, Object, Value};
use crate::caller::Asker;
use crate::problem::Problem;

/// What a subscription is created from (`target_url` and `event` or `events` needed), replaced with (likewise; what
/// is left out is set to its default, but the secret and the signature stay) or changed by (what is left out stays). What was read
/// may be sent back: read-only fields are accepted as long as they say what is there.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SubscriptionInput)]
#[expect(
    dead_code,
    reason = "what is not supported yet is refused while it is read, and holds nothing after"
)]
pub(crate) struct Input {
    /// Whose it is. Needed from the provider to create one, here or as `?account=`; a consumer may leave it out.
    #[schema(value_type = Option<String>, example = "tenant-42")]
    #[serde(default)]
    pub account: Given<AccountId>,
    /// Where its hooks go: an `https` URL without user info and fragment, at most 2,048 bytes.
    #[schema(value_type = Option<String>, format = "uri", example = "https://example.com/hooks")]
    #[serde(default)]
    target_url: Given<TargetUrl>,
    /// The same as `target_url`.
    #[schema(value_type = Option<String>, format = "uri")]
    #[serde(default)]
    target: Given<TargetUrl>,
    /// The same as `target_url`.
    #[schema(value_type = Option<String>, format = "uri")]
    #[serde(default)]
    url: Given<TargetUrl>,
    /// The same as `target_url`.
    #[serde(rename = "hookUrl")]
    #[schema(value_type = Option<String>, format = "uri")]
    #[serde(default)]
    hook_url: Given<TargetUrl>,
    /// One event type (`contact.create`), all below a prefix (`contact.*`), or all (`*`).
    #[schema(value_type = Option<String>, example = "contact.create")]
    #[serde(default)]
    event: Given<EventPattern>,
    /// Several of them, at most 100. `event`, if given too, must be the first one.
    #[schema(value_type = Option<Vec<String>>)]
    #[serde(default)]
    events: Given<Patterns>,
    /// `false` pauses it: deliveries are held. `true` resumes or re-enables it. `true` when left out.
    #[schema(value_type = Option<bool>)]
    #[serde(default)]
    active: Given<bool>,
    /// For humans, at most 1 KiB.
    #[schema(value_type = Option<String>)]
    #[serde(default)]
    description: Given<String>,
    /// An object of your own, at most 8 KiB.
    #[schema(value_type = Option<Object>)]
    #[serde(default)]
    metadata: Given<Object>,
    /// How bodies are built: `full`, `skinny` or `raw`. `full` when left out.
    #[schema(value_type = Option<String>, example = "full")]
    #[serde(default)]
    payload: Given<Payload>,
    /// Extra headers of every request to the target: at most 32, 8 KiB in all. Values of headers that carry
    /// credentials are shown as `***`, which stands for the stored value when it is sent back.
    #[schema(value_type = Option<std::collections::BTreeMap<String, String>>, example = json!({"x-team": "red"}))]
    #[serde(default)]
    headers: Given<Headers>,
    /// `whsec_` and base64 of 24 to 64 bytes: signs by HMAC. Or `whsk_` and base64 of an Ed25519 key, which is the 32 bytes of
    /// its seed, or 64 with the public key behind them: signs as well, and asks for `"signature": "v1a"`. Made for you when
    /// left out.
    #[schema(value_type = Option<String>, write_only)]
    #[serde(default)]
    pub(super) secret: Given<Key>,
    /// How hooks are signed: `v1`, by HMAC-SHA256 with the secret; or `v1a`, by Ed25519 as well, so that whoever has the
    /// `public_key` can verify them. `v1` when left out; then the secret is one for HMAC.
    #[schema(value_type = Option<String>, example = "v1")]
    #[serde(default)]
    pub(super) signature: Given<Scheme>,
    /// How the target confirms that its owner wants hooks, before any is sent: `none`, `echo`, `challenge` or `options`.
    /// As it is set for the account when left out. A consumer may choose one where none is set, the provider any.
    #[schema(value_type = Option<String>, example = "echo")]
    #[serde(default)]
    intent: Given<Policy>,
    /// The most requests in flight to this target at once, 1 to 256.
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 256)]
    #[serde(default)]
    max_in_flight: Given<u32>,
    /// Not supported yet: must be `null` or left out.
    #[schema(value_type = Option<serde_json::Value>)]
    #[serde(default)]
    filter: Given<NotYet>,
    /// When failed deliveries are tried again, instead of by the server's schedule: `{"schedule": ["5s", "1m", "1h"]}`, up to
    /// 50 waits of 1 s to 1 d; or `{"base": "5s", "factor": 2, "max_interval": "1h", "max_attempts": 10}`, waits that grow.
    /// Beside either: `"max_age": "2d"`, no attempt so long after the event; and `"statuses": ["429", "5xx"]`, the answers
    /// that are tried again (all but 2xx, 3xx and 410 when left out; without an answer it always is).
    #[schema(value_type = Option<Object>, example = json!({"schedule": ["5s", "1m", "1h"], "statuses": ["429", "5xx"]}))]
    #[serde(default)]
    retry: Given<Retry>,
    /// How long a whole attempt may take, 1 s to 60 s, such as `"30s"`. The server's when left out.
    #[schema(value_type = Option<String>, example = "30s")]
    #[serde(default)]
    timeout: Given<Span>,
    /// The most requests in a time: `{"limit": 100, "per": "minute", "burst": 10}`. `per` is `second` or `minute` (the
    /// default); `burst` is how many at once after a silence, a second's worth when left out. What has to wait waits in the
    /// store. Where the target has granted fewer, those count.
    #[schema(value_type = Option<Object>, example = json!({"limit": 100, "per": "minute"}))]
    #[serde(default)]
    rate_limit: Given<RateLimit>,
    /// In which order deliveries are sent: `"strict"`, one at a time by sequence; or `{"by": "order_key"}`, so for the events
    /// of each `order_key`, and side by side for different ones (events without one are in no order). One that fails holds
    /// up those behind it; see `on_blocked`. Counts for events that come after it was asked for.
    #[schema(value_type = Option<serde_json::Value>, example = json!({"by": "order_key"}))]
    #[serde(default)]
    order: Given<Order>,
    /// With an `order`: what becomes of those behind a delivery that fails. `"wait"` (the default): they wait until it is
    /// delivered or given up. `{"skip_after": 3}`: it is given up after so many attempts, 1 to 50, and can be fetched or
    /// released like all that was missed.
    #[schema(value_type = Option<serde_json::Value>, example = json!({"skip_after": 3}))]
    #[serde(default)]
    on_blocked: Given<OnBlocked>,
    /// Several events in one request, whose body is a JSON array of what each would be alone: at most `max_events` (1 to
    /// 1000), with at most `max_bytes` of data (1 KiB to 8 MiB, 1 MiB when left out; a larger one goes alone), the first of
    /// them waiting at most `max_wait` (10 ms to 10 m). The answer counts for all; what fails is tried again as it was. Not
    /// together with `order` or `debounce`.
    #[schema(value_type = Option<Object>, example = json!({"max_events": 100, "max_wait": "5s"}))]
    #[serde(default)]
    batch: Given<Batching>,
    /// Of several events with the same key, only the newest: it is sent once none has come for `window` (100 ms to 1 h), at
    /// most `max_wait` after the first (ten windows when left out, up to 24 h). `key` is `debounce_key` (the default) or
    /// `order_key`, as the events have them, or a JSON Pointer into `data` such as `/customer/id`; an event without the key
    /// is sent at once. Those replaced are recorded as `cancelled`, and by which. Not together with `order` or `batch`.
    #[schema(value_type = Option<Object>, example = json!({"window": "10s", "key": "/id", "max_wait": "1m"}))]
    #[serde(default)]
    debounce: Given<Debounce>,
    /// When it ends by itself, as if it were deleted then. Never when left out.
    #[schema(value_type = Option<String>, format = DateTime)]
    #[serde(default)]
    expires_at: Given<Timestamp>,

    /// Ours to set.
    #[schema(value_type = Option<String>, read_only)]
    #[serde(default)]
    pub(super) id: Given<Value>,
    /// Ours to set; `active` is what changes it.
    #[schema(value_type = Option<String>, read_only)]
    #[serde(default)]
    pub(super) status: Given<Value>,
    /// Ours to set.
    #[schema(value_type = Option<String>, read_only)]
    #[serde(default)]
    pub(super) status_reason: Given<Value>,
    /// Ours to set, from the private key.
    #[schema(value_type = Option<String>, read_only)]
    #[serde(default)]
    pub(super) public_key: Given<Value>,
    /// As `last_success_at`.
    #[schema(value_type = Option<String>, format = DateTime, read_only)]
    #[serde(default)]
    pub(super) intent_confirmed_at: Given<Timestamp>,
    /// Ours to set.
    #[schema(value_type = Option<String>, format = DateTime, read_only)]
    #[serde(default)]
    pub(super) created_at: Given<Value>,
    /// Ours to set. Sent back, it makes sure that the subscription has not been changed since it was read.
    #[schema(value_type = Option<String>, format = DateTime, read_only)]
    #[serde(default)]
    pub(super) updated_at: Given<Value>,
    /// Ours to set. `PUT` takes any value of those that change with every delivery, and sets none of them.
    #[schema(value_type = Option<String>, format = DateTime, read_only)]
    #[serde(default)]
    pub(super) last_success_at: Given<Timestamp>,
    /// As `last_success_at`.
    #[schema(value_type = Option<String>, format = DateTime, read_only)]
    #[serde(default)]
    pub(super) last_failure_at: Given<Timestamp>,
    /// As `last_success_at`.
    #[schema(value_type = Option<String>, format = DateTime, read_only)]
    #[serde(default)]
    pub(super) failing_since: Given<Timestamp>,
    /// As `last_success_at`.
    #[schema(value_type = Option<u64>, read_only)]
    #[serde(default)]
    pub(super) consecutive_failures: Given<u64>,
    /// As `last_success_at`.
    #[schema(value_type = Option<u64>, read_only)]
    #[serde(default)]
    pub(super) pending: Given<u64>,
    /// As `last_success_at`.
    #[schema(value_type = Option<String>, read_only)]
    #[serde(default)]
    pub(super) circuit: Given<String>,
}

impl Input {
    /// For a new subscription.
    pub(crate) fn into_new(self, asker: &Asker) -> Result<NewSubscription, Problem> {
        let mut errors = Vec::new();
        for (field, given) in self.identity().into_iter().chain(self.observations()) {
            if !given.is_absent() {
                errors.push(FieldError::new(field, "is read-only: must be left out"));
            }
        }
        self.whole(None, asker, errors)
    }

    /// In place of the settings of the present one.
    pub(crate) fn into_replacement(
        self,
        present: &SubscriptionView,
        asker: &Asker,
    ) -> Result<NewSubscription, Problem> {
        let mut errors = self.account_kept(present);
        // What changes with every delivery may have changed since it was read: it is let pass whatever it says.
        differing(&self.identity(), present, &mut errors);
        self.whole(Some(present), asker, errors)
    }

    /// Some of the present one's settings.
    pub(crate) fn into_change(
        self,
        present: &SubscriptionView,
        asker: &Asker,
    ) -> Result<SubscriptionChange, Problem> {
        let mut errors = self.account_kept(present);
        differing(&self.identity(), present, &mut errors);
        differing(&self.observations(), present, &mut errors);
        for (field, is_null) in self.nulls() {
            if is_null {
                errors.push(FieldError::new(field, "must not be null"));
            }
        }
        let target_url = self.target(&mut errors);
        let events = self.patterns(&mut errors);
        let (secret, signature) = self.signing(&mut errors);
        let stored = Some(&present.subscription.headers);
        let headers =
            self.headers.clearable().map(|h| unmasked(h.unwrap_or_default().0, stored, &mut errors));
        let change = SubscriptionChange {
            events,
            target_url,
            active: self.active.value(),
            description: self.description.clearable(),
            metadata: self.metadata.clearable().map(|metadata| metadata.map(|object| object.0)),
            payload: self.payload.clearable().map(|payload| payload.map(|p| p.0).unwrap_or_default()),
            headers,
            terms: TermsChange {
                retry: self.retry.clearable(),
                timeout: self.timeout.clearable(),
                rate_limit: self.rate_limit.clearable(),
                max_in_flight: self.max_in_flight.clearable(),
                expires_at: self.expires_at.clearable(),
                order: self.order.clearable(),
                on_blocked: self.on_blocked.clearable(),
                debounce: self.debounce.clearable(),
                batch: self.batch.clearable(),
            },
            secret,
            signature,
            intent: self.intent.value().map(|Policy(intent)| asker.chooses(intent)),
        };
        if errors.is_empty() { Ok(change) } else { Err(Problem::invalid(errors)) }
    }

    /// Whether it says something about the subscription as it was read: how it stands, or a mask for what is stored.
    pub(super) fn refers_to_present(&self) -> bool {
        let stands = self.identity().iter().any(|(_, given)| !given.is_absent());
        stands || self.headers.as_value().is_some_and(|given| carries_mask(&given.0))
    }

    fn whole(
        self,
        present: Option<&SubscriptionView>,
        asker: &Asker,
        mut errors: Vec<FieldError>,
    ) -> Result<NewSubscription, Problem> {
        let target_url = self.target(&mut errors);
        if target_url.is_none() {
            errors.push(FieldError::new("target_url", "must be given: where the hooks go"));
        }
        let events = self.patterns(&mut errors);
        if events.is_none() {
            errors.push(FieldError::new("event", "must be given, here or as events: what is wanted"));
        }
        let (secret, signature) = self.signing(&mut errors);
        let given = self.headers.value().unwrap_or_default().0;
        let headers = unmasked(given, present.map(|p| &p.subscription.headers), &mut errors);
        let (Some(target_url), Some(events), true) = (target_url, events, errors.is_empty()) else {
            return Err(Problem::invalid(errors));
        };
        Ok(NewSubscription {
            events,
            target_url,
            active: self.active.value().unwrap_or(true),
            description: self.description.value(),
            metadata: self.metadata.value().map(|object| object.0),
            payload: self.payload.value().map(|payload| payload.0).unwrap_or_default(),
            headers,
            terms: Terms {
                retry: self.retry.value(),
                timeout: self.timeout.value(),
                rate_limit: self.rate_limit.value(),
                max_in_flight: self.max_in_flight.value(),
                expires_at: self.expires_at.value(),
                order: self.order.value(),
                on_blocked: self.on_blocked.value(),
                debounce: self.debounce.value(),
                batch: self.batch.value(),
            },
            secret,
            signature,
            intent: self.intent.value().map(|Policy(intent)| asker.chooses(intent)),
        })
    }

    /// The target under whichever of its names it was given; all that were must agree.
    fn target(&self, errors: &mut Vec<FieldError>) -> Option<TargetUrl> {
        let mut found: Option<(&str, &TargetUrl)> = None;
        for (name, given) in self.targets() {
            let Given::Value(url) = given else { continue };
            match found {
                Some((first, other)) if other != url => {
                    errors.push(FieldError::new(name, format!("differs from {first}, which means the same")));
                }
                Some(_) => {}
                None => found = Some((name, url)),
            }
        }
        found.map(|(_, url)| url.clone())
    }

    fn patterns(&self, errors: &mut Vec<FieldError>) -> Option<Vec<EventPattern>> {
        match (self.event.as_value(), self.events.as_value()) {
            (None, None) => None,
            (Some(one), None) => Some(vec![one.clone()]),
            (one, Some(Patterns(all))) => {
                if one.is_some_and(|one| all.first() != Some(one)) {
                    errors.push(FieldError::new("event", "must be the first of events when both are given"));
                }
                Some(all.clone())
            }
        }
    }

    fn account_kept(&self, present: &SubscriptionView) -> Vec<FieldError> {
        let changed = match &self.account {
            Given::Absent => false,
            Given::Null => true,
            Given::Value(account) => *account != present.subscription.account,
        };
        if changed { vec![FieldError::new("account", "can't be changed")] } else { Vec::new() }
    }

    const fn targets(&self) -> [(&'static str, &Given<TargetUrl>); 4] {
        [
            ("target_url", &self.target_url),
            ("target", &self.target),
            ("url", &self.url),
            ("hookUrl", &self.hook_url),
        ]
    }

    /// What can be changed but not cleared.
    fn nulls(&self) -> [(&'static str, bool); 10] {
        [
            ("target_url", self.target_url == Given::Null),
            ("target", self.target == Given::Null),
            ("url", self.url == Given::Null),
            ("hookUrl", self.hook_url == Given::Null),
            ("event", self.event == Given::Null),
            ("events", self.events == Given::Null),
            ("active", self.active == Given::Null),
            ("secret", self.secret == Given::Null),
            ("signature", self.signature == Given::Null),
            ("intent", self.intent == Given::Null),
        ]
    }
}
