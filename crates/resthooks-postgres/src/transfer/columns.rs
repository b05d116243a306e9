//! Events that come from another store, as the columns that are unnested into rows.

use std::collections::HashMap;

use resthooks::model::{Match, SubscriptionId, SubscriptionNo, Timestamp};
use resthooks::store::Error;
use resthooks::store::coding::{delivery_status_code, encode_attempt, encode_matched};
use resthooks::store::transfer::{MovedDelivery, MovedEvent};
use tokio_postgres::types::Type;

use crate::database::Parameter;
use crate::value::{Uuid, readable};

use super::import::unsound;

/// A step's events, deliveries and attempts.
#[derive(Default)]
pub(super) struct Columns {
    e_seq: Vec<i64>,
    e_created: Vec<i64>,
    e_uid: Vec<Uuid>,
    e_account: Vec<String>,
    e_name: Vec<String>,
    e_matched: Vec<Vec<u8>>,
    e_count: Vec<i32>,
    e_data: Vec<Vec<u8>>,
    e_id: Vec<Option<String>>,
    e_digest: Vec<Option<Vec<u8>>>,
    e_resource: Vec<Option<Vec<u8>>>,
    e_order: Vec<Option<Vec<u8>>>,
    e_debounce: Vec<Option<Vec<u8>>>,
    d_seq: Vec<i64>,
    d_account: Vec<String>,
    d_subscription: Vec<i64>,
    d_sequence: Vec<i64>,
    d_updated: Vec<i64>,
    d_attempts: Vec<i32>,
    d_automatic: Vec<i32>,
    d_status: Vec<i16>,
    d_first: Vec<Option<Vec<u8>>>,
    d_next: Vec<Option<i64>>,
    d_reason: Vec<Option<String>>,
    d_key: Vec<Option<Vec<u8>>>,
    d_group: Vec<Option<i64>>,
    a_seq: Vec<i64>,
    a_account: Vec<String>,
    a_subscription: Vec<i64>,
    a_place: Vec<i32>,
    a_attempt: Vec<Vec<u8>>,
}

impl Columns {
    /// Adds an event under this number; whether all its deliveries have rows.
    pub(super) fn push(
        &mut self,
        seq: i64,
        event: &MovedEvent,
        numbers: &HashMap<SubscriptionId, SubscriptionNo>,
    ) -> Result<bool, Error> {
        let uid = event.unique().map_err(unsound)?;
        let mut matched = Vec::with_capacity(event.matched.len());
        for one in &event.matched {
            let no = numbers
                .get(&one.subscription)
                .ok_or_else(|| unsound(format_args!("there is no subscription {}", one.subscription)))?;
            matched.push((Match { subscription: *no, sequence: one.sequence }, one.delivery.as_ref()));
        }
        matched.sort_by_key(|(one, _)| one.subscription);
        let matches: Vec<Match> = matched.iter().map(|(one, _)| *one).collect();
        let mut coded = Vec::new();
        encode_matched(&matches, &mut coded);
        let bytes = |text: &Option<String>| text.as_ref().map(|text| text.clone().into_bytes());
        let ours = event.digest.is_none() && event.id.as_generated() == Some(uid);
        self.e_seq.push(seq);
        self.e_created.push(event.created_at.as_millis());
        self.e_uid.push(Uuid(uid));
        self.e_account.push(event.account.to_string());
        self.e_name.push(event.event.to_string());
        self.e_matched.push(coded);
        self.e_count.push(i32::try_from(matches.len()).unwrap_or(i32::MAX));
        self.e_data.push(event.data.0.to_vec());
        self.e_id.push((!ours).then(|| event.id.to_string()));
        self.e_digest.push(event.digest.as_ref().map(|digest| digest.0.to_vec()));
        self.e_resource.push(bytes(&event.resource_url));
        self.e_order.push(bytes(&event.order_key));
        self.e_debounce.push(bytes(&event.debounce_key));
        let mut recorded = true;
        for (one, delivery) in matched {
            match delivery {
                Some(delivery) => self.push_delivery(seq, event, one, delivery)?,
                None => recorded = false,
            }
        }
        Ok(recorded)
    }

    fn push_delivery(
        &mut self,
        seq: i64,
        event: &MovedEvent,
        one: Match,
        moved: &MovedDelivery,
    ) -> Result<(), Error> {
        let status = delivery_status_code(moved.status).and_then(|code| i16::try_from(code).ok());
        self.d_seq.push(seq);
        self.d_account.push(event.account.to_string());
        self.d_subscription.push(one.subscription.0);
        self.d_sequence.push(one.sequence.cast_signed());
        self.d_updated.push(moved.updated_at.as_millis());
        self.d_attempts.push(moved.attempts.cast_signed());
        self.d_automatic.push(moved.automatic.cast_signed());
        self.d_status.push(status.ok_or_else(|| unsound("a pending delivery with a row"))?);
        self.d_first.push(moved.first_attempt.as_ref().map(|attempt| {
            let mut coded = Vec::new();
            encode_attempt(attempt, &mut coded);
            coded
        }));
        self.d_next.push(moved.next_attempt_at.map(Timestamp::as_millis));
        self.d_reason.push(moved.reason.as_deref().map(|reason| readable(reason).into_owned()));
        self.d_key.push(moved.plan_key.as_ref().map(|key| key.0.to_vec()));
        self.d_group.push(moved.plan_group.map(u64::cast_signed));
        for (place, attempt) in &moved.later_attempts {
            let mut coded = Vec::new();
            encode_attempt(attempt, &mut coded);
            self.a_seq.push(seq);
            self.a_account.push(event.account.to_string());
            self.a_subscription.push(one.subscription.0);
            self.a_place.push(i32::try_from(*place).map_err(|_| unsound("an attempt's place"))?);
            self.a_attempt.push(coded);
        }
        Ok(())
    }

    pub(super) fn parameters(&self) -> [Parameter<'_>; 31] {
        [
            (&self.e_seq, Type::INT8_ARRAY),
            (&self.e_created, Type::INT8_ARRAY),
            (&self.e_uid, Type::UUID_ARRAY),
            (&self.e_account, Type::TEXT_ARRAY),
            (&self.e_name, Type::TEXT_ARRAY),
            (&self.e_matched, Type::BYTEA_ARRAY),
            (&self.e_count, Type::INT4_ARRAY),
            (&self.e_data, Type::BYTEA_ARRAY),
            (&self.e_id, Type::TEXT_ARRAY),
            (&self.e_digest, Type::BYTEA_ARRAY),
            (&self.e_resource, Type::BYTEA_ARRAY),
            (&self.e_order, Type::BYTEA_ARRAY),
            (&self.e_debounce, Type::BYTEA_ARRAY),
            (&self.d_seq, Type::INT8_ARRAY),
            (&self.d_account, Type::TEXT_ARRAY),
            (&self.d_subscription, Type::INT8_ARRAY),
            (&self.d_sequence, Type::INT8_ARRAY),
            (&self.d_updated, Type::INT8_ARRAY),
            (&self.d_attempts, Type::INT4_ARRAY),
            (&self.d_automatic, Type::INT4_ARRAY),
            (&self.d_status, Type::INT2_ARRAY),
            (&self.d_first, Type::BYTEA_ARRAY),
            (&self.d_next, Type::INT8_ARRAY),
            (&self.d_reason, Type::TEXT_ARRAY),
            (&self.d_key, Type::BYTEA_ARRAY),
            (&self.d_group, Type::INT8_ARRAY),
            (&self.a_seq, Type::INT8_ARRAY),
            (&self.a_account, Type::TEXT_ARRAY),
            (&self.a_subscription, Type::INT8_ARRAY),
            (&self.a_place, Type::INT4_ARRAY),
            (&self.a_attempt, Type::BYTEA_ARRAY),
        ]
    }
}
