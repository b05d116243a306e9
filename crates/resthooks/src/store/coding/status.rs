//! Statuses as small numbers. The SQL of indexes and lists counts on these values.

use crate::model::{DeliveryStatus, SubscriptionStatus};

const DELIVERED: i64 = 0;
const SCHEDULED: i64 = 1;
const HELD: i64 = 2;
const DEAD: i64 = 3;
const CANCELLED: i64 = 4;

/// `None` for pending ones, which have no row.
pub const fn delivery_status_code(status: DeliveryStatus) -> Option<i64> {
    match status {
        DeliveryStatus::Pending => None,
        DeliveryStatus::Delivered => Some(DELIVERED),
        DeliveryStatus::Scheduled => Some(SCHEDULED),
        DeliveryStatus::Held => Some(HELD),
        DeliveryStatus::Dead => Some(DEAD),
        DeliveryStatus::Cancelled => Some(CANCELLED),
    }
}

/// The inverse; `None` for a number that is none.
pub const fn delivery_status(code: i64) -> Option<DeliveryStatus> {
    match code {
        DELIVERED => Some(DeliveryStatus::Delivered),
        SCHEDULED => Some(DeliveryStatus::Scheduled),
        HELD => Some(DeliveryStatus::Held),
        DEAD => Some(DeliveryStatus::Dead),
        CANCELLED => Some(DeliveryStatus::Cancelled),
        _ => None,
    }
}

/// Those that have ended come last.
pub const fn subscription_status_code(status: SubscriptionStatus) -> i64 {
    match status {
        SubscriptionStatus::Pending => 0,
        SubscriptionStatus::Active => 1,
        SubscriptionStatus::Paused => 2,
        SubscriptionStatus::Disabled => 3,
        SubscriptionStatus::Gone => 4,
        SubscriptionStatus::Deleted => 5,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_delivery_status_with_a_row_comes_back() {
        for status in DeliveryStatus::ALL {
            match delivery_status_code(status) {
                Some(code) => assert_eq!(delivery_status(code), Some(status)),
                None => assert_eq!(status, DeliveryStatus::Pending),
            }
        }
        assert_eq!(delivery_status(5), None);
    }
}
