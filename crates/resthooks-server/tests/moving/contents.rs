//! A store with some of everything.

use bytes::Bytes;
use resthooks::model::{
    Access, AccountSettings, Actor, ApiKey, AuditAction, AuditEntry, DeliveryStatus, Event, EventSeq,
    EventType, Health, Intent, KeyHash, KeyId, KeyRole, Progress, SigningKey, Subscription,
    SubscriptionStatus,
};
use resthooks::store::{Batch, Record, SubscriptionFilter};
use resthooks_store_test::Lab;
use resthooks_store_test::lab::{account, at, attempt, delivered, first, record, scheduled};

/// Fills a fresh store. Of the events of account `a`, the first three have all rows, the fourth lacks one of two.
pub(crate) async fn fill(lab: Lab) {
    types_and_keys(&lab).await;
    let first = lab.subscribe("a").await;
    let ended = end(&lab, "a", SubscriptionStatus::Gone).await;
    end(&lab, "a", SubscriptionStatus::Deleted).await;
    let second = lab.subscribe("a").await;
    let other = lab.subscribe("b").await;

    let events = lab.append(events(&lab, &first, &second, &ended)).await;
    lab.emit("b", &[&other]).await;
    let later = Record {
        has_row: true,
        attempts: 2,
        automatic: 1,
        attempt: Some(resthooks::model::Attempt {
            manual: true,
            response_body: "é\n\0".to_owned(),
            ..attempt(2)
        }),
        reason: Some("gave up".to_owned()),
        ..record(&events[1], &first, DeliveryStatus::Dead)
    };
    let held =
        Record { reason: Some("paused".to_owned()), ..record(&events[2], &first, DeliveryStatus::Held) };
    lab.write(
        vec![
            delivered(&events[0], &first),
            delivered(&events[0], &ended),
            scheduled(&events[1], &first, at(99)),
            scheduled(&events[2], &second, at(1_000_000)),
            held,
            delivered(&events[3], &second),
        ],
        at(50),
    )
    .await;
    let progress = Progress {
        sequence: 4,
        health: Health {
            last_success_at: Some(at(5)),
            last_failure_at: Some(at(6)),
            failing_since: Some(at(6)),
            consecutive_failures: 3,
        },
    };
    let batch = Batch {
        records: vec![later],
        watermark: Some(EventSeq(3)),
        progress: vec![(first.no, progress)],
        now: at(60),
        ..Batch::default()
    };
    lab.commit(batch).await.unwrap();

    trust(&lab).await;

    // An account that is being deleted, and has begun anew.
    let gone = lab.subscribe("dying").await;
    for _ in 0..3 {
        lab.emit("dying", &[&gone]).await;
    }
    lab.store().begin_delete_account(&account("dying"), at(70), None).await.unwrap();
    let anew = lab.subscribe("dying").await;
    lab.emit("dying", &[&anew]).await;
}

/// What accounts have settled, and three entries of the audit trail.
async fn trust(lab: &Lab) {
    let settings = AccountSettings { intent: Some(Intent::Echo) };
    let entry = AuditEntry {
        actor: Actor::new("jwt", &"é:1"),
        account: Some(account("a")),
        changed: vec!["target_url".to_owned(), "headers".to_owned()],
        reason: Some("because \"it\" is so".to_owned()),
        ..lab.entry(AuditAction::AccountUpdated, "a")
    };
    lab.store().put_account(&account("a"), &settings, at(61), Some(&entry)).await.unwrap();
    let headers = [("authorization".to_owned(), "Bearer planted".to_owned())].into();
    let key = SigningKey::from_seed([5; 32]);
    let of_b = lab.store().list_subscriptions(&SubscriptionFilter::default(), first(1)).await.unwrap();
    let with = Subscription { headers, signing_key: Some(key), ..of_b[0].clone() };
    let entry = lab.entry(AuditAction::SubscriptionUpdated, with.id);
    lab.store().update_subscription(&with, Some(&entry)).await.unwrap();
    let name = "contact.create".parse().unwrap();
    let entry = lab.entry(AuditAction::EventTypeUpdated, "contact.create");
    let types = lab.store().snapshot().await.unwrap().event_types;
    let one = types.iter().find(|one| one.name == name).unwrap();
    lab.store().put_event_type(one, Some(&entry)).await.unwrap();
}

async fn types_and_keys(lab: &Lab) {
    for (name, archived) in [("contact.create", false), ("contact.gone", true)] {
        let event_type = EventType {
            name: name.parse().unwrap(),
            description: Some("é".to_owned()),
            schema: Some(serde_json::json!({"type": "object"})),
            sample: Some(serde_json::json!({"id": 1.5})),
            resource_url: Some("https://x.example/{id}".to_owned()),
            archived,
            created_at: at(1),
            updated_at: at(2),
        };
        lab.store().put_event_type(&event_type, None).await.unwrap();
    }
    for (n, role) in [(1, KeyRole::Provider), (2, KeyRole::Consumer(account("key-only")))] {
        let name = (n == 1).then(|| "main".to_owned());
        let key = ApiKey {
            id: KeyId(lab.uid()),
            role,
            name,
            hash: KeyHash([n; 32]),
            created_at: at(3),
            access: if n == 1 { Access::Full } else { Access::Limited { emit: false, read: true } },
            expires_at: (n == 2).then(|| at(1_000_000)),
            last_used_at: (n == 2).then(|| at(4)),
        };
        lab.store().insert_key(&key, None).await.unwrap();
    }
}

async fn end(lab: &Lab, of: &str, status: SubscriptionStatus) -> Subscription {
    let mut subscription = lab.subscribe(of).await;
    subscription.status = status;
    subscription.status_reason = Some("the end".to_owned());
    lab.update(subscription).await
}

fn events(lab: &Lab, first: &Subscription, second: &Subscription, ended: &Subscription) -> Vec<Event> {
    let plain = lab.event("a", &[first, ended]);
    let own = Event {
        id: "order-1:a@b".parse().unwrap(),
        digest: Some([9; 32]),
        data: Bytes::from_static(b"{\n  \"b\": 1.50,\t\"a\": \"\xc3\xa9\\u0000\"\n}"),
        resource_url: Some("https://x.example/1".to_owned()),
        order_key: Some("o".to_owned()),
        debounce_key: Some("d\0".to_owned()),
        created_at: at(-86_400_000),
        ..lab.event("a", &[first])
    };
    // Not UTF-8, and so no JSON: whatever is there is moved as it is.
    let raw = Event { data: Bytes::from_static(b"\xff\x00"), ..lab.event("a", &[first, second]) };
    vec![plain, own, raw, lab.event("a", &[first, second]), lab.event("a", &[])]
}
