//! What of a subscription only we set. It may be sent back as it was read: saying anything else is refused, not
//! dropped.

use resthooks::model::Timestamp;
use resthooks::{FieldError, SubscriptionView};
use serde_json::Value as Json;

use super::input::Input;
use super::resource::Resource;
use crate::body::Given;

/// A field and what was given for it.
pub(super) type Field = (&'static str, Given<Json>);

impl Input {
    /// What says which subscription this is and how it stands.
    pub(super) fn identity(&self) -> [Field; 6] {
        let plain = |given: &Given<crate::body::Value>| given.clone().map(|value| value.0);
        [
            ("id", plain(&self.id)),
            ("status", plain(&self.status)),
            ("status_reason", plain(&self.status_reason)),
            ("public_key", plain(&self.public_key)),
            ("created_at", plain(&self.created_at)),
            ("updated_at", plain(&self.updated_at)),
        ]
    }

    /// What changes with every delivery, or as the target confirms.
    pub(super) fn observations(&self) -> [Field; 7] {
        let time = |given: &Given<Timestamp>| given.clone().map(|at| Json::from(at.to_string()));
        let count = |given: &Given<u64>| given.clone().map(Json::from);
        [
            ("intent_confirmed_at", time(&self.intent_confirmed_at)),
            ("last_success_at", time(&self.last_success_at)),
            ("last_failure_at", time(&self.last_failure_at)),
            ("failing_since", time(&self.failing_since)),
            ("consecutive_failures", count(&self.consecutive_failures)),
            ("pending", count(&self.pending)),
            ("circuit", self.circuit.clone().map(Json::from)),
        ]
    }
}

/// Names those of the given fields that do not say what is there.
pub(super) fn differing(given: &[Field], present: &SubscriptionView, errors: &mut Vec<FieldError>) {
    if given.iter().all(|(_, value)| value.is_absent()) {
        return;
    }
    let shown = serde_json::to_value(Resource::of(present)).unwrap_or_default();
    for (field, given) in given {
        let there = shown.get(*field).unwrap_or(&Json::Null);
        let same = match given {
            Given::Absent => true,
            Given::Null => there.is_null(),
            Given::Value(value) => value == there,
        };
        if !same {
            errors.push(FieldError::new(*field, "is read-only and differs from what is there"));
        }
    }
}
