//! `PUT /account/:id/`

use axum::response::Response;
use http::StatusCode;
use resthooks::model::{AccountId, AccountSettings, Intent};
use serde::Deserialize;
use utoipa::ToSchema;

use super::resource::Resource;
use crate::answer;
use crate::body::{Given, JsonBody, Text};
use crate::caller::Provider;
use crate::id::Id;
use crate::openapi::ForProvider;
use crate::problem::Problem;
use crate::query::{NoQuery, Query};

/// What holds for an account.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AccountInput)]
pub(crate) struct Input {
    /// How its targets confirm that their owners want hooks: `none`, `echo`, `challenge` or `options`; `null`, or left
    /// out, for the server's own policy.
    #[schema(value_type = Option<String>, example = "echo")]
    #[serde(default)]
    intent: Given<Text<Intent>>,
}

/// Set what holds for an account
///
/// It need not be there yet. Subscriptions that are there stay as they are until they get another target.
#[utoipa::path(
    put, path = "/account/{id}/", operation_id = "replace_account", tag = "account",
    params(("id" = String, Path, description = "The account.")),
    request_body(content = Input, example = json!({"intent": "echo"})),
    responses((status = 200, description = "The account.", body = Resource), ForProvider),
)]
pub(crate) async fn put(
    Provider(asker): Provider,
    Id(id): Id<AccountId>,
    _: Query<NoQuery>,
    JsonBody(input): JsonBody<Input>,
) -> Result<Response, Problem> {
    let settings = AccountSettings { intent: input.intent.value().map(|Text(intent)| intent) };
    let account = asker.hooks.put_account(&id, settings).await?;
    Ok(answer::json(StatusCode::OK, &Resource::from(account)))
}
