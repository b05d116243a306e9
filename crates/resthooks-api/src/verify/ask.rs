//! `POST /verify/`

use axum::response::Response;
use http::StatusCode;

use super::input::Input;
use super::resource::Resource;
use crate::answer;
use crate::body::{JsonBody, MAX_HOOK_BODY_BYTES};
use crate::caller::Asker;
use crate::problem::Problem;
use crate::query::Query;
use crate::subscription::AccountQuery;

/// Find out why a receiver does not accept a hook
///
/// Takes a request as its receiver has it and compares it with the subscription's secrets and with what was sent. The answer is
/// 200 whatever is found; `code` says it:
///
/// - `good`: a receiver with the subscription's secret is right to accept it. `matched` says which secret that is.
/// - `wrong_secret`: the body is as it was sent, but the signature is by none of the subscription's secrets; or it is a delivery
///   of another subscription.
/// - `body_reserialized`: the body is the same JSON in other bytes. Receivers must verify the bytes that arrive, before a
///   framework has read them and written them again.
/// - `body_changed`: the body says something else than what was sent, or a part of it is missing.
/// - `timestamp_too_old`, `timestamp_in_future`: the signature is right, but its time is further away than `tolerance`.
/// - `missing_header`, `malformed_header`: `detail` names it. Without `webhook-signature` an `x-hook-signature` is judged
///   alone, which has no time.
/// - `secret_expired`: it was signed by the secret before the last rotation, whose grace is over.
/// - `unknown_delivery`: its `webhook-id` is none of this subscription's deliveries, and its signature by none of its secrets.
/// - `no_match`: neither signature nor body is as it was sent, its timestamp was changed, or there is nothing to compare it with.
#[utoipa::path(
    post, path = "/verify/", operation_id = "verify_hook", tag = "verify",
    params(AccountQuery),
    request_body(content = Input, examples(
        ("a hook as it arrived" = (value = json!({
            "subscription": "sub_01k6x8t1m2n3p4q5r6s7t8v9wa",
            "headers": {
                "webhook-id": "dlv_01k6x8t1m2n3p4q5r6s7t8v9wb01k6x8t1m2n3p4q5r6s7t8v9wa",
                "webhook-timestamp": "1767323045",
                "webhook-signature": "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw="
            },
            "body": "eyJpZCI6ImV2dF8wMWs2eDh0MW0ybjNwNHE1cjZzN3Q4djl3YiIsImRhdGEiOnsiaWQiOjF9fQ=="
        }))),
        ("with more patience" = (value = json!({
            "subscription": "sub_01k6x8t1m2n3p4q5r6s7t8v9wa", "tolerance": "30d", "body": "",
            "headers": {"X-Hook-Signature": ["e0fc16c6d4a28f39a6e0935569f05d86e87367db24a4b6d9271215c603e49f6a"]}
        }))),
    )),
    responses((status = 200, description = "What is found.", body = Resource, example = json!({
        "valid": false, "code": "body_reserialized",
        "detail": "the body is the same JSON in other bytes (61 bytes here, 58 when it was sent): it was read as JSON and \
                   written again, with other spaces, order, numbers or escapes. Verify the bytes that arrive, before anything \
                   reads them",
        "matched": {"scheme": "v1", "secret": "current"}
    }))),
)]
pub(crate) async fn verify(
    asker: Asker,
    Query(query): Query<AccountQuery>,
    JsonBody(input): JsonBody<Input, MAX_HOOK_BODY_BYTES>,
) -> Result<Response, Problem> {
    let scope = asker.scope(query.account)?;
    let (subscription, received) = input.read()?;
    let verdict = asker.hooks.verify(&scope, subscription, received).await?;
    Ok(answer::json(StatusCode::OK, &Resource::from(verdict)))
}
