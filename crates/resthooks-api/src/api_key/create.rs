//! `POST /api-key/`

use axum::extract::OriginalUri;
use axum::response::Response;
use http::StatusCode;
use resthooks::KeyInput;
use resthooks::model::{AccountId, KeyScope, Timestamp};
use serde::Deserialize;
use utoipa::ToSchema;

use super::resource::{Made, Resource, Role, Scope};
use crate::answer;
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
    /// What the key may do: `provider` or `consumer` alone, or any of `emit` and `read`. `consumer` unless said
    /// otherwise.
    #[schema(value_type = Option<Vec<Scope>>, example = json!(["emit"]))]
    scopes: Option<Vec<Text<KeyScope>>>,
    /// The account that the key admits to. Needed with `consumer`; with `emit` and `read` it may be left out, for any
    /// account; not with `provider`.
    #[schema(value_type = Option<String>, example = "tenant-42")]
    account: Option<AccountId>,
    /// For humans, at most 128 bytes.
    #[schema(example = "their integration")]
    name: Option<String>,
    /// When the key ends by itself; never, when left out.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
    /// The older form of `scopes`, for one of `provider` and `consumer`.
    #[schema(value_type = Option<Role>, deprecated)]
    role: Option<Text<Role>>,
}

impl Input {
    fn into_key(self) -> Result<KeyInput, Problem> {
        let scopes = match (self.scopes, self.role) {
            (Some(_), Some(_)) => {
                return Err(Problem::field("role", "must be left out when there are scopes"));
            }
            (Some(scopes), None) => scopes.into_iter().map(|Text(scope)| scope).collect(),
            (None, Some(Text(Role::Provider))) => vec![KeyScope::Provider],
            (None, Some(Text(Role::Consumer)) | None) => vec![KeyScope::Consumer],
        };
        let key = KeyInput::scoped(&scopes, self.account)?;
        Ok(KeyInput { name: self.name, expires_at: self.expires_at, ..key })
    }
}

/// Make an API key
///
/// The key is in this answer and nowhere else: only its hash is kept. A key with the scope `provider` may do everything,
/// for any account; one with `consumer` everything with what is its account's. One with `emit` may post events and
/// nothing else, one with `read` may read all but secrets and nothing else: for its account, if it has one, else for any.
#[utoipa::path(
    post, path = "/api-key/", operation_id = "create_api_key", tag = "api-key",
    request_body(content = Input, example = json!({"scopes": ["consumer"], "account": "tenant-42", "name": "theirs"})),
    responses((status = 201, description = "The key.", body = Made), ForProvider),
)]
pub(crate) async fn create(
    Provider(asker): Provider,
    uri: OriginalUri,
    _: Query<NoQuery>,
    JsonBody(input): JsonBody<Input>,
) -> Result<Response, Problem> {
    let made = asker.hooks.make_key(input.into_key()?).await?;
    let id = made.stored.id.to_string();
    let made = Made { resource: Resource::from(made.stored), key: made.key };
    Ok(answer::created(&uri, &id, answer::secret(StatusCode::CREATED, &made)))
}
