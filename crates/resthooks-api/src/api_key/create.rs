//! `POST /api-key/`

use axum::extract::{OriginalUri, State};
use axum::response::Response;
use http::StatusCode;
use resthooks::FieldError;
use resthooks::model::{AccountId, KeyRole};
use serde::Deserialize;
use utoipa::ToSchema;

use super::resource::{Made, Resource, Role};
use crate::answer;
use crate::api::Shared;
use crate::body::{JsonBody, Text};
use crate::caller::Provider;
use crate::openapi::ForProvider;
use crate::problem::Problem;
use crate::query::{NoQuery, Query};

/// What a key is made from.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ApiKeyInput)]
pub(crate) struct Input {
    /// The account that the key admits to. Needed, unless `role` is `provider`.
    #[schema(value_type = Option<String>, example = "tenant-42")]
    account: Option<AccountId>,
    /// For humans, at most 128 bytes.
    #[schema(example = "their integration")]
    name: Option<String>,
    /// `consumer` unless said otherwise.
    #[schema(value_type = Option<Role>)]
    role: Option<Text<Role>>,
}

impl Input {
    fn role(self) -> Result<KeyRole, Problem> {
        match (self.role.map_or(Role::Consumer, |role| role.0), self.account) {
            (Role::Consumer, Some(account)) => Ok(KeyRole::Consumer(account)),
            (Role::Provider, None) => Ok(KeyRole::Provider),
            (Role::Consumer, None) => Err(Problem::field("account", "must be given: what the key admits to")),
            (Role::Provider, Some(_)) => {
                let error = FieldError::new("account", "must be left out: a provider's key admits to all");
                Err(Problem::invalid(vec![error]))
            }
        }
    }
}

/// Make an API key
///
/// The key is in this answer and nowhere else: only its hash is kept.
#[utoipa::path(
    post, path = "/api-key/", operation_id = "create_api_key", tag = "api-key",
    request_body = Input,
    responses((status = 201, description = "The key.", body = Made), ForProvider),
)]
pub(crate) async fn create(
    State(api): Shared,
    _: Provider,
    uri: OriginalUri,
    _: Query<NoQuery>,
    JsonBody(mut input): JsonBody<Input>,
) -> Result<Response, Problem> {
    let name = input.name.take();
    let made = api.hooks.create_key(input.role()?, name).await?;
    let id = made.stored.id.to_string();
    let made = Made { resource: Resource::from(made.stored), key: made.key };
    Ok(answer::created(&uri, &id, answer::secret(StatusCode::CREATED, &made)))
}
