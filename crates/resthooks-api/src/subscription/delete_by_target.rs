//! `DELETE /subscription/?target_url=…&event=…`

use axum::response::Response;
use resthooks::model::{AccountId, EventPattern, TargetUrl};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::answer;
use crate::caller::Asker;
use crate::problem::Problem;
use crate::query::{Query, text};

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(crate) struct TargetQuery {
    /// Whose they are. A consumer may leave it out.
    #[serde(deserialize_with = "text")]
    #[param(value_type = Option<String>)]
    account: Option<AccountId>,
    /// Where they go.
    #[serde(deserialize_with = "text")]
    #[param(value_type = String, required = true, example = "https://example.com/hooks")]
    target_url: Option<TargetUrl>,
    /// Only those that name this event type or pattern, to the letter.
    #[serde(deserialize_with = "text")]
    #[param(value_type = Option<String>)]
    event: Option<EventPattern>,
}

/// Unsubscribe by target
///
/// For callers that kept no id: ends all of the account's subscriptions with this target. Answers alike when there
/// are none.
#[utoipa::path(
    delete, path = "/subscription/", operation_id = "delete_subscriptions_by_target", tag = "subscription",
    params(TargetQuery),
    responses((status = 204, description = "There are none any more.")),
)]
pub(crate) async fn delete_by_target(
    asker: Asker,
    Query(query): Query<TargetQuery>,
) -> Result<Response, Problem> {
    let account = asker.account(None, query.account)?;
    let Some(target) = query.target_url else {
        return Err(Problem::field("target_url", "must be given: which subscriptions are to end"));
    };
    asker.hooks.delete_subscriptions_by_target(&account, &target, query.event.as_ref()).await?;
    Ok(answer::done())
}
