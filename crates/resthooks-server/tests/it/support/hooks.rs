//! What most tests ask of the API: subscribe, emit, and look what has become of it.

use std::time::Duration;

use serde_json::{Value, json};

use super::api::Api;
use super::patience::{eventually, within};

/// The account of tests that need only one.
pub(crate) const ACCOUNT: &str = "acme";

/// A subscription as its owner knows it.
#[derive(Debug, Clone)]
pub(crate) struct Subscribed {
    pub(crate) id: String,
    pub(crate) secret: String,
}

impl Api {
    /// Subscribes a target to an event.
    #[track_caller]
    pub(crate) fn subscribe(&mut self, event: &str, target_url: &str) -> Subscribed {
        self.subscribe_with(event, target_url, json!({}))
    }

    /// The same with further members.
    #[track_caller]
    pub(crate) fn subscribe_with(&mut self, event: &str, target_url: &str, further: Value) -> Subscribed {
        let mut body = json!({"account": ACCOUNT, "event": event, "target_url": target_url});
        if let (Value::Object(body), Value::Object(further)) = (&mut body, further) {
            body.extend(further);
        }
        let created = self.post("/api/v1/subscription/", &body).expect(201);
        Subscribed { id: created.str("id"), secret: created.str("secret") }
    }

    /// Emits an event and gives its id.
    #[track_caller]
    pub(crate) fn emit(&mut self, event: &str, data: &Value) -> String {
        let body = json!({"account": ACCOUNT, "event": event, "data": data});
        self.post("/api/v1/event/", &body).expect(202).str("id")
    }

    /// Emits events in one call and gives their ids.
    #[track_caller]
    pub(crate) fn emit_batch(&mut self, event: &str, data: impl Iterator<Item = Value>) -> Vec<String> {
        let all: Vec<Value> =
            data.map(|data| json!({"account": ACCOUNT, "event": event, "data": data})).collect();
        let accepted = self.post("/api/v1/event/batch/", &json!(all)).expect(202).json;
        let ids = accepted["data"].as_array().expect("a list").iter();
        ids.map(|one| one["id"].as_str().expect("an id").to_owned()).collect()
    }

    /// A delivery with its attempts.
    #[track_caller]
    pub(crate) fn delivery(&mut self, id: &str) -> Value {
        self.get(&format!("/api/v1/delivery/{id}/")).expect(200).json
    }

    /// The deliveries of an event, without their attempts.
    #[track_caller]
    pub(crate) fn deliveries_of(&mut self, event: &str) -> Vec<Value> {
        let listed = self.get(&format!("/api/v1/event/{event}/delivery/?account={ACCOUNT}&limit=250"));
        listed.expect(200).json["data"].as_array().expect("a list").clone()
    }

    /// The id of an event's only delivery.
    #[track_caller]
    pub(crate) fn delivery_id(&mut self, event: &str) -> String {
        let all = self.deliveries_of(event);
        assert_eq!(all.len(), 1, "one delivery of {event}: {all:?}");
        all[0]["id"].as_str().expect("an id").to_owned()
    }

    /// An event's only delivery with its attempts, once it has this status.
    #[track_caller]
    pub(crate) fn settled(&mut self, event: &str, status: &str) -> Value {
        let id = self.delivery_id(event);
        self.delivery_when(&id, |delivery| delivery["status"] == status)
    }

    /// A delivery with its attempts, once it is as it should be.
    #[track_caller]
    pub(crate) fn delivery_when(&mut self, id: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        eventually(|| {
            let delivery = self.delivery(id);
            if is_so(&delivery) { Ok(delivery) } else { Err(format!("the delivery is {delivery:#}")) }
        })
    }

    /// Waits until a subscription has this status in its list.
    #[track_caller]
    pub(crate) fn subscription_when(&mut self, id: &str, status: &str) -> Value {
        within(Duration::from_secs(10), || {
            let listed =
                self.get(&format!("/api/v1/subscription/?account={ACCOUNT}&status={status}&limit=250"));
            let listed = listed.expect(200).json;
            let found = listed["data"].as_array().into_iter().flatten().find(|one| one["id"] == id);
            found.cloned().ok_or_else(|| format!("no subscription {id} with status {status} in {listed:#}"))
        })
    }
}

/// What came of each attempt, in order: its status code or the class of its error.
pub(crate) fn outcomes(delivery: &Value) -> Vec<String> {
    let attempts = delivery["attempts"].as_array().expect("attempts");
    let outcome = |attempt: &Value| match (&attempt["status_code"], &attempt["error"]) {
        (Value::Number(code), Value::Null) => code.to_string(),
        (Value::Null, Value::String(class)) => class.clone(),
        _ => panic!("an attempt with both or neither of status and error: {attempt:#}"),
    };
    attempts.iter().map(outcome).collect()
}

/// An attempt's duration in milliseconds.
pub(crate) fn duration_ms(attempt: &Value) -> f64 {
    attempt["duration_ms"].as_f64().expect("a duration")
}
