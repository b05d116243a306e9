//! `GET /event-type/:name/sample/`

use axum::response::Response;
use http::StatusCode;
use resthooks::model::{AccountId, EventName};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::answer;
use crate::caller::Asker;
use crate::id::Id;
use crate::problem::Problem;
use crate::query::{Query, text};

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(crate) struct SampleQuery {
    /// Whose events; for the provider.
    #[serde(deserialize_with = "text")]
    #[param(value_type = Option<String>)]
    account: Option<AccountId>,
}

/// Get samples of what is delivered
///
/// An array of bodies in the shape in which a target receives them (payload `full`): the account's latest real
/// events, else one made of the type's sample, else none.
#[utoipa::path(
    get, path = "/event-type/{name}/sample/", operation_id = "list_event_type_samples", tag = "event-type",
    params(("name" = String, Path, description = "The type's name.", example = "contact.create"), SampleQuery),
    responses((status = 200, description = "Bodies as delivered.", body = Vec<serde_json::Value>)),
)]
pub(crate) async fn sample(
    asker: Asker,
    Id(name): Id<EventName>,
    Query(query): Query<SampleQuery>,
) -> Result<Response, Problem> {
    let scope = asker.scope(query.account)?;
    let bodies = asker.hooks.event_type_samples(&scope, &name).await?;
    Ok(answer::text(StatusCode::OK, format!("[{}]", bodies.join(","))))
}
