use serde_json::json;

use super::*;
use crate::limits::MAX_IN_FLIGHT_PER_SUBSCRIPTION;
use crate::model::{EventType, PayloadKind, PreviousSecret, Terms, Uid};

fn now(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn new() -> NewSubscription {
    NewSubscription {
        events: vec!["contact.create".parse().unwrap()],
        target_url: "https://example.com/hook".parse().unwrap(),
        active: true,
        description: None,
        metadata: None,
        payload: PayloadKind::Full,
        headers: [("X-Team".to_owned(), "a".to_owned())].into(),
        terms: Default::default(),
        secret: None,
        signature: None,
        intent: None,
    }
}

fn capped(max_in_flight: u32) -> Terms {
    Terms { max_in_flight: Some(max_in_flight), ..Terms::default() }
}

fn rules(catalog: &Catalog) -> Rules<'_> {
    static TARGETS: std::sync::LazyLock<guard::Policy> = std::sync::LazyLock::new(guard::Policy::default);
    Rules { targets: &TARGETS, registered: Some(catalog), intent: Intent::None, asked: None, now: now(5) }
}

fn secret(n: u8) -> Secret {
    Secret::from_key(std::array::from_fn(|at| n.wrapping_add(at as u8)))
}

fn drafted(new: NewSubscription) -> Subscription {
    draft(SubscriptionId(Uid::new(now(1), 1)), "acme".parse().unwrap(), new, secret(1), now(1))
}

fn catalog() -> Catalog {
    let event_type = |name: &str, archived| EventType {
        name: name.parse().unwrap(),
        description: None,
        schema: None,
        sample: None,
        resource_url: None,
        archived,
        created_at: now(0),
        updated_at: now(0),
    };
    Catalog::load(vec![event_type("contact.create", false), event_type("contact.merge", true)])
}

fn events(patterns: &[&str]) -> Vec<EventPattern> {
    patterns.iter().map(|pattern| pattern.parse().unwrap()).collect()
}

/// The fields that are found wrong.
fn wrong(draft: &mut Subscription, former: Option<&Subscription>) -> Vec<String> {
    match judge(draft, former, &rules(&catalog())) {
        Err(Error::Invalid(wrong)) => wrong.into_iter().map(|error| error.field).collect(),
        other => {
            other.unwrap();
            Vec::new()
        }
    }
}

#[test]
fn a_good_one_is_kept_with_its_headers_in_lower_case() {
    let metadata = json!({"plan": {"seats": 3}});
    let mut draft = drafted(NewSubscription {
        metadata: metadata.as_object().cloned(),
        terms: capped(MAX_IN_FLIGHT_PER_SUBSCRIPTION),
        events: events(&["*", "deal.*", "contact.create"]),
        ..new()
    });
    assert_eq!(wrong(&mut draft, None), Vec::<String>::new());
    assert_eq!(draft.headers.keys().collect::<Vec<_>>(), ["x-team"]);
    assert_eq!(draft.metadata.map(serde_json::Value::Object), Some(metadata));
    assert_eq!(draft.secret, secret(1));
    assert_eq!(draft.status, SubscriptionStatus::Active);
}

#[test]
fn every_wrong_field_is_named() {
    let big = json!({"x": "y".repeat(MAX_METADATA_BYTES)});
    let mut draft = drafted(NewSubscription {
        events: events(&["contact.create", "contact.delete", "contact.merge", "*", "contact.create"]),
        target_url: "http://example.com/".parse().unwrap(),
        description: Some("x".repeat(MAX_DESCRIPTION_BYTES + 1)),
        metadata: big.as_object().cloned(),
        headers: [("host".to_owned(), "x".to_owned())].into(),
        terms: capped(MAX_IN_FLIGHT_PER_SUBSCRIPTION + 1),
        ..new()
    });
    let fields = [
        "target_url",
        "events[1]",
        "events[2]",
        "events[4]",
        "description",
        "metadata",
        "headers.host",
        "max_in_flight",
    ];
    assert_eq!(wrong(&mut draft, None), fields);
    assert_eq!(wrong(&mut drafted(NewSubscription { terms: capped(0), ..new() }), None), ["max_in_flight"]);
}

#[test]
fn one_to_a_hundred_patterns() {
    let names: Vec<String> = (0..=MAX_SUBSCRIPTION_EVENTS).map(|n| format!("a{n}.*")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let with =
        |patterns: &[&str]| wrong(&mut drafted(NewSubscription { events: events(patterns), ..new() }), None);
    assert_eq!(with(&names[..MAX_SUBSCRIPTION_EVENTS]), Vec::<String>::new());
    assert_eq!(with(&names), ["events"]);
    assert_eq!(with(&[]), ["events"]);
}

#[test]
fn any_name_is_welcome_without_a_catalogue() {
    let mut draft = drafted(NewSubscription { events: events(&["never.seen"]), ..new() });
    assert!(judge(&mut draft, None, &Rules { registered: None, ..rules(&catalog()) }).is_ok());
}

#[test]
fn a_change_is_not_judged_for_what_it_leaves_alone() {
    let former = drafted(NewSubscription {
        events: events(&["contact.merge", "contact.gone"]),
        target_url: "http://10.0.0.1/".parse().unwrap(),
        headers: [("host".to_owned(), "x".to_owned())].into(),
        ..new()
    });
    let mut paused = former.clone();
    apply(&mut paused, SubscriptionChange { active: Some(false), ..SubscriptionChange::default() });
    assert_eq!(wrong(&mut paused, Some(&former)), Vec::<String>::new());
    let mut widened = former.clone();
    let wanted = events(&["contact.merge", "contact.create", "contact.other"]);
    apply(&mut widened, SubscriptionChange { events: Some(wanted), ..SubscriptionChange::default() });
    assert_eq!(wrong(&mut widened, Some(&former)), ["events[2]"]);
}

#[test]
fn absent_fields_stay_and_none_clears() {
    let mut subscription = drafted(NewSubscription { description: Some("a".to_owned()), ..new() });
    let before = subscription.clone();
    apply(&mut subscription, SubscriptionChange::default());
    assert_eq!(subscription, before);
    apply(&mut subscription, SubscriptionChange { description: Some(None), ..SubscriptionChange::default() });
    assert_eq!(subscription.description, None);
}

#[test]
fn replacing_keeps_the_secret_unless_one_is_given() {
    let mut subscription = drafted(new());
    subscription.previous_secret =
        Some(PreviousSecret { secret: secret(0), signing_key: None, signs_until: now(9) });
    replace(&mut subscription, new());
    assert_eq!((subscription.secret.clone(), subscription.previous_secret.is_some()), (secret(1), true));
    replace(&mut subscription, NewSubscription { secret: Some(secret(2)), ..new() });
    assert_eq!((subscription.secret, subscription.previous_secret), (secret(2), None));
}

#[test]
fn the_status_follows_active() {
    use SubscriptionStatus::{Active, Deleted, Disabled, Gone, Paused, Pending};
    let next = |status, active| {
        let mut subscription = drafted(new());
        subscription.status = status;
        subscription.status_reason = Some("why".to_owned());
        apply(
            &mut subscription,
            SubscriptionChange { active: Some(active), ..SubscriptionChange::default() },
        );
        assert_eq!(subscription.status_reason.is_none(), subscription.status != status);
        subscription.status
    };
    let from = [Pending, Active, Paused, Disabled, Gone, Deleted];
    assert_eq!(from.map(|status| next(status, true)), [Pending, Active, Active, Active, Gone, Deleted]);
    assert_eq!(from.map(|status| next(status, false)), [Pending, Paused, Paused, Paused, Gone, Deleted]);
    assert_eq!(drafted(NewSubscription { active: false, ..new() }).status, Paused);
}
