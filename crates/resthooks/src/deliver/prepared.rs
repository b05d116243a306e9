//! What sending to a subscription needs, made once per version of it.

use crate::model::Subscription;

/// Parsed target, keys and the constant parts of bodies.
#[derive(Debug)]
pub(crate) struct Prepared {}

impl Prepared {
    pub(crate) fn new(_subscription: &Subscription) -> Self {
        Self {}
    }
}
