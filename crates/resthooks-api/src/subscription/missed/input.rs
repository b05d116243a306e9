//! Which missed deliveries something is done with.

use resthooks::model::DeliveryId;
use resthooks::{FieldError, MissedChoice};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::body::{Given, Text};
use crate::problem::Problem;

/// Some of the missed deliveries, or all of them: one of the two must be given.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = MissedChoice, example = json!({"ids": ["dlv_01k6x8t1m2n3p4q5r6s7t8v9wa01k6x8t1m2n3p4q5r6s7t8v9wb"]}))]
pub(crate) struct Input {
    /// These deliveries' ids, at most 250. One that is not missed any more is passed over.
    #[schema(value_type = Option<Vec<String>>, max_items = 250)]
    #[serde(default)]
    ids: Given<Vec<Text<DeliveryId>>>,
    /// `true` for all that there are.
    #[schema(value_type = Option<bool>, example = true)]
    #[serde(default)]
    all: Given<bool>,
}

impl Input {
    pub(super) fn read(self) -> Result<MissedChoice, Problem> {
        match (self.ids.value(), self.all.value()) {
            (Some(ids), None | Some(false)) => {
                Ok(MissedChoice::These(ids.into_iter().map(|Text(id)| id).collect()))
            }
            (None, Some(true)) => Ok(MissedChoice::All),
            (Some(_), Some(true)) => Err(Problem::field("all", "can't be true when ids are given")),
            (None, _) => Err(Problem::invalid(vec![FieldError::new(
                "ids",
                "must be given: the deliveries' ids; or \"all\": true for all of them",
            )])),
        }
    }
}
