//! Sample bodies of an event type, in the shape in which its events are delivered.

use bytes::Bytes;

use crate::core::Core;
use crate::deliver::payload::{hook_end, sample_body};
use crate::error::Error;
use crate::hooks::{Hooks, Scope};
use crate::model::{Event, EventId, EventName, EventType, SubscriptionId, TargetUrl, Timestamp, Uid};
use crate::store::{EventFilter, Page};

/// How many real events are shown.
const SHOWN: usize = 3;
/// The account and target that a sample shows when no real ones are there.
const EXAMPLE_ACCOUNT: &str = "example";
const EXAMPLE_TARGET: &str = "https://example.com/hook";

impl Hooks {
    /// Bodies in the shape in which this type is delivered: the scope's latest real events (at most 3), else the
    /// type's sample, else none. Each is the text of one JSON body.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn event_type_samples(&self, scope: &Scope, name: &EventName) -> Result<Vec<String>, Error> {
        let entry = self.core().catalog.get(name).ok_or(Error::NotFound)?;
        let filter = EventFilter {
            account: scope.account().cloned(),
            event: Some(name.clone()),
            ..EventFilter::default()
        };
        let real = self.core().store.list_events(&filter, Page { after: None, limit: SHOWN }).await?;
        if real.is_empty() {
            let sample = example(scope, &entry.event_type);
            return Ok(sample.iter().map(|event| self.core().sample(event)).collect());
        }
        Ok(real.iter().map(|sequenced| self.core().sample(&sequenced.event)).collect())
    }
}

impl Core {
    /// The body with the hook that the event went to; with an example of one when it went to none that is left.
    fn sample(&self, event: &Event) -> String {
        let live = event.matched.iter().find_map(|matched| self.index.get(matched.subscription));
        let end = live.and_then(|live| {
            let subscription = &live.subscription;
            let pattern = subscription.pattern_for(&event.event)?;
            Some(hook_end(subscription.id, pattern, &subscription.target_url))
        });
        sample_body(event, &end.unwrap_or_else(|| example_hook(&event.event)))
    }
}

fn example_hook(name: &EventName) -> Bytes {
    let id = SubscriptionId(Uid::new(Timestamp::EPOCH, 0));
    let target: TargetUrl = EXAMPLE_TARGET.parse().expect("a constant URL");
    let pattern = name.as_str().parse().expect("a name is a pattern");
    hook_end(id, &pattern, &target)
}

/// An event made of the type's sample; the same one until the type is changed.
fn example(scope: &Scope, event_type: &EventType) -> Option<Event> {
    let data = serde_json::to_vec(event_type.sample.as_ref()?).ok()?;
    let created_at = event_type.updated_at;
    let uid = Uid::new(created_at, 0);
    let account = scope.account().cloned();
    Some(Event {
        uid,
        id: EventId::generated(uid),
        account: account.unwrap_or_else(|| EXAMPLE_ACCOUNT.parse().expect("a constant identifier")),
        event: event_type.name.clone(),
        created_at,
        data: data.into(),
        resource_url: None,
        order_key: None,
        debounce_key: None,
        digest: None,
        matched: Vec::new(),
    })
}
