//! `POST /subscription/`

use axum::extract::OriginalUri;
use axum::response::Response;
use http::StatusCode;

use super::AccountQuery;
use super::input::Input;
use super::resource::Resource;
use crate::answer;
use crate::body::JsonBody;
use crate::caller::Asker;
use crate::problem::Problem;
use crate::query::Query;

/// Subscribe
///
/// Every call makes a subscription of its own, also for an event and a target that another one has already. The
/// answer holds its secret, which is not shown again when the subscription is read. Where its target has to confirm its
/// intent, it is `pending`, and its target is being asked while this is answered.
#[utoipa::path(
    post, path = "/subscription/", operation_id = "create_subscription", tag = "subscription",
    params(AccountQuery),
    request_body(content = Input, example = json!({
        "target_url": "https://example.com/hooks", "event": "contact.create"
    })),
    responses(
        (status = 201, description = "The subscription with its secret.", body = Resource<'static>,
         headers(("Location", description = "Where it is."))),
    ),
)]
pub(crate) async fn create(
    asker: Asker,
    uri: OriginalUri,
    Query(query): Query<AccountQuery>,
    JsonBody(input): JsonBody<Input>,
) -> Result<Response, Problem> {
    let account = asker.account(input.account.as_value().cloned(), query.account);
    let (account, new) = match (account, input.into_new(&asker)) {
        (Ok(account), Ok(new)) => (account, new),
        (Err(problem), Err(other)) => return Err(problem.and(other)),
        (Err(problem), Ok(_)) | (Ok(_), Err(problem)) => return Err(problem),
    };
    let view = asker.hooks.create_subscription(&account, new).await?;
    let response = answer::secret(StatusCode::CREATED, &Resource::with_secret(&view));
    Ok(answer::created(&uri, &view.subscription.id.to_string(), response))
}
